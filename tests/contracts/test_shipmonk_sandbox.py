"""The sandbox's scenarios: each step is legal, and what is told is what a merchant would see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from milepost.contracts.shipmonk.inputs import PackType
from milepost.contracts.shipmonk.sandbox import COMPLETE, SCENARIOS, step_updates
from milepost.contracts.shipmonk.statuses import processing_status
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Line, Order, OrderContent
from milepost.orders.move import move
from tests.contracts import orders

NOW = datetime(2026, 3, 4, tzinfo=UTC)
TWO_LINES = OrderContent(lines=(Line(sku="A", quantity=2), Line(sku="B", quantity=1)))


def played(scenario: str, pack_type: PackType) -> tuple[list[str], Order]:
    """Every processing status that the order shows, and the order at the end."""
    order = orders.order(State.SUBMITTED, content=TWO_LINES)
    seen = [processing_status(order)]
    now = max(NOW, order.state_at)
    for number, step in enumerate(SCENARIOS[scenario]):
        now += step.after
        for update in (
            step_updates(order, scenario=scenario, pack_type=pack_type, step=number) or ()
        ):
            result = move(order, update, now=now)
            assert result.verdict in (Verdict.APPLIED, Verdict.DUPLICATE), result.why
            order = result.order
            seen.append(processing_status(order))
    return [status for status, _ in groupby(seen)], order


@pytest.mark.parametrize("pack_type", list(PackType))
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_scenario_is_legal_to_its_end(scenario: str, pack_type: PackType) -> None:
    _, order = played(scenario, pack_type)
    assert order.state is SCENARIOS[scenario][-1].state


@pytest.mark.parametrize("pack_type", list(PackType))
def test_a_completed_order_shows_the_whole_way_once(pack_type: PackType) -> None:
    seen, order = played(COMPLETE, pack_type)
    assert seen == [
        "submitted",
        "pick_in_progress",
        "pack_in_progress",
        "packed",
        "awaiting_pick_up",
        "awaiting_carrier_processing",
        "en_route",
        "delivered",
    ]
    assert len(order.parcels) == (1 if pack_type is PackType.SINGLEPACK else 2)
    assert all(p.tracking_number for p in order.parcels)


def test_the_shipment_is_told_of_after_twenty_minutes() -> None:
    until = 0
    for number, step in enumerate(SCENARIOS[COMPLETE]):
        if step.state is State.SHIPPED:
            until = number
    assert sum((s.after for s in SCENARIOS[COMPLETE][: until + 1]), timedelta()) == timedelta(
        minutes=20
    )


def test_an_order_that_somebody_else_moved_has_left_the_scenario() -> None:
    order = orders.order(State.CANCELLED)
    assert step_updates(order, scenario=COMPLETE, pack_type=PackType.SINGLEPACK, step=0) is None
