"""The provider's side: whole requests, addresses and their checker, test mode, replacements."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.contracts.withings.numbers import Number, Refused
from milepost.contracts.withings.requests import OrderAsked
from milepost.contracts.withings.signing import signature, signed_text
from milepost.delivery.model import Failure, Reply, Request
from milepost.errors import AlreadyExists, InvalidInput, SettingInvalid
from milepost.intake import OrderInput, OrderOutcome
from milepost.net.address_checker import read_config
from milepost.orders.lifecycle import State
from milepost.orders.model import FAKE_ORDER, Order, OrderContent
from milepost.ports import OrderFilter, OrderRef, Page
from milepost.ports.withings import ClientApplication
from milepost.provider import ClientChange, ClientInput, ReplacementInput
from tests.flows.house import ACCOUNT, House, house

ADDRESS = {
    "name": "Ada",
    "email": "ada@example.com",
    "address1": "2 rue Maurice Hartmann",
    "city": "Issy",
    "zip": "92130",
    "country": "FR",
}
NOTIFY = "https://receiver.example/notify"
CHECKER = "https://addresses.example/check"
STEPS = ["VERIFIED", "PROCESSING", "OPEN", "SHIPPED"]
PARCEL = ["pending", "info_received", "in_transit", "delivered"]


def asked(ref: str, **changes: Any) -> OrderAsked:
    told = {
        "customer_ref_id": ref,
        "address": ADDRESS,
        "products": [{"ean": "3700546702518", "quantity": 1}],
        **changes,
    }
    return msgspec.convert(told, OrderAsked)


async def application(at: House, name: str = "shop") -> ClientApplication:
    wanted = ClientInput(name=name, billing_id="4711", notify_uri=NOTIFY)
    made = await at.hub.provider.applications.add(ACCOUNT, wanted)
    return await at.hub.store.client(ACCOUNT, made.client.client_id)


def words(at: House, ref: str) -> list[str]:
    """What was notified of an order, in the order it was sent."""
    bodies = [json.loads(r.body) for r in at.outside.requests if r.url == NOTIFY]
    mine = [body for body in bodies if body["customer_ref"] == ref]
    return [body.get("parcel_status", body.get("status")) for body in mine]


async def refusal(awaitable: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value


# intake


def test_a_whole_request_is_taken_or_refused_as_one(tmp_path: Path) -> None:
    def is_new(known: Order | None) -> AlreadyExists | None:
        return None if known is None else AlreadyExists(known.order_key)

    def told(key: str, store: str = "main") -> OrderInput:
        return OrderInput(store, key, OrderContent(), expects=is_new)

    async def play() -> None:
        async with house(tmp_path) as at:
            taken = await at.hub.intake.orders(ACCOUNT, [told("1"), told("2")], whole=True)
            assert [r.outcome for r in taken] == [OrderOutcome.CREATED] * 2
            for spoiler in (told("1"), told("4", "nowhere")):
                results = await at.hub.intake.orders(ACCOUNT, [told("3"), spoiler], whole=True)
                assert [r.outcome for r in results] == [OrderOutcome.REFUSED] * 2
                assert results[0].refusal is None
                assert isinstance(results[1].refusal, (AlreadyExists, InvalidInput))
            alone = await at.hub.intake.orders(ACCOUNT, [told("3"), told("1")])
            assert [r.outcome for r in alone] == [OrderOutcome.CREATED, OrderOutcome.REFUSED]

    asyncio.run(play())


def test_of_requests_that_share_a_commit_the_first_with_a_reference_gets_it(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            client = await application(at)
            dropshipment = at.hub.provider.dropshipment
            results = await asyncio.gather(
                *(dropshipment.create(client, (asked("same"), asked(f"{n}"))) for n in range(5)),
                return_exceptions=True,
            )
            refused = [r for r in results if isinstance(r, Refused)]
            assert [r.number for r in refused] == [Number.DUPLICATE] * 4
            found, _ = await at.hub.store.orders(ACCOUNT, wanted=OrderFilter(), page=Page())
            assert len(found) == 2

    asyncio.run(play())


# callers


def test_calls_are_limited_by_the_minute_and_a_limited_call_costs_no_nonce(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, client_calls_per_minute=3) as at:
            client = await application(at)
            callers = at.hub.provider.callers

            def signed(action: str, once: str) -> str:
                text = signed_text(action=action, client_id=client.client_id, once=once)
                return signature(client.secret, text)

            async def nonce() -> str:
                return await callers.nonce(
                    client_id=client.client_id, timestamp="1", signature=signed("getnonce", "1")
                )

            async def call(once: str) -> ClientApplication:
                return await callers.caller(
                    action="delete",
                    client_id=client.client_id,
                    nonce=once,
                    signature=signed("delete", once),
                )

            first, second = await nonce(), await nonce()
            assert await call(first) == client
            for _ in range(5):
                unsigned = callers.nonce(
                    client_id=client.client_id, timestamp="1", signature="0" * 64
                )
                assert (await refusal(unsigned)).number is Number.NOT_SIGNED
            assert (await refusal(call(second))).number is Number.TOO_MANY
            assert (await refusal(nonce())).number is Number.TOO_MANY
            at.clock.forward(seconds=61)
            assert await call(second) == client
            third = await nonce()
            at.clock.forward(minutes=30)
            assert (await refusal(call(third))).number is Number.NOT_SIGNED

    asyncio.run(play())


# addresses


def checker(tmp_path: Path) -> str:
    path = tmp_path / "checker.json"
    config = {
        "url": CHECKER,
        "headers": {"authorization": "Bearer key"},
        "body": {"lines": ["{street1}", "{zip} {city}"], "country": "{country_code}"},
        "good": {"at": "result.0.verdict", "values": ["good", True]},
        "reasons": {"at": "result.0.problems", "text": "said", "field": "where"},
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def answering(reply: Callable[[Any], Reply | None]) -> Callable[[Request], Reply | None]:
    """Answers the checker's questions so, and every notification with 204."""
    return lambda request: reply(json.loads(request.body)) if request.url == CHECKER else Reply(204)


