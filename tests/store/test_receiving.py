"""Sources and receipts: kept apart by account, sealed, listed page by page, each message once."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from milepost.contracts.incoming import MessageKind
from milepost.errors import AlreadyExists, InvalidInput, UnknownRecord
from milepost.orders.model import Parcel
from milepost.ports import Changes, Lease, Mentioned, OrderRef, Page, Snapshot
from milepost.ports.receipts import Receipt, ReceiptVerdict, Word
from milepost.ports.receiving import ReceiptFilter, Source
from tests.store.desk import ACCOUNT, ME, NOW, OTHER, SOMEONE, Desk, at

V = ReceiptVerdict
LEASE = Lease(ME, at(60))


def a_source(name: str = "acme", *, account_id: str = ACCOUNT, **given: Any) -> Source:
    return Source(
        **{
            "account_id": account_id,
            "source": name,
            "kind": "withings",
            "digest": f"digest of {account_id} {name}",
            "store": "shop",
            "stores": {"7": "shop"},
            "networks": ("192.0.2.0/24",),
            "precedence": 3,
            "trusted": True,
            "options": b"{}",
            "credentials": b'{"secrets":["not for everybody"]}',
            "read_access": b'{"password":"nor this"}',
            "created_at": NOW,
            "updated_at": NOW,
            **given,
        }
    )


def a_receipt(number: int = 1, **given: Any) -> Receipt:
    return Receipt(
        **{
            "account_id": ACCOUNT,
            "receipt_id": f"rcp_{number:026d}",
            "source": "acme",
            "kind": MessageKind.ORDER,
            "message_id": None,
            "verdict": V.APPLIED,
            "why": "as it should be",
            "word": "SHIPPED",
            "store": "shop",
            "order_key": f"K{number}",
            "order_id": None,
            "tracking_number": None,
            "received_at": at(number),
            "words": (Word(V.APPLIED, "a step", "P1", "shipped"),),
            "content_type": "application/json",
            "body": b'{"status":"SHIPPED"}' * 9,
            "size": 180,
            **given,
        }
    )


def write(desk: Desk, *receipts: Receipt, decided: tuple[Receipt, ...] = ()) -> Snapshot:
    """Writes these, and returns what the transaction saw of their messages and of themselves."""
    seen: list[Snapshot] = []

    def decide(snapshot: Snapshot) -> Changes:
        seen.append(snapshot)
        return Changes(receipts=receipts, decided=decided)

    mentioned = Mentioned(
        [(r.account_id, r.source, r.message_id) for r in receipts if r.message_id is not None],
        [(r.account_id, r.receipt_id) for r in decided],
    )
    refs = [OrderRef(desk.account_id)]
    desk.run(
        desk.store.change_orders(refs, decide=decide, lease=LEASE, now=NOW, mentioned=mentioned)
    )
    return seen[-1]


def listed(desk: Desk, **wanted: Any) -> list[str]:
    """The numbers of the receipts, page by page of two."""
    found: list[str] = []
    after: str | None = None
    while True:
        page, after = desk.run(
            desk.store.receipts(ACCOUNT, wanted=ReceiptFilter(**wanted), page=Page(after, limit=2))
        )
        found += [str(int(receipt.receipt_id[4:])) for receipt in page]
        if after is None:
            assert all(int(a) > int(b) for a, b in pairwise(found))
            return found


def test_a_source_comes_back_as_it_was_put(desk: Desk) -> None:
    source, other = a_source(), a_source(account_id=OTHER, trusted=False)
    for one in (source, other):
        desk.run(desk.store.put_source(one))
    assert desk.run(desk.store.sources(ACCOUNT)) == [source]
    assert desk.run(desk.store.source_of_path(other.digest)) == other
    changed = msgspec.structs.replace(source, precedence=9, updated_at=at(5))
    desk.run(desk.store.put_source(changed))
    assert desk.run(desk.store.sources()) == [changed, other]


def test_a_path_is_one_sources_and_one_that_was_replaced_is_nobodys(desk: Desk) -> None:
    source = a_source()
    desk.run(desk.store.put_source(source))
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.put_source(a_source("another", digest=source.digest)))
    rotated = msgspec.structs.replace(source, digest="new")
    desk.run(desk.store.put_source(rotated))
    assert desk.run(desk.store.source_of_path(source.digest)) is None
    assert desk.run(desk.store.source_of_path("new")) == rotated
    desk.run(desk.store.delete_source(ACCOUNT, "acme"))
    assert desk.run(desk.store.source_of_path("new")) is None
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.delete_source(ACCOUNT, "acme"))


def test_the_secrets_of_a_source_follow_a_new_key_and_can_be_forgotten(desk: Desk) -> None:
    desk.run(desk.store.put_source(a_source()))
    assert desk.run(desk.store.finish_resealing())
    assert desk.run(desk.store.sources(ACCOUNT)) == [a_source()]


def test_a_message_that_is_known_is_seen_where_it_is_decided(desk: Desk) -> None:
    first = a_receipt(1, message_id="m-1")
    assert write(desk, first).messages == {}
    seen = write(desk, a_receipt(2, message_id="m-2"))
    assert seen.messages == {}
    mentioned = Mentioned(
        [(ACCOUNT, "acme", "m-1"), (ACCOUNT, "other", "m-1"), (OTHER, "acme", "m-1")]
    )
    found: list[Snapshot] = []

    def look(snapshot: Snapshot) -> Changes:
        found.append(snapshot)
        return Changes()

    refs = [OrderRef(ACCOUNT), OrderRef(OTHER)]
    desk.run(desk.store.change_orders(refs, decide=look, lease=LEASE, now=NOW, mentioned=mentioned))
    assert found[0].messages == {(ACCOUNT, "acme", "m-1"): first.receipt_id}


def test_a_receipt_comes_back_as_it_was_written_and_in_lists_without_its_body(desk: Desk) -> None:
    receipt = a_receipt(1, message_id="m-1", message=b'{"kind":"order"}' * 9, verdict=V.UNMAPPED)
    write(desk, receipt)
    assert desk.run(desk.store.receipt(ACCOUNT, receipt.receipt_id)) == receipt
    (shown,), _ = desk.run(desk.store.receipts(ACCOUNT, wanted=ReceiptFilter(), page=Page()))
    assert shown == msgspec.structs.replace(receipt, body=b"", message=b"")
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.receipt(OTHER, receipt.receipt_id))
    decided = msgspec.structs.replace(
        receipt, verdict=V.APPLIED, why="now", order_id="ord_1", order_key="K9", message=b""
    )
    assert write(desk, decided=(decided,)).receipts == {
        (ACCOUNT, receipt.receipt_id): msgspec.structs.replace(receipt, body=b"")
    }
    assert desk.run(desk.store.receipt(ACCOUNT, receipt.receipt_id)) == decided


def test_lists_are_filtered_and_paged(desk: Desk) -> None:
    write(
        desk,
        a_receipt(1, order_id="ord_1"),
        a_receipt(2, order_id="ord_1", verdict=V.STALE),
        a_receipt(3, source="other", verdict=V.STALE),
        a_receipt(4, source="other"),
        a_receipt(5, order_id="ord_2", verdict=V.STALE),
        a_receipt(6, account_id=OTHER, order_id="ord_1", verdict=V.STALE),
    )
    assert listed(desk) == ["5", "4", "3", "2", "1"]
    assert listed(desk, source="acme") == ["5", "2", "1"]
    assert listed(desk, order_id="ord_1") == ["2", "1"]
    assert listed(desk, verdict=V.STALE) == ["5", "3", "2"]
    assert listed(desk, verdict=V.APPLIED) == ["4", "1"]
    assert listed(desk, source="other", verdict=V.STALE) == ["3"]
    assert listed(desk, source="other", verdict=V.APPLIED) == ["4"]
    assert listed(desk, order_id="ord_1", source="acme", verdict=V.STALE) == ["2"]
    assert desk.run(desk.store.last_received(ACCOUNT, "other")) == at(4)
    assert desk.run(desk.store.last_received(ACCOUNT, "nobody")) is None
    with pytest.raises(InvalidInput):
        desk.run(
            desk.store.receipts(ACCOUNT, wanted=ReceiptFilter(), page=Page("no cursor", limit=2))
        )


def waiting(number: int, tracking_number: str) -> Receipt:
    return a_receipt(
        number, verdict=V.ORPHAN, order_key=None, store=None, tracking_number=tracking_number
    )


def claim(desk: Desk, now: datetime, *, owner: str = ME) -> list[str]:
    lease = Lease(owner, now.replace(year=now.year + 1))
    found = desk.run(desk.store.claim_waiting(lease=lease, now=now, limit=10))
    return [str(int(receipt.receipt_id[4:])) for receipt in found]


def test_who_waits_for_a_number_is_looked_for_once_more_and_whenever_a_parcel_gets_it(
    desk: Desk,
) -> None:
    desk.run(desk.store.put_source(a_source()))
    one, two = waiting(1, "T-1"), waiting(2, "T-2")
    write(desk, one, two)
    assert claim(desk, at(1)) == []
    assert claim(desk, at(10)) == ["1", "2"]
    assert claim(desk, at(10), owner=SOMEONE) == []
    lease = Lease(ME, at(10).replace(year=at(10).year + 1))
    names = [(ACCOUNT, one.receipt_id), (ACCOUNT, two.receipt_id)]
    order = desk.place("K1", parcels=(Parcel("P1", tracking_number="T-2"),))
    desk.run(desk.store.rest_waiting(names, lease=lease))
    assert claim(desk, at(20)) == ["2"]
    desk.move(order, order.state, parcels=(Parcel("P1", tracking_number="T-1"),))
    assert claim(desk, at(20)) == ["1"]


def test_what_is_refused_is_added_up(desk: Desk) -> None:
    desk.run(desk.store.put_source(a_source()))
    for number, why in ((2, "first"), (3, "last")):
        desk.run(desk.store.count_refused(ACCOUNT, "acme", number=number, why=why, now=at(number)))
    refusals = desk.run(desk.store.refusals(ACCOUNT))
    assert (refusals["acme"].refused, refusals["acme"].why) == (5, "last")
    assert refusals["acme"].refused_at == at(3)
    assert desk.run(desk.store.refusals(OTHER)) == {}


def test_old_receipts_without_an_order_are_counted_and_dropped(desk: Desk) -> None:
    write(desk, *(a_receipt(n) for n in range(1, 6)), a_receipt(6, order_id="ord_1"))
    old: dict[str, Any] = {"before": f"rcp_{99:026d}", "until": at(4)}
    assert desk.run(desk.store.old_receipts(ACCOUNT, **old, limit=3)) == 3
    assert desk.run(desk.store.old_receipts(OTHER, **old, limit=3)) == 0
    assert desk.run(desk.store.drop_receipts(ACCOUNT, **old, limit=3)) == 3
    assert desk.run(desk.store.drop_receipts(ACCOUNT, **old, limit=3)) == 1
    assert listed(desk) == ["6", "5"]


def test_what_became_of_the_latest_messages_is_counted_by_source(desk: Desk) -> None:
    for name in ("acme", "quiet"):
        desk.run(desk.store.put_source(a_source(name)))
    verdicts = (V.APPLIED, V.APPLIED, V.ORPHAN, V.STALE)
    write(desk, *(a_receipt(i, verdict=verdict) for i, verdict in enumerate(verdicts, start=1)))
    assert desk.run(desk.store.verdict_counts(ACCOUNT, most=3)) == {
        "acme": {V.APPLIED: 1, V.ORPHAN: 1, V.STALE: 1}
    }
    assert desk.run(desk.store.last_received_each(ACCOUNT)) == {"acme": at(4)}
    assert desk.run(desk.store.verdict_counts(OTHER, most=3)) == {}
    assert desk.run(desk.store.last_received_each(OTHER)) == {}
