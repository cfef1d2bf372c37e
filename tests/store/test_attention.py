"""What asks for a person: read from the records, without what was put aside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from milepost.delivery.model import Delivery, Endpoint, Outcome
from milepost.delivery.outcome import Abandon
from milepost.errors import InvalidInput, UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.model import Order
from milepost.ports import Changes, Page, Quarantined
from milepost.ports.receipts import Receipt, ReceiptVerdict
from tests.store.desk import ACCOUNT, OTHER, Desk, at, kept
from tests.store.test_receiving import a_receipt

FAILED = Outcome.SERVER_ERROR
UNMAPPED = ReceiptVerdict.UNMAPPED


def give_up(desk: Desk, endpoint: Endpoint, key: str, *, now: float) -> Order:
    """An order whose first delivery is given up at this time."""
    order = desk.place(key, to=[endpoint], now=at(now - 1))
    for head in desk.claim(now=at(now)):
        desk.settle(head, step=Abandon(), outcome=FAILED, now=at(now))
    return order


def abandoned(
    desk: Desk, *, after: datetime | None = None, page: Page | None = None
) -> tuple[list[str], str | None]:
    found, following = desk.run(
        desk.store.abandoned(desk.account_id, after=after, page=page or Page())
    )
    deliveries: list[Delivery] = list(found)
    return [d.order_id for d in deliveries], following


def unresolved(
    desk: Desk,
    verdict: Verdict,
    *,
    after: datetime | None = None,
    until: float = 10**6,
    page: Page | None = None,
) -> tuple[list[str], str | None]:
    found, following = desk.run(
        desk.store.unresolved(
            desk.account_id, verdict=verdict, after=after, until=at(until), page=page or Page()
        )
    )
    updates: list[Quarantined] = list(found)
    return [kept.update_id for kept in updates], following


def unmapped(
    desk: Desk, *, after: datetime | None = None, page: Page | None = None
) -> tuple[list[int], str | None]:
    found, following = desk.run(
        desk.store.unmapped(desk.account_id, after=after, page=page or Page())
    )
    receipts: list[Receipt] = list(found)
    return [int(one.receipt_id.removeprefix("rcp_")) for one in receipts], following


def test_what_was_given_up_comes_newest_first_page_by_page(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    for n in range(5):
        give_up(desk, a if n % 2 else b, f"K{n}", now=10 * n + 1)
    whole, following = abandoned(desk)
    assert (whole, following) == ([f"ord_k{n}" for n in (4, 3, 2, 1, 0)], None)
    pages, after = [], None
    while True:
        part, after = abandoned(desk, page=Page(after, 2))
        pages.append(part)
        if after is None:
            break
    assert pages == [whole[:2], whole[2:4], whole[4:]]


def test_what_is_sent_again_leaves_the_list_until_it_is_given_up_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = give_up(desk, endpoint, "K1", now=1)
    desk.resend(endpoint, order, now=at(2))
    assert abandoned(desk) == ([], None)
    desk.settle(*desk.claim(now=at(3)), step=Abandon(), outcome=FAILED, now=at(3))
    assert abandoned(desk) == (["ord_k1"], None)


def test_what_was_put_aside_stays_aside_and_its_replay_does_not(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, other = (give_up(desk, endpoint, key, now=1) for key in ("K1", "K2"))
    name = desk.delivery(endpoint, order).delivery_id
    desk.run(desk.store.dismiss(ACCOUNT, [f"delivery:{name}"], now=at(5)))
    assert abandoned(desk) == ([other.order_id], None)
    desk.resend(endpoint, order, now=at(6))
    desk.settle(*desk.claim(now=at(7)), step=Abandon(), outcome=FAILED, now=at(7))
    again = desk.delivery(endpoint, order)
    assert again.delivery_id.endswith("-r1")
    assert abandoned(desk) == (["ord_k2", "ord_k1"], None)
    desk.run(desk.store.dismiss(ACCOUNT, [f"delivery:{again.delivery_id}"], now=at(8)))
    assert abandoned(desk) == (["ord_k2"], None)


def test_only_what_was_given_up_after_a_time_is_asked_for(desk: Desk) -> None:
    """It is the time at which it was given up that counts, not when it was queued."""
    endpoint = desk.endpoint()
    old = desk.place("OLD", to=[endpoint], now=at(0))
    (head,) = desk.claim(now=at(0), lease_s=10**6)
    give_up(desk, endpoint, "K1", now=100)
    desk.settle(head, step=Abandon(), outcome=FAILED, now=at(500))
    assert abandoned(desk, after=at(100)) == ([old.order_id], None)
    assert abandoned(desk, after=at(500)) == ([], None)


def test_what_was_given_up_with_its_endpoint_asks_for_nobody(desk: Desk) -> None:
    endpoint, other = desk.endpoint(), desk.endpoint("ep_b")
    give_up(desk, endpoint, "K1", now=1)
    give_up(desk, other, "K2", now=2)
    desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=at(3)))
    assert abandoned(desk) == (["ord_k2"], None)


def test_updates_come_by_verdict_and_age(desk: Desk) -> None:
    desk.change(
        Changes(
            quarantined=[
                kept(f"upd_{n}", verdict, received_at=at(n), order_key=f"W{n}")
                for n, verdict in enumerate(
                    (Verdict.ILLEGAL, Verdict.STALE, Verdict.ORPHAN, Verdict.ILLEGAL)
                )
            ]
        )
    )
    assert unresolved(desk, Verdict.ILLEGAL) == (["upd_3", "upd_0"], None)
    assert unresolved(desk, Verdict.ILLEGAL, until=2) == (["upd_0"], None)
    assert unresolved(desk, Verdict.ILLEGAL, after=at(0)) == (["upd_3"], None)
    assert unresolved(desk, Verdict.ORPHAN) == (["upd_2"], None)
    first, following = unresolved(desk, Verdict.ILLEGAL, page=Page(None, 1))
    assert first == ["upd_3"]
    assert unresolved(desk, Verdict.ILLEGAL, page=Page(following, 1)) == (["upd_0"], None)
    desk.run(desk.store.dismiss(ACCOUNT, ["update:upd_3"], now=at(9)))
    assert unresolved(desk, Verdict.ILLEGAL) == (["upd_0"], None)


def test_words_that_mean_nothing_come_newest_first_without_what_was_put_aside(desk: Desk) -> None:
    desk.change(
        Changes(
            receipts=[
                a_receipt(n, verdict=verdict)
                for n, verdict in enumerate((UNMAPPED, UNMAPPED, ReceiptVerdict.KEPT, UNMAPPED))
            ]
        )
    )
    assert unmapped(desk) == ([3, 1, 0], None)
    first, following = unmapped(desk, page=Page(None, 2))
    assert first == [3, 1]
    assert unmapped(desk, page=Page(following, 2)) == ([0], None)
    assert unmapped(desk, after=at(1)) == ([3], None)
    desk.run(desk.store.dismiss(ACCOUNT, [f"receipt:{a_receipt(3).receipt_id}"], now=at(9)))
    assert unmapped(desk) == ([1, 0], None)


def test_kept_updates_are_found_by_their_id_and_by_their_order(desk: Desk) -> None:
    mine = [kept(f"upd_{n}", Verdict.STALE, order_id="ord_k1", order_key=None) for n in range(4)]
    desk.change(Changes(quarantined=[*mine, kept("upd_9", order_key="W9")]))
    found = desk.run(desk.store.kept_of_order(ACCOUNT, "ord_k1", limit=3))
    assert [one.update_id for one in found] == ["upd_3", "upd_2", "upd_1"]
    assert desk.run(desk.store.kept_of_order(OTHER, "ord_k1", limit=3)) == []
    assert desk.run(desk.store.kept(ACCOUNT, "upd_2")) == mine[2]
    for account_id, name in ((OTHER, "upd_2"), (ACCOUNT, "upd_7")):
        with pytest.raises(UnknownRecord):
            desk.run(desk.store.kept(account_id, name))


def test_putting_aside_twice_keeps_the_later_time(desk: Desk) -> None:
    for seconds in (5, 9, 7):
        desk.run(desk.store.dismiss(ACCOUNT, ["one", "two"], now=at(seconds)))
    found = desk.run(desk.store.dismissed(ACCOUNT, ["one", "three", "two"]))
    assert found == {"one": at(9), "two": at(9)}
    assert desk.run(desk.store.dismissed(ACCOUNT, [])) == {}


def test_what_one_account_puts_aside_another_still_sees(desk: Desk, neighbor: Desk) -> None:
    for one in (desk, neighbor):
        give_up(one, one.endpoint(), "K1", now=1)
        illegal = kept("upd_1", Verdict.ILLEGAL, account_id=one.account_id)
        one.change(Changes(quarantined=[illegal]))
    items = ["delivery:ord_k1-1-ep_a", "update:upd_1"]
    desk.run(desk.store.dismiss(ACCOUNT, items, now=at(5)))
    assert (abandoned(desk)[0], unresolved(desk, Verdict.ILLEGAL)[0]) == ([], [])
    assert (abandoned(neighbor)[0], unresolved(neighbor, Verdict.ILLEGAL)[0]) == (
        ["ord_k1"],
        ["upd_1"],
    )


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "é"])
def test_a_cursor_that_no_page_gave_is_refused(desk: Desk, cursor: str) -> None:
    lists: list[Any] = [
        lambda: abandoned(desk, page=Page(cursor)),
        lambda: unresolved(desk, Verdict.ILLEGAL, page=Page(cursor)),
    ]
    for read in lists:
        with pytest.raises(InvalidInput):
            read()