def verdict(word: Any, *problems: Any) -> Reply:
    told = {"result": [{"verdict": word, "problems": problems}]}
    return Reply(200, body=json.dumps(told).encode())


async def checked_as(at: House, ref: str) -> tuple[str, str | None]:
    """How an order's address was accepted, and what its VERIFIED event notes of it."""
    order = await at.hub.store.order(OrderRef(ACCOUNT, store="shop", order_key=ref))
    extension = json.loads(bytes(order.content.extensions["withings"]))
    history = await at.hub.store.history(ACCOUNT, order.order_id, after=1, limit=1)
    return extension["address_check"], history[0].note


def test_a_checker_is_asked_about_well_formed_addresses_and_decides(tmp_path: Path) -> None:
    def reply(told: Any) -> Reply:
        if "nowhere" in told["lines"][0]:
            problem = {"said": "there is no such street", "where": "street1"}
            return verdict("bad", problem, "and no such house")
        return verdict("good")

    async def play() -> None:
        async with house(tmp_path, address_checker=checker(tmp_path)) as at:
            at.outside.answer = answering(reply)
            client = await application(at)
            create = at.hub.provider.dropshipment.create
            await create(client, (asked("good"), asked("forced", force_address=True)))
            assert (await checked_as(at, "good"))[0] == "checked"
            assert (await checked_as(at, "forced"))[0] == "forced"
            bad = asked("bad", address={**ADDRESS, "address1": "1 nowhere"})
            malformed = asked("malformed", address={**ADDRESS, "zip": "X"})
            refused = await refusal(create(client, (asked("other"), bad, malformed)))
            assert refused.body == {"invalid_address_customer_ref_ids": ["bad", "malformed"]}
            assert [(r.field, r.reason) for r in refused.reasons[:2]] == [
                ("address.address1", "there is no such street"),
                ("address", "and no such house"),
            ]
            questions = [r for r in at.outside.requests if r.url == CHECKER]
            assert dict(questions[0].headers)["authorization"] == "Bearer key"
            assert json.loads(questions[0].body) == {
                "lines": ["2 rue Maurice Hartmann", "92130 Issy"],
                "country": "FR",
            }
            assert len(questions) == 3

    asyncio.run(play())


DOWN: dict[str, Callable[[Any], Reply | None]] = {
    "no connection": lambda _: Reply(0, failure=Failure.REFUSED),
    "an error": lambda _: Reply(503),
    "no JSON": lambda _: Reply(200, body=b"<html>"),
    "no verdict": lambda _: Reply(200, body=b'{"result":[]}'),
    "no answer": lambda _: None,
}


@pytest.mark.parametrize("down", DOWN)
def test_while_the_checker_is_down_no_order_is_lost(tmp_path: Path, down: str) -> None:
    async def play() -> None:
        async with house(tmp_path, address_checker=checker(tmp_path), address_checker_s=0.05) as at:
            at.outside.answer = answering(DOWN[down])
            client = await application(at)
            await at.hub.provider.dropshipment.create(client, (asked("1"), asked("2")))
            how, note = await checked_as(at, "1")
            assert how == "unverified"
            assert note is not None
            assert "did not answer" in note

    asyncio.run(play())


