"""Intake: what comes in is decided and committed before the caller is answered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from milepost.delivery.model import Reply
from milepost.errors import InvalidInput, Overloaded, Stopping
from milepost.intake import OrderInput, OrderOutcome, UpdateInput
from milepost.orders.events import EventType, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, OrderContent
from milepost.ports import OrderRef, Page
from tests.flows.house import ACCOUNT, START, house


def _told(key: str, **content: object) -> OrderInput:
    return OrderInput("main", key, OrderContent(**content))  # type: ignore[arg-type]


def _update(key: str, state: State, **facts: object) -> UpdateInput:
    update = Update("test", state, **facts)  # type: ignore[arg-type]
    return UpdateInput(OrderRef(ACCOUNT, store="main", order_key=key), update)


def test_the_same_content_twice_changes_nothing_and_sends_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint("shipmonk")
            told = _told("1", customer_email="a@example.com")
            first = (await at.hub.intake.orders(ACCOUNT, [told]))[0]
            again = (await at.hub.intake.orders(ACCOUNT, [told]))[0]
            assert (first.outcome, again.outcome) == (OrderOutcome.CREATED, OrderOutcome.UNCHANGED)
            assert again.order == first.order
            await at.quiet()
            assert len(at.outside.requests) == 1

    asyncio.run(play())


def test_new_content_is_an_event_that_a_contract_showing_only_states_does_not_send(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint("shipmonk")
            order_id = await at.order("1", customer_email="a@example.com")
            told = _told("1", ship_to=Address(city="Paris"))
            result = (await at.hub.intake.orders(ACCOUNT, [told]))[0]
            assert result.outcome is OrderOutcome.UPDATED
            history = await at.hub.store.history(ACCOUNT, order_id, after=0, limit=10)
            assert [e.type for e in history] == [EventType.CREATED, EventType.UPDATED]
            await at.quiet()
            assert len(at.outside.requests) == 1

    asyncio.run(play())


def test_updates_of_one_order_in_one_batch_are_decided_one_after_the_other(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            order_id = await at.order("1")
            states = (State.VERIFIED, State.SUBMITTED, State.SUBMITTED, State.CREATED)
            results = await at.hub.intake.updates(ACCOUNT, [_update("1", s) for s in states])
            assert [r.verdict for r in results] == [
                Verdict.APPLIED,
                Verdict.APPLIED,
                Verdict.DUPLICATE,
                Verdict.STALE,
            ]
            history = await at.hub.store.history(ACCOUNT, order_id, after=0, limit=10)
            assert [e.state for e in history] == [State.CREATED, State.VERIFIED, State.SUBMITTED]

    asyncio.run(play())


def test_a_correction_that_is_told_again_in_one_batch_or_later_is_applied_once(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            order_id = await at.order("1")
            asked: dict[str, Any] = {"trusted": True, "correction": True, "note": "another parcel"}
            back = _update("1", State.IN_TRANSIT, occurred_at=START, **asked)
            delivered = [
                _update("1", State.DELIVERED, occurred_at=START + timedelta(hours=n))
                for n in (1, 2)
            ]
            batch = [delivered[0], back, delivered[1], back]
            results = [
                *await at.hub.intake.updates(ACCOUNT, batch),
                *await at.hub.intake.updates(ACCOUNT, [back]),
            ]
            assert [r.verdict for r in results] == [Verdict.APPLIED] * 3 + [Verdict.DUPLICATE] * 2
            order = await at.hub.store.order(OrderRef(ACCOUNT, order_id=order_id))
            assert (order.state, order.sequence) == (State.DELIVERED, 4)

    asyncio.run(play())


def test_an_illegal_update_names_what_is_allowed_and_is_kept_for_the_operator(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.order("1")
            await at.update("1", State.CANCELLED)
            at.clock.forward(seconds=1)
            result = await at.update("1", State.PICKING)
            assert result.verdict is Verdict.ILLEGAL
            assert result.allowed == ()
            kept, _ = await at.hub.store.quarantine(ACCOUNT, verdict=Verdict.ILLEGAL, page=Page())
            assert [(k.order_key, k.update.state) for k in kept] == [("1", State.PICKING)]
            assert kept[0].why == result.why

    asyncio.run(play())


def test_an_orphan_applies_itself_when_its_order_comes(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            for state in (State.SUBMITTED, State.PACKED):
                result = await at.update("late", state)
                assert (result.verdict, result.order) == (Verdict.ORPHAN, None)
                at.clock.forward(seconds=1)
            await at.quiet()
            assert not at.outside.requests
            order_id = await at.order("late")
            order = await at.hub.store.order(OrderRef(ACCOUNT, order_id=order_id))
            assert (order.state, order.sequence) == (State.PACKED, 3)
            await at.quiet()
            assert at.outside.header("milepost-sequence") == ["1", "2", "3"]
            kept, _ = await at.hub.store.quarantine(ACCOUNT, verdict=None, page=Page())
            assert not kept, "what applied itself needs nobody any more"

    asyncio.run(play())


def test_an_order_and_its_updates_may_come_in_one_breath(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            orders, updates = await asyncio.gather(
                at.hub.intake.orders(ACCOUNT, [_told("1")]),
                at.hub.intake.updates(ACCOUNT, [_update("1", State.SHIPPED)]),
            )
            assert orders[0].outcome is OrderOutcome.CREATED
            assert updates[0].verdict is Verdict.APPLIED

    asyncio.run(play())


def test_an_update_dated_before_the_order_was_known_is_not_stale(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.order("1")
            early = START - timedelta(hours=1)
            result = await at.update("1", State.SUBMITTED, occurred_at=early)
            assert result.verdict is Verdict.APPLIED
            older = await at.update("1", State.PACKED, occurred_at=early - timedelta(hours=1))
            assert older.verdict is Verdict.STALE

    asyncio.run(play())


def test_an_unknown_store_refuses_that_order_and_no_other(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            told = [_told("1"), OrderInput("nowhere", "2", OrderContent()), _told("3")]
            results = await at.hub.intake.orders(ACCOUNT, told)
            assert [r.outcome for r in results] == ["created", "refused", "created"]
            assert isinstance(results[1].refusal, InvalidInput)
            assert results[1].refusal.field == "store"

    asyncio.run(play())


def test_too_much_waiting_is_refused_with_nothing_accepted(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, max_waiting=10) as at:
            first = asyncio.create_task(
                at.hub.intake.orders(ACCOUNT, [_told(f"a{i}") for i in range(8)])
            )
            await asyncio.sleep(0)
            second = asyncio.create_task(at.hub.intake.orders(ACCOUNT, [_told("b")] * 8))
            third = asyncio.create_task(at.hub.intake.orders(ACCOUNT, [_told("c")] * 8))
            outcomes = await asyncio.gather(first, second, third, return_exceptions=True)
            assert any(isinstance(o, Overloaded) for o in outcomes[1:])
            assert not isinstance(outcomes[0], BaseException)
            counts = await at.hub.store.counts(ACCOUNT)
            refused = sum(isinstance(o, Overloaded) for o in outcomes)
            assert counts.orders == 8 + (2 - refused)

    asyncio.run(play())


def test_a_stopping_hub_refuses_what_is_new_and_commits_what_it_took(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            taken = asyncio.create_task(at.hub.intake.orders(ACCOUNT, [_told("1")]))
            await asyncio.sleep(0)
            await at.hub.intake.stop()
            assert (await taken)[0].outcome is OrderOutcome.CREATED
            try:
                await at.hub.intake.orders(ACCOUNT, [_told("2")])
            except Stopping:
                pass
            else:
                raise AssertionError("a stopped intake took an order")

    asyncio.run(play())


def test_a_caller_that_goes_away_does_not_take_its_order_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            caller = asyncio.create_task(at.hub.intake.orders(ACCOUNT, [_told("1")]))
            await asyncio.sleep(0)
            caller.cancel()
            await at.hub.intake.orders(ACCOUNT, [_told("2")])
            assert (await at.hub.store.counts(ACCOUNT)).orders == 2

    asyncio.run(play())


def test_subscriptions_by_store_and_status_hold(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.hub.store.put_store(ACCOUNT, "other", name="O", number=None, now=START)
            await at.endpoint("shipmonk", stores=("other",))
            await at.endpoint("shipmonk", statuses=("delivered",))
            at.outside.answer = lambda _request: Reply(200)
            await at.order("1")
            await at.live("1", (State.SUBMITTED, State.SHIPPED, State.DELIVERED))
            await at.quiet()
            assert at.outside.header("milepost-sequence") == ["4"]

    asyncio.run(play())
