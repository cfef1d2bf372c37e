"""A person's data goes from every table; that and which bytes were sent can still be proved."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from milepost.delivery.model import Body, DeliveryState
from milepost.delivery.outcome import Acknowledge
from milepost.errors import DeliveriesPending, UnknownRecord
from milepost.orders.erasure import erased, erasing
from milepost.orders.events import EventType, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Parcel
from milepost.ports import Changes, Lease, OrderRef, Page, Settlement
from milepost.ports.upkeep import Erased, Swept
from tests.store.desk import ACCOUNT, NOW, Desk, a_delivery, an_attempt, an_event, at, kept, moved

LATER = at(3_600)
PERSON = ("Ada", "Turin", "1Z999", "left with Ada", "no Ada here")
BODY = Body(b'{"name": "Ada"}')


def erase(desk: Desk, order: Order, *, abandon: bool = False) -> Erased:
    def without_person(known: Order) -> tuple[Order, OrderEvent]:
        after = erased(known, at=LATER)
        return after, erasing(after, source="operator", note="asked for", at=LATER)

    found: Erased = desk.run(
        desk.store.erase_order(
            ACCOUNT, order.order_id, erase=without_person, abandon=abandon, now=LATER
        )
    )
    return found


def sweep(desk: Desk, order: Order, *, limit: int = 1_000) -> Swept:
    name = (ACCOUNT, order.order_id)
    swept: Swept = desk.run(desk.store.sweep(name=name, limit=limit))
    return swept


def read(desk: Desk, order: Order) -> Order:
    found: Order = desk.run(desk.store.order(OrderRef(ACCOUNT, order_id=order.order_id)))
    return found


def lived_order(desk: Desk) -> tuple[Order, Any]:
    """An order of Ada's that was delivered, with all that can be known of her around it."""
    endpoint = desk.endpoint()
    order = desk.place("K1")
    parcels = (Parcel("1Z999", state=State.DELIVERED, state_at=NOW, tracking_number="1Z999"),)
    order = moved(order, State.DELIVERED, parcels=parcels, corrections=("0123456789abcdef",))
    event = an_event(order, raw="left with Ada", parcel="1Z999", note="left with Ada")
    told = Update("carrier", state=State.DELIVERED, note="no Ada here", tracking_number="1Z999")
    desk.change(
        Changes(
            changed=[order],
            events=[event],
            deliveries=[a_delivery(endpoint, order, body=BODY)],
            quarantined=[kept("upd_1", Verdict.STALE, order_id=order.order_id, update=told)],
        ),
        refs=[OrderRef(ACCOUNT, order_id=order.order_id)],
    )
    (claimed,) = desk.claim()
    attempt = an_attempt(claimed, response=b"no Ada here")
    desk.run(
        desk.store.settle(
            [Settlement(claimed, attempt, Acknowledge())], lease=Lease("me", at(60)), now=NOW
        )
    )
    return order, endpoint


def all_that_is_known(desk: Desk, order: Order, endpoint: Any) -> str:
    """Everything that the store tells of an order."""
    name = order.order_id
    delivery = desk.run(desk.store.delivery(ACCOUNT, endpoint.endpoint_id, name, 2))
    attempts = desk.run(desk.store.attempts(ACCOUNT, endpoint.endpoint_id, name, 2))
    history = desk.run(desk.store.history(ACCOUNT, name, after=0, limit=99))
    quarantine = desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page()))
    return repr((read(desk, order), delivery, attempts, history, quarantine))


def test_nothing_of_the_person_is_left_and_everything_else_is(desk: Desk) -> None:
    order, endpoint = lived_order(desk)
    before = all_that_is_known(desk, order, endpoint)
    assert all(word in before for word in PERSON)
    assert erase(desk, order).abandoned == 0
    sweep(desk, order)
    after = all_that_is_known(desk, order, endpoint)
    assert [word for word in PERSON if word in after] == []
    left = read(desk, order)
    assert (left.state, left.order_key, left.erased_at) == (State.DELIVERED, "K1", LATER)
    assert (order.corrections, left.corrections) == (("0123456789abcdef",), ())
    assert left.content.lines == order.content.lines
    assert left.content.ship_to is not None
    assert left.content.ship_to.country_code == "IT"
    history = desk.run(desk.store.history(ACCOUNT, order.order_id, after=0, limit=9))
    assert [(e.type, e.state) for e in history] == [
        (EventType.CREATED, State.CREATED),
        (EventType.STATE_CHANGED, State.DELIVERED),
        (EventType.ERASED, State.DELIVERED),
    ]
    assert history[-1].note == "asked for"
    (attempt,) = desk.attempts(endpoint, order, 2)
    assert (attempt.outcome, attempt.status) == ("acknowledged", 204)
    ((update,), _) = desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page()))
    assert (update.verdict, update.update.state) == (Verdict.STALE, State.DELIVERED)