def test_an_operator_may_want_nothing_accepted_while_the_checker_is_down(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(
            tmp_path, address_checker=checker(tmp_path), address_checker_down="refuse"
        ) as at:
            at.outside.answer = answering(DOWN["an error"])
            client = await application(at)
            create = at.hub.provider.dropshipment.create
            refused = await refusal(create(client, (asked("1"),)))
            assert refused.number is Number.NOT_NOW
            assert (await at.hub.store.counts(ACCOUNT)).orders == 0
            await create(client, (asked("1", force_address=True),))

    asyncio.run(play())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"url": "ftp://x", "body": {}, "good": {"at": "a", "values": [1]}}',
        '{"url": "https://x", "body": {"a": "{planet}"}, "good": {"at": "a", "values": [1]}}',
        '{"url": "https://x", "body": {}, "good": {"at": "a", "values": []}}',
        '{"url": "https://x", "body": {}}',
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "checker.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingInvalid, match="MILEPOST_ADDRESS_CHECKER"):
        read_config(str(path))
    with pytest.raises(SettingInvalid, match="MILEPOST_ADDRESS_CHECKER"):
        read_config(str(tmp_path / "nothing.json"))


# test mode


async def play_on(at: House, steps: int) -> None:
    """Lets the time of so many steps pass, one at a time."""
    for _ in range(steps):
        at.clock.forward(seconds=11)
        await at.hub.provider.rehearsals.play()


def test_a_fake_order_lives_its_life_and_no_figure_counts_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.hub.provider.rehearsals.stop()
            await at.endpoint("standard")
            client = await application(at)
            create = at.hub.provider.dropshipment.create
            (order,) = (await create(client, (asked("fake"),), testmode=1)).orders
            assert order.order_id.startswith(FAKE_ORDER)
            assert order.fake
            assert await at.hub.provider.rehearsals.play() == 0
            await play_on(at, 9)
            await at.quiet()
            assert words(at, "fake") == [*STEPS, *PARCEL]
            assert {r.url for r in at.outside.requests} == {NOTIFY}
            counts = await at.hub.store.counts(ACCOUNT)
            assert (counts.orders, counts.events, counts.quarantined) == (0, 0, 0)
            assert at.hub.metrics.orders.counts() == []
            assert at.hub.metrics.updates.counts() == []

    asyncio.run(play())


def test_a_fake_order_that_was_cancelled_stays_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.hub.provider.rehearsals.stop()
            client = await application(at)
            dropshipment = at.hub.provider.dropshipment
            (order,) = (await dropshipment.create(client, (asked("fake"),), testmode=1)).orders
            await play_on(at, 1)
            await dropshipment.cancel(client, f"D{order.order_id.removeprefix(FAKE_ORDER)}")
            await play_on(at, 3)
            await at.quiet()
            assert words(at, "fake") == ["VERIFIED", "PROCESSING", "TRASHED"]
            assert await at.hub.store.next_rehearsal_at() is None
            assert (await at.hub.store.counts(ACCOUNT)).quarantined == 0

    asyncio.run(play())


