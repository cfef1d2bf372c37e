"""Endpoints that fail, recover and are paused: on record, told to who subscribed, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.delivery.health import Condition
from milepost.delivery.model import (
    BacklogPolicy,
    DeliveryState,
    Endpoint,
    EndpointState,
    Operational,
    Outcome,
    Reply,
    Request,
)
from milepost.errors import InvalidInput, StoreError
from milepost.orders.lifecycle import State
from milepost.ports import DeliveryFilter, Page
from milepost.rules import EndpointChange
from milepost_receiver import OperationalNotification, Receiver
from tests.flows.house import ACCOUNT, START, House, house

LIFE = (State.SUBMITTED, State.PACKED, State.SHIPPED, State.IN_TRANSIT, State.DELIVERED)
ONLY, ALSO = Operational.ONLY, Operational.ALSO


def to(request: Request) -> str:
    """The endpoint that a request is for."""
    return "ep_" + dict(request.headers)["webhook-id"].partition("-ep_")[2][:10]


def sent_to(at: House, endpoint: Endpoint) -> list[Request]:
    return [r for r in at.outside.requests if to(r) == endpoint.endpoint_id]


def told(at: House, endpoint: Endpoint) -> list[dict[str, Any]]:
    """The operational events that an endpoint was sent."""
    bodies = [msgspec.json.decode(r.body) for r in sent_to(at, endpoint)]
    return [body for body in bodies if "subject" in body["data"]]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def broken(endpoint: Endpoint, reply: Reply) -> Any:
    """Everybody takes everything but this endpoint, which answers so."""
    return lambda request: reply if to(request) == endpoint.endpoint_id else Reply(204)


async def health(at: House, endpoint: Endpoint) -> Any:
    return (await at.hub.insights.endpoint(ACCOUNT, endpoint.endpoint_id)).health


async def try_again(at: House, endpoint: Endpoint, *, times: int, every_s: float) -> None:
    """Lets so many more attempts be made, each so long after the one before."""
    for _ in range(times):
        before = len(sent_to(at, endpoint))
        at.clock.forward(seconds=every_s)
        at.hub.dispatcher.look()
        await at.until(lambda n=before: len(sent_to(at, endpoint)) > n)  # type: ignore[misc]
        await settled(at)


async def settled(at: House) -> None:
    """Waits until nothing is on the wire and all that came back is on record."""
    for _ in range(200):
        await asyncio.sleep(0.005)
        if not at.hub.dispatcher.on_wire and not at.hub.dispatcher._settlements:
            break
    await asyncio.sleep(0.01)
    await at.hub.health.beat()


def test_410_is_told_with_signature_and_number_and_what_is_parked_goes_out_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, gone = await at.endpoint(operational=ONLY), await at.endpoint(description="shop")
            at.outside.answer = broken(gone, Reply(410))
            await at.order("1")
            await at.until(lambda: bool(told(at, ops)))
            (request,) = sent_to(at, ops)
            receiver = Receiver.standard(secrets=ops.secrets, operational=True, now=START.timestamp)
            read = receiver.read(request.headers, request.body)
            assert isinstance(read, OperationalNotification)
            assert (read.type, read.endpoint_id) == ("endpoint.paused", gone.endpoint_id)
            assert (read.cause, read.why) == ("receiver", "the receiver answered 410 Gone")
            assert (read.sequence, read.previous, read.attempt) == (1, 0, 1)
            assert (read.description, read.state) == ("shop", "paused")
            await at.live("1", LIFE)
            await settled(at)
            assert len(sent_to(at, gone)) == 1
            assert (await health(at, gone)).condition is Condition.PAUSED
            at.outside.answer = lambda _request: Reply(204)
            await at.hub.operations.resume_endpoint(ACCOUNT, gone.endpoint_id)
            await at.quiet()
            steps = [dict(r.headers)["milepost-sequence"] for r in sent_to(at, gone)]
            assert steps == ["1", "1", "2", "3", "4", "5", "6"]
            assert kinds(told(at, ops)) == ["endpoint.paused", "endpoint.resumed"]
            last = dict(sent_to(at, ops)[-1].headers)
            assert (last["milepost-sequence"], last["milepost-previous"]) == ("2", "1")
            attempts = await at.hub.store.attempts(
                ACCOUNT, ops.endpoint_id, last["milepost-order"], 1
            )
            assert [a.outcome for a in attempts] == [Outcome.ACKNOWLEDGED]
            assert (await health(at, gone)).condition is Condition.HEALTHY

    asyncio.run(play())


def test_many_replies_of_410_are_one_pause_and_are_told_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, gone = await at.endpoint(operational=ONLY), await at.endpoint()
            at.outside.answer = lambda r: None if to(r) == gone.endpoint_id else Reply(204)
            for i in range(8):
                await at.order(str(i))
            await at.until(lambda: len(at.outside.hanging) == 8)
            for done in at.outside.hanging:
                done(Reply(410))
                await asyncio.sleep(0.005)
            await at.until(lambda: bool(told(at, ops)))
            await settled(at)
            await asyncio.sleep(0.05)
            assert kinds(told(at, ops)) == ["endpoint.paused"]

    asyncio.run(play())


@pytest.mark.parametrize("how", ["operator", "another process", "receiver"])
def test_what_a_process_holds_already_is_not_sent_once_its_endpoint_is_paused(
    tmp_path: Path, how: str
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            endpoint = await at.endpoint(concurrency=1)
            at.outside.answer = lambda _request: None
            for i in range(10):
                await at.order(str(i))
            await at.until(lambda: len(at.outside.hanging) == 1)
            name = endpoint.endpoint_id
            if how == "operator":
                await at.hub.operations.pause_endpoint(ACCOUNT, name)
                await asyncio.sleep(0.3)
            elif how == "another process":
                await at.hub.store.set_endpoint_state(
                    ACCOUNT, name, state=EndpointState.PAUSED, why="", now=at.clock.at
                )
                await asyncio.sleep(0.7)
            at.outside.answer = lambda _request: Reply(204)
            at.outside.hanging.pop()(Reply(410 if how == "receiver" else 204))
            await settled(at)
            await asyncio.sleep(0.1)
            assert len(at.outside.requests) == 1
            await at.hub.operations.resume_endpoint(ACCOUNT, name)
            await at.quiet()
            assert len(at.outside.requests) == (11 if how == "receiver" else 10)

    asyncio.run(play())


def test_whoever_pauses_is_named_and_pausing_again_is_no_news(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, other = await at.endpoint(operational=ONLY), await at.endpoint()
            for why in ("maintenance", "still maintenance"):
                await at.hub.operations.pause_endpoint(ACCOUNT, other.endpoint_id, why=why)
            at.clock.forward(hours=2)
            for _ in range(2):
                await at.hub.operations.resume_endpoint(ACCOUNT, other.endpoint_id)
            await at.quiet()
            first, second = told(at, ops)
            assert (first["type"], second["type"]) == ("endpoint.paused", "endpoint.resumed")
            assert (first["data"]["cause"], first["data"]["why"]) == ("operator", "maintenance")
            assert second["data"]["since"] == "2026-11-23T08:00:00Z"

    asyncio.run(play())


def test_failing_and_recovered_are_told_and_shown(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, ill = await at.endpoint(operational=ONLY), await at.endpoint()
            at.outside.answer = broken(ill, Reply(500))
            await at.order("1")
            await at.until(lambda: len(sent_to(at, ill)) == 1)
            await settled(at)
            await try_again(at, ill, times=1, every_s=30)
            assert (await health(at, ill)).condition is Condition.HEALTHY
            await try_again(at, ill, times=1, every_s=31)
            found = await health(at, ill)
            assert (found.condition, found.failures, found.since) == (Condition.FAILING, 3, START)
            assert found.last_outcome is Outcome.SERVER_ERROR
            assert (await at.hub.health.counts())[Condition.FAILING] == 1
            await at.until(lambda: kinds(told(at, ops)) == ["endpoint.failing"])
            (event,) = told(at, ops)
            assert (event["data"]["failures"], event["data"]["since"]) == (
                3,
                "2026-11-23T08:00:00Z",
            )
            at.outside.answer = lambda _request: Reply(204)
            await try_again(at, ill, times=1, every_s=2)
            await at.until(
                lambda: kinds(told(at, ops)) == ["endpoint.failing", "endpoint.recovered"]
            )
            found = await health(at, ill)
            assert (found.condition, found.failures) == (Condition.HEALTHY, 0)
            assert found.last_success_at == at.clock.at

    asyncio.run(play())


def test_a_rule_pauses_after_hours_of_nothing_but_failures_and_parks(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, ill = await at.endpoint(operational=ONLY), await at.endpoint(pause_after_h=1)
            at.outside.answer = broken(ill, Reply(503))
            await at.order("1")
            await at.until(lambda: len(sent_to(at, ill)) == 1)
            await settled(at)
            await try_again(at, ill, times=2, every_s=1_800)
            await at.until(lambda: kinds(told(at, ops)) == ["endpoint.failing", "endpoint.paused"])
            paused = await at.hub.store.endpoint(ACCOUNT, ill.endpoint_id)
            assert (paused.state, paused.state_at) == (EndpointState.PAUSED, at.clock.at)
            assert paused.state_why == "nothing but failures for 1 hours"
            assert told(at, ops)[1]["data"]["cause"] == "rule"
            before = len(sent_to(at, ill))
            at.clock.forward(hours=5)
            await at.live("1", LIFE[:2])
            await settled(at)
            assert len(sent_to(at, ill)) == before
            at.outside.answer = lambda _request: Reply(204)
            await at.hub.operations.resume_endpoint(ACCOUNT, ill.endpoint_id)
            await at.quiet()
            steps = [dict(r.headers)["milepost-sequence"] for r in sent_to(at, ill)[before:]]
            assert steps == ["1", "2", "3"]

    asyncio.run(play())


def test_without_the_rule_failing_goes_on_to_the_end_of_the_schedule(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ill = await at.endpoint()
            at.outside.answer = lambda _request: Reply(503)
            order_id = await at.order("1")
            await at.until(lambda: len(sent_to(at, ill)) == 1)
            await settled(at)
            await try_again(at, ill, times=20, every_s=86_400)
            found, _ = await at.hub.store.delivery(ACCOUNT, ill.endpoint_id, order_id, 1)
            assert (found.state, found.attempts) == (DeliveryState.ABANDONED, 21)
            assert (await health(at, ill)).condition is Condition.FAILING

    asyncio.run(play())


def test_what_is_given_up_is_told_together_and_can_be_sent_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, ill = await at.endpoint(operational=ONLY), await at.endpoint()
            at.outside.answer = broken(ill, Reply(500))
            for i in range(5):
                await at.order(str(i))
            for n in range(1, 21):
                await at.until(lambda n=n: len(sent_to(at, ill)) == 5 * n)  # type: ignore[misc]
                await settled(at)
                at.clock.forward(seconds=4)
                at.hub.dispatcher.look()
            await at.until(lambda: len(sent_to(at, ill)) == 105)
            await settled(at)
            at.clock.forward(minutes=11)
            await at.hub.health.sweep()
            await at.until(lambda: sum(e["data"]["abandoned"] for e in told(at, ops)) == 5)
            given_up = [e for e in told(at, ops) if e["type"] == "delivery.abandoned"]
            assert len(given_up) <= 2
            await at.hub.health.sweep()
            await at.quiet()
            assert sum(e["data"]["abandoned"] for e in told(at, ops)) == 5
            matters, _ = await at.hub.attention.matters(ACCOUNT, page=Page())
            assert [m.kind.value for m in matters] == [
                "endpoint_failing",
                *["delivery_abandoned"] * 5,
            ]
            at.outside.answer = lambda _request: Reply(204)
            for matter in matters[1:]:
                await at.hub.operations.resend(ACCOUNT, matter.delivery_id or "")
            await at.quiet()
            await settled(at)
            assert await at.hub.attention.matters(ACCOUNT, page=Page()) == ([], None)
            await at.until(lambda: kinds(told(at, ops))[-1] == "endpoint.recovered")

    asyncio.run(play())


def test_who_asked_for_nothing_else_gets_no_orders_and_who_asked_for_both_gets_both(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            only, also = await at.endpoint(operational=ONLY), await at.endpoint(operational=ALSO)
            neither = await at.endpoint()
            await at.order("1")
            await at.hub.operations.pause_endpoint(ACCOUNT, neither.endpoint_id)
            await at.quiet()
            assert (len(sent_to(at, only)), kinds(told(at, only))) == (1, ["endpoint.paused"])
            assert (len(sent_to(at, also)), kinds(told(at, also))) == (2, ["endpoint.paused"])
            assert told(at, neither) == []

    asyncio.run(play())


def test_nobody_is_told_of_himself_and_news_makes_no_news(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            one, two = await at.endpoint(operational=ONLY), await at.endpoint(operational=ONLY)
            shop = await at.endpoint()
            at.outside.answer = lambda _request: Reply(500)
            await at.hub.operations.pause_endpoint(ACCOUNT, shop.endpoint_id)
            await at.until(lambda: len(at.outside.requests) >= 2)
            for _ in range(24):
                await settled(at)
                at.clock.forward(minutes=15)
                await at.hub.health.sweep()
                at.hub.dispatcher.look()
                await asyncio.sleep(0.02)
            of_one = {(e["type"], e["data"]["endpoint"]["endpoint_id"]) for e in told(at, one)}
            assert of_one == {
                ("endpoint.paused", shop.endpoint_id),
                ("endpoint.failing", two.endpoint_id),
            }
            # What was given up of news is in the list of what asks for a person, and no more news.
            found, _ = await at.hub.store.deliveries(
                ACCOUNT, wanted=DeliveryFilter(state=DeliveryState.ABANDONED), page=Page()
            )
            assert len(found) == len(told(at, one)) // 21 + len(told(at, two)) // 21 == 4

    asyncio.run(play())


def test_where_nobody_subscribed_it_still_asks_for_a_person(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            gone = await at.endpoint()
            at.outside.answer = lambda _request: Reply(410)
            await at.order("1")
            await at.until(lambda: len(at.outside.requests) == 1)
            await settled(at)
            (matter,), _ = await at.hub.attention.matters(ACCOUNT, page=Page())
            assert (matter.kind.value, matter.endpoint_id) == ("endpoint_paused", gone.endpoint_id)
            assert matter.why == "the receiver answered 410 Gone"
            assert matter.actions[0].command == f"milepost endpoint resume {gone.endpoint_id}"

    asyncio.run(play())


def test_a_process_that_dies_after_the_pause_leaves_the_news_to_the_next(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ops, gone = await at.endpoint(operational=ONLY), await at.endpoint()
            at.outside.answer = lambda r: Reply(410) if to(r) == gone.endpoint_id else None
            await at.order("1")
            await at.until(lambda: len(at.outside.hanging) == 1)
            first = dict(sent_to(at, ops)[0].headers)["webhook-id"]
            # The process is gone: nothing is settled and nothing is given back.
            at.hub.dispatcher._running = False
            for task in at.hub.dispatcher._work:
                task.cancel()
            at.hub.dispatcher._on_wire_total = 0
            await at.hub.store.close()
        async with house(tmp_path) as again:
            again.outside.answer = lambda r: Reply(204)
            await again.until(lambda: bool(again.outside.requests))
            assert again.outside.header("webhook-id") == [first]
            assert kinds(told(again, ops)) == ["endpoint.paused"]

    asyncio.run(play())


def test_the_record_outlives_the_process(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ill = await at.endpoint()
            at.outside.answer = lambda _request: Reply(500)
            await at.order("1")
            await at.until(lambda: len(at.outside.requests) == 1)
            await settled(at)
            await try_again(at, ill, times=1, every_s=40)
        async with house(tmp_path) as again:
            again.clock.at = at.clock.at
            found = await health(again, ill)
            assert (found.failures, found.failing_since) == (2, START)
            again.outside.answer = lambda _request: Reply(500)
            await try_again(again, ill, times=1, every_s=40)
            assert (await health(again, ill)).condition is Condition.FAILING

    asyncio.run(play())


def test_what_cannot_be_put_on_record_is_kept_and_put_there_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            ill = await at.endpoint()
            beat = at.hub.store.beat

            async def refuse(*given: object, **named: object) -> None:
                raise StoreError("the disk is full")

            monkeypatch.setattr(at.hub.store, "beat", refuse)
            at.outside.answer = lambda _request: Reply(500)
            await at.order("1")
            for n in (1, 2):
                await at.until(lambda n=n: len(sent_to(at, ill)) == n)  # type: ignore[misc]
                with pytest.raises(StoreError):
                    await settled(at)
                at.clock.forward(seconds=5)
                at.hub.dispatcher.look()
            monkeypatch.setattr(at.hub.store, "beat", beat)
            await at.until(lambda: len(sent_to(at, ill)) == 3)
            await settled(at)
            found = await health(at, ill)
            assert (found.failures, found.failing_since) == (3, START)

    asyncio.run(play())


def test_while_all_goes_well_records_are_written_now_and_then_and_not_with_each_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            well = await at.endpoint()
            beat, beats = at.hub.store.beat, []

            async def count(pulses: Any, **named: Any) -> None:
                beats.append(pulses)
                await beat(pulses, **named)

            monkeypatch.setattr(at.hub.store, "beat", count)
            for i in range(40):
                await at.order(str(i))
                await at.live(str(i), LIFE)
            await at.quiet()
            assert len(at.outside.requests) == 240
            assert len(beats) <= 2
            await at.hub.health.beat()
            assert (await health(at, well)).last_success_at is not None

    asyncio.run(play())


def test_an_endpoint_gets_no_more_requests_a_second_than_its_rate_and_others_do_not_wait(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            slow, fast = await at.endpoint(requests_per_s=40.0), await at.endpoint()
            loop = asyncio.get_running_loop()
            times: list[float] = []

            def answer(request: Request) -> Reply:
                if to(request) == slow.endpoint_id:
                    times.append(loop.time())
                return Reply(204)

            at.outside.answer = answer
            for i in range(20):
                await at.order(str(i))
            await at.until(lambda: len(sent_to(at, fast)) == 20)
            assert len(sent_to(at, slow)) < 20
            await at.until(lambda: len(times) == 20)
            for i, first in enumerate(times):
                for count, last in enumerate(times[i:], 1):
                    assert count <= 4 + (last - first + 0.005) * 40 + 1
            change = EndpointChange(requests_per_s=None)
            await at.hub.operations.change_endpoint(ACCOUNT, slow.endpoint_id, change)
            await at.quiet()
            began = loop.time()
            await asyncio.gather(*(at.order(f"more {i}") for i in range(40)))
            await at.quiet()
            assert len(times) == 60
            assert loop.time() - began < 0.9

    asyncio.run(play())


def test_where_the_latest_suffices_a_backlog_is_one_notification_that_names_the_gap(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            latest = await at.endpoint(backlog_policy=BacklogPolicy.LATEST)
            every = await at.endpoint()
            await at.order("1")
            await at.quiet()
            for endpoint in (latest, every):
                await at.hub.operations.pause_endpoint(ACCOUNT, endpoint.endpoint_id)
            await at.live("1", LIFE)
            for endpoint in (latest, every):
                await at.hub.operations.resume_endpoint(ACCOUNT, endpoint.endpoint_id)
            await at.quiet()
            steps = [
                (dict(r.headers)["milepost-sequence"], dict(r.headers)["milepost-previous"])
                for r in sent_to(at, latest)
            ]
            assert steps == [("1", "0"), ("6", "5")]
            assert len(sent_to(at, every)) == 6
            counts = await at.hub.store.counts(ACCOUNT)
            assert counts.deliveries[DeliveryState.SUPERSEDED] == 4

    asyncio.run(play())


@pytest.mark.parametrize("contract", ["withings", "shipmonk"])
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"backlog_policy": BacklogPolicy.LATEST}, "backlog_policy"),
        ({"operational": ONLY}, "operational"),
    ],
)
def test_a_contract_that_tells_each_step_takes_neither_the_latest_alone_nor_other_news(
    tmp_path: Path, contract: str, given: dict[str, Any], field: str
) -> None:
    async def play() -> None:
        async with house(tmp_path, dispatch=False) as at:
            options = {"customer_id": "1"} if contract == "withings" else {}
            endpoint = await at.endpoint(contract, options=options)
            with pytest.raises(InvalidInput) as caught:
                await at.endpoint(contract, options=options, **given)
            assert caught.value.field == field
            with pytest.raises(InvalidInput) as caught:
                await at.hub.operations.change_endpoint(
                    ACCOUNT, endpoint.endpoint_id, EndpointChange(**given)
                )
            assert caught.value.field == field

    asyncio.run(play())


def test_a_change_of_a_paused_endpoint_does_not_resume_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, dispatch=False) as at:
            endpoint = await at.endpoint()
            known = await at.hub.store.endpoint(ACCOUNT, endpoint.endpoint_id)
            await at.hub.operations.pause_endpoint(ACCOUNT, endpoint.endpoint_id, why="because")
            await at.hub.store.put_endpoint(msgspec.structs.replace(known, description="new"))
            found = await at.hub.store.endpoint(ACCOUNT, endpoint.endpoint_id)
            assert (found.state, found.state_why) == (EndpointState.PAUSED, "because")
            assert found.description == "new"

    asyncio.run(play())