def test_which_bytes_were_sent_can_still_be_proved(desk: Desk) -> None:
    order, endpoint = lived_order(desk)
    named = (ACCOUNT, endpoint.endpoint_id, order.order_id, 2)
    assert desk.run(desk.store.erased_body(*named)) is None
    erase(desk, order)
    sweep(desk, order)
    left = desk.run(desk.store.erased_body(*named))
    assert left.sha256 == hashlib.sha256(BODY.content).digest()
    assert (left.size, left.content_type) == (len(BODY.content), BODY.content_type)
    assert desk.run(desk.store.delivery(*named))[1] == b""


def test_an_order_is_found_by_its_tracking_number_no_more(desk: Desk) -> None:
    order, _ = lived_order(desk)
    assert len(desk.run(desk.store.find_orders(ACCOUNT, "1Z999"))) == 1
    erase(desk, order)
    assert desk.run(desk.store.find_orders(ACCOUNT, "1Z999")) == []
    assert [p.parcel for p in read(desk, order).parcels] == ["1"]


def test_an_order_with_pending_deliveries_is_erased_only_if_they_are_abandoned(
    desk: Desk,
) -> None:
    endpoint, other = desk.endpoint(), desk.endpoint("ep_b")
    order = desk.place("K1", to=[endpoint, other])
    order = desk.move(order, State.SHIPPED, to=[endpoint])
    with pytest.raises(DeliveriesPending) as told:
        erase(desk, order)
    assert told.value.count == 3
    assert read(desk, order).erased_at is None
    assert erase(desk, order, abandon=True).abandoned == 3
    assert desk.states(endpoint, order) == [DeliveryState.ABANDONED] * 2
    assert desk.states(other, order) == [DeliveryState.ABANDONED]
    assert list(desk.claim()) == []


def test_what_is_on_the_wire_while_it_is_abandoned_changes_nothing_more(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    claimed = desk.claim()
    assert erase(desk, order, abandon=True).abandoned == 1
    sweep(desk, order)
    assert list(desk.settle(*claimed)) == []
    assert desk.states(endpoint, order) == [DeliveryState.ABANDONED]


def test_erasing_twice_is_erasing_once(desk: Desk) -> None:
    order, _ = lived_order(desk)
    once = erase(desk, order).order
    assert erase(desk, order).order == once
    assert read(desk, order).sequence == order.sequence + 1


def test_an_order_that_is_not_there_cannot_be_erased(desk: Desk, neighbor: Desk) -> None:
    order = neighbor.place("K1")
    with pytest.raises(UnknownRecord):
        erase(desk, order)
    neighbors = neighbor.run(
        neighbor.store.order(OrderRef(neighbor.account_id, order_id=order.order_id))
    )
    assert neighbors.content.ship_to.name == "Ada"


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_an_erasure_that_stopped_in_the_middle_is_finished_by_any_sweep(
    desk: Desk, limit: int
) -> None:
    order, endpoint = lived_order(desk)
    erase(desk, order)
    turns = 0
    while desk.run(desk.store.sweep(name=None, limit=limit)).more:
        turns += 1
        assert turns < 50
    after = all_that_is_known(desk, order, endpoint)
    assert [word for word in PERSON if word in after] == []


def test_an_erased_order_can_be_taken_off_like_any_other(desk: Desk) -> None:
    order, _ = lived_order(desk)
    erase(desk, order)
    dropped = desk.run(
        desk.store.drop_orders(ACCOUNT, [order.order_id], is_due=lambda _: True, now=LATER)
    )
    assert dropped == [order.order_id]
    while desk.run(desk.store.sweep(name=None, limit=100)).more:
        pass
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.orders, counts.events, counts.attempts, counts.quarantined) == (0, 0, 0, 0)


def test_an_intake_that_read_an_order_before_it_was_erased_decides_again(desk: Desk) -> None:
    order, _ = lived_order(desk)
    erase(desk, order)
    seen: list[Any] = []

    def decide(snapshot: Any) -> Changes:
        seen.extend(snapshot.orders)
        return Changes()

    desk.change(decide, refs=[OrderRef(ACCOUNT, store="shop", order_key="K1")])
    assert [found.erased_at for found in seen] == [LATER]