def test_a_process_that_dies_between_two_steps_loses_and_repeats_none(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.hub.provider.rehearsals.stop()
            client = await application(at)
            create = at.hub.provider.dropshipment.create
            await create(client, (asked("fake"),), testmode=1)
            await play_on(at, 2)
            # It claimed the third step, and died before it took it.
            at.clock.forward(seconds=11)
            now = at.clock()
            claimed = await at.hub.store.claim_rehearsals(
                now=now, until=now + timedelta(seconds=30), limit=9
            )
            assert len(claimed) == 1
            await play_on(at, 1)
            later = at.clock()
            await at.quiet()
            seen = words(at, "fake")
        async with house(tmp_path) as at:
            await at.hub.provider.rehearsals.stop()
            at.clock.at = later + timedelta(seconds=30)
            await at.hub.provider.rehearsals.play()
            await play_on(at, 8)
            await at.quiet()
            assert [*seen, *words(at, "fake")] == [*STEPS, *PARCEL]
            assert await at.hub.store.next_rehearsal_at() is None

    asyncio.run(play())


def test_a_step_that_was_taken_and_not_noted_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.hub.provider.rehearsals.stop()
            client = await application(at)
            await at.hub.provider.dropshipment.create(client, (asked("fake"),), testmode=2)
            rehearsals, store = at.hub.provider.rehearsals, at.hub.store

            async def dies(_: Any) -> None:
                raise ConnectionError

            at.clock.forward(seconds=11)
            with monkeypatch.context() as patched:
                patched.setattr(store, "put_rehearsal", dies)
                with pytest.raises(ConnectionError):
                    await rehearsals.play()
            at.clock.forward(seconds=31)
            await play_on(at, 4)
            await at.quiet()
            assert words(at, "fake") == ["VERIFIED", "PROCESSING", "TRASHED"]

    asyncio.run(play())


# applications and replacements


def test_an_application_is_told_of_its_own_store_and_no_other(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            one, other = await application(at, "one"), await application(at, "other")
            dropshipment = at.hub.provider.dropshipment
            (order,) = (await dropshipment.create(one, (asked("same"),))).orders
            await dropshipment.create(other, (asked("same"),))
            await at.quiet()
            assert words(at, "same") == ["VERIFIED"] * 2
            public = f"D{order.order_id.removeprefix('ord_').upper()}"
            assert await dropshipment.read(other, by="order_ids", named=(public,)) == []
            assert (await dropshipment.read(one, by="order_ids", named=(public,)))[0] == order
            for call in (
                dropshipment.cancel(other, public),
                dropshipment.update(other, public, asked("same")),
            ):
                assert (await refusal(call)).number is Number.INVALID

    asyncio.run(play())


def test_the_notify_uri_is_an_endpoint_that_is_kept_with_its_application(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            client = await application(at)
            applications, store = at.hub.provider.applications, at.hub.store

            async def change(**told: Any) -> Any:
                changed = ClientChange(**told)
                return await applications.change(ACCOUNT, client.client_id, changed)

            (endpoint,) = await store.endpoints(ACCOUNT)
            assert (endpoint.contract, endpoint.stores) == ("withings", ("shop",))
            made = await change(notify_uri="https://new.example/", billing_id="8")
            (endpoint,) = await store.endpoints(ACCOUNT)
            assert endpoint.url == "https://new.example/"
            assert json.loads(endpoint.options)["customer_id"] == "8"
            assert (made.secret, made.notification_secret) == (None, None)
            made = await change(rotate_secret=True)
            assert made.secret == (await store.client(ACCOUNT, client.client_id)).secret
            assert made.secret != client.secret
            assert (await change(notify_uri=None)).client.notify_uri is None
            assert await store.endpoints(ACCOUNT) == []
            assert (await change(notify_uri=NOTIFY)).notification_secret is not None
            await applications.remove(ACCOUNT, client.client_id)
            assert await store.endpoints(ACCOUNT) == []
            assert await applications.list(ACCOUNT) == []

    asyncio.run(play())


def test_an_endpoint_of_a_process_that_died_while_it_registered_is_found_again(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            client = await application(at)
            forgetful = msgspec.structs.replace(client, endpoint_id=None)
            await at.hub.store.change_client(forgetful)
            change = ClientChange(notify_uri=NOTIFY)
            await at.hub.provider.applications.change(ACCOUNT, client.client_id, change)
            (endpoint,) = await at.hub.store.endpoints(ACCOUNT)
            known = await at.hub.store.client(ACCOUNT, client.client_id)
            assert known.endpoint_id == endpoint.endpoint_id == client.endpoint_id

    asyncio.run(play())


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"client_id": "a,b"}, "client_id"),
        ({"secret": "short"}, "secret"),
        ({"notify_uri": "ftp://x"}, "url"),
        ({"store": "a b"}, "store"),
    ],
)
def test_an_application_that_cannot_work_is_refused_and_leaves_nothing(
    tmp_path: Path, told: dict[str, str], field: str
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            wanted = ClientInput(**{"name": "shop", "billing_id": "1", **told})
            with pytest.raises(InvalidInput) as caught:
                await at.hub.provider.applications.add(ACCOUNT, wanted)
            assert caught.value.field == field
            assert await at.hub.store.clients(ACCOUNT) == []
            assert await at.hub.store.endpoints(ACCOUNT) == []

    asyncio.run(play())


def test_replacements_are_numbered_named_and_not_of_fake_orders(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            client = await application(at)
            dropshipment, replacements = at.hub.provider.dropshipment, at.hub.provider.replacements
            (order,) = (await dropshipment.create(client, (asked("1"),))).orders
            wanted = ReplacementInput(original_serial_number="SN-1", note="broken")
            first = await replacements.replace(order, wanted)
            second = await replacements.replace(order, ReplacementInput())
            named = await replacements.replace(order, ReplacementInput(order_key="X"))
            assert [o.order_key for o in (first, second, named)] == ["1-R1", "1-R2", "X"]
            assert first.state is State.VERIFIED
            assert first.content.replacement_for == "1"
            assert first.content.lines == order.content.lines
            kept = json.loads(bytes(first.content.extensions["withings"]))
            assert kept["original_serial_number"] == "SN-1"
            assert "dropshipment_order_id" not in kept
            history = await at.hub.store.history(ACCOUNT, first.order_id, after=1, limit=1)
            assert (history[0].source, history[0].note) == ("operator", "broken")
            with pytest.raises(AlreadyExists):
                await replacements.replace(order, ReplacementInput(order_key="X"))
            (fake,) = (await dropshipment.create(client, (asked("f"),), testmode=4)).orders
            with pytest.raises(InvalidInput):
                await replacements.replace(fake, ReplacementInput())

    asyncio.run(play())
