"""What a merchant's input does to an order in every state: the published limits hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from milepost.contracts.shipmonk.edits import EFFECTS, Effect, Stage, Step, refusal, stage, step
from milepost.contracts.shipmonk.inputs import OrderStatusInput
from milepost.errors import IllegalMove
from milepost.orders.lifecycle import BEFORE_SHIPPING, Reason, State, allowed_next
from milepost.orders.model import Line, OrderContent
from tests.contracts import orders

NOW = datetime(2026, 3, 4, tzinfo=UTC)
S = State
OTHER_NOTES = OrderContent(customer_email="a@example.com")
OTHER_ITEMS = OrderContent(lines=(Line(sku="new", quantity=1),))


def follows(state: State, status: OrderStatusInput, **said: object) -> Step | None:
    order = orders.order(state)
    given = {"submit_at": None, "now": NOW, "address_is_bad": False, **said}
    return step(order, before=stage(order), status=status, **given)  # type: ignore[arg-type]


def refuses(state: State, *, content: OrderContent, status: OrderStatusInput) -> bool:
    return isinstance(refusal(orders.order(state), content=content, status=status), IllegalMove)


def test_every_status_says_what_it_does_at_every_stage() -> None:
    assert set(EFFECTS) == set(OrderStatusInput)
    assert all(set(effects) == set(Stage) for effects in EFFECTS.values())


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("status", list(OrderStatusInput))
def test_what_follows_is_always_legal_where_it_is_not_refused(
    state: State, status: OrderStatusInput
) -> None:
    order = orders.order(state)
    if refusal(order, content=order.content, status=status) is not None:
        return
    for later in (None, NOW + timedelta(days=1)):
        for bad in (False, True):
            found = follows(state, status, submit_at=later, address_is_bad=bad)
            assert found is None or found.state in (*allowed_next(state), state)


def test_items_cannot_change_while_they_are_picked_but_other_facts_can() -> None:
    status = OrderStatusInput.UNFULFILLED
    for state in (S.PICKING, S.PACKING):
        assert refuses(state, content=OTHER_ITEMS, status=status)
        assert not refuses(
            state,
            content=orders.order(state).content,
            status=status,
        )


@pytest.mark.parametrize("state", [S.PACKED, S.READY_TO_SHIP, S.SHIPPED, S.DELIVERED])
def test_nothing_can_change_once_the_order_is_packed(state: State) -> None:
    assert refuses(state, content=OTHER_NOTES, status=OrderStatusInput.UNFULFILLED)
    same = orders.order(state).content
    assert not refuses(state, content=same, status=OrderStatusInput.UNFULFILLED)


@pytest.mark.parametrize("state", sorted({*BEFORE_SHIPPING} - {S.PICKING, S.CANCEL_REQUESTED}))
def test_an_order_can_be_cancelled_until_it_is_picked(state: State) -> None:
    same = orders.order(state).content
    late = stage(orders.order(state)) in (Stage.PACKING, Stage.PACKED)
    assert refuses(state, content=same, status=OrderStatusInput.CANCELLED) is late
    if not late and stage(orders.order(state)) is not Stage.ENDED:
        assert follows(state, OrderStatusInput.CANCELLED) == Step(S.CANCELLED)


def test_while_it_is_picked_a_cancellation_is_a_request() -> None:
    assert follows(S.PICKING, OrderStatusInput.CANCELLED) == Step(S.CANCEL_REQUESTED)


def test_fulfilled_does_nothing_to_what_has_shipped() -> None:
    assert EFFECTS[OrderStatusInput.FULFILLED][Stage.SHIPPED] is Effect.NOTHING
    assert follows(S.IN_TRANSIT, OrderStatusInput.FULFILLED) is None
    assert follows(S.PICKING, OrderStatusInput.FULFILLED) == Step(S.FULFILLED_ELSEWHERE)


def test_a_held_order_is_released_to_the_warehouse_or_to_its_date() -> None:
    unfulfilled = OrderStatusInput.UNFULFILLED
    assert follows(S.ON_HOLD, unfulfilled) == Step(S.SUBMITTED)
    later = NOW + timedelta(days=2)
    scheduled = Step(S.SCHEDULED, Reason.FUTURE_DATE)
    assert follows(S.ON_HOLD, unfulfilled, submit_at=later) == scheduled
    assert follows(S.PICKING, unfulfilled, submit_at=later) is None


def test_an_order_whose_address_is_mended_goes_on() -> None:
    unfulfilled = OrderStatusInput.UNFULFILLED
    assert follows(S.ADDRESS_ERROR, unfulfilled) == Step(S.SUBMITTED)
    assert follows(S.ADDRESS_ERROR, unfulfilled, address_is_bad=True) is None
    assert follows(S.CREATED, unfulfilled, address_is_bad=True) == Step(S.ADDRESS_ERROR)
