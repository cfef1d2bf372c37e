"""Sources and their messages, from the bytes that came in to the order's history."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.contracts.incoming import Message, MessageKind
from milepost.erasure import ErasureInput
from milepost.errors import AlreadyExists, InvalidInput, SourceRefused, UnknownRecord
from milepost.intake import MessageResult
from milepost.orders.corrections import TOLD_BEFORE
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import State
from milepost.ports import OrderRef, Page
from milepost.ports.receipts import Receipt, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.receiving import Gate, SourceChange, SourceInput
from tests.flows.house import ACCOUNT, House, house
from tests.keys import KEY
from tests.postgres.server import new_database

V = ReceiptVerdict
EVERY = Page(limit=100)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> dict[str, object]:
    if request.param == "sqlite":
        return {}
    return {"database_url": new_database(), "secret_key": KEY}


def run(
    folder: Path, settings: dict[str, object], act: Callable[[Receiving], Any], **given: Any
) -> None:
    async def whole() -> None:
        async with house(folder, dispatch=False, **{**settings, **given}) as made:
            await act(Receiving(made))

    asyncio.run(whole())


class Receiving:
    """A house with a source called `w` that tells in Withings' words, without a signature."""

    def __init__(self, made: House) -> None:
        self.house = made
        self.hub = made.hub
        self.flow = made.hub.receiving
        self.gates: dict[str, Gate] = {}

    async def add(self, name: str = "w", kind: str = "withings", **given: Any) -> str:
        for part in ("options", "credentials", "read_access"):
            if part in given:
                given[part] = msgspec.Raw(msgspec.json.encode(given[part]))
        wanted = SourceInput(**{"source": name, "kind": kind, "store": "main", **given})
        made = await self.flow.add(ACCOUNT, wanted)
        gate = await self.flow.gates.gate(made.secret)
        assert gate is not None
        self.gates[name] = gate
        return made.secret

    async def tell(self, name: str = "w", **told: object) -> MessageResult:
        body = json.dumps({"customer_id": "4711", **told}).encode()
        return await self.take(name, body, {"content-type": "application/json"})

    async def take(self, name: str, body: bytes, headers: dict[str, str]) -> MessageResult:
        return await self.flow.take(self.gates[name], headers, body)

    async def take_message(self, message: Message, name: str = "w") -> MessageResult:
        """As if the room had read this."""
        gate = Gate(self.gates[name].source, lambda _headers, _body: message, ())
        return await self.flow.take(gate, {}, message.word.encode())

    async def receipts(self, **wanted: Any) -> list[Receipt]:
        found, _ = await self.flow.receipts(ACCOUNT, wanted=ReceiptFilter(**wanted), page=EVERY)
        return list(found)

    async def state(self, order_id: str) -> State:
        return (await self.hub.store.order(OrderRef(ACCOUNT, order_id=order_id))).state


def told(events: Any) -> list[tuple[str, State]]:
    return [(event.source, event.state) for event in events]


def test_a_message_moves_its_order_and_the_history_says_who_told(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        order_id = await it.house.order("1001")
        result = await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T1")
        assert result.verdict is V.APPLIED
        assert await it.state(order_id) is State.SHIPPED
        *_, event = await it.hub.store.history(ACCOUNT, order_id, after=0, limit=9)
        assert (event.source, event.raw) == ("w", "SHIPPED")
        (receipt,) = await it.receipts(order_id=order_id)
        assert (receipt.verdict, receipt.word, receipt.order_id) == (V.APPLIED, "SHIPPED", order_id)
        assert receipt.body == b""
        whole = await it.flow.receipt(ACCOUNT, receipt.receipt_id)
        assert json.loads(whole.body)["customer_ref"] == "1001"
        again = await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T1")
        assert again.verdict is V.DUPLICATE

    run(tmp_path, settings, act)


def test_a_message_that_comes_twice_is_decided_once_also_within_one_batch(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        order_id = await it.house.order("1001")
        headers = {"content-type": "application/json", "webhook-id": "m-1"}
        body = b'{"customer_id": "4711", "customer_ref": "1001", "status": "SHIPPED"}'
        both = await asyncio.gather(*(it.take("w", body, headers) for _ in range(2)))
        assert sorted(result.verdict for result in both) == [V.APPLIED, V.REPEATED]
        assert both[0].receipt_id == both[1].receipt_id
        again = await it.take("w", body, headers)
        assert (again.verdict, again.receipt_id) == (V.REPEATED, both[0].receipt_id)
        assert len(await it.receipts()) == 1
        events = await it.hub.store.history(ACCOUNT, order_id, after=0, limit=9)
        assert told(events) == [("api", State.CREATED), ("w", State.SHIPPED)]

    run(tmp_path, settings, act)


def test_the_same_message_id_from_another_source_is_another_message(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add("w")
        await it.add("v")
        headers = {"content-type": "application/json", "webhook-id": "m-1"}
        body = b'{"customer_id": "4711", "customer_ref": "1001", "status": "SHIPPED"}'
        verdicts = [(await it.take(name, body, headers)).verdict for name in ("w", "v")]
        assert verdicts == [V.ORPHAN, V.ORPHAN]

    run(tmp_path, settings, act)


def test_what_comes_before_its_order_applies_when_the_order_comes_and_its_receipt_says_so(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        first = await it.tell(customer_ref="1001", status="SHIPPED")
        assert first.verdict is V.ORPHAN
        (kept,), _ = await it.hub.store.quarantine(ACCOUNT, verdict=Verdict.ORPHAN, page=EVERY)
        assert kept.source == "w"
        order_id = await it.house.order("1001")
        assert await it.state(order_id) is State.SHIPPED
        (receipt,) = await it.receipts()
        assert (receipt.verdict, receipt.order_id) == (V.APPLIED, order_id)
        assert [word.verdict for word in receipt.words] == [V.APPLIED]
        assert not (await it.hub.store.quarantine(ACCOUNT, verdict=None, page=EVERY))[0]

    run(tmp_path, settings, act)


def test_an_order_and_what_was_told_of_it_before_meet_in_one_transaction(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        busy = asyncio.create_task(it.house.order("0999"))
        early = asyncio.create_task(it.tell(customer_ref="1001", status="SHIPPED"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        order_id = await it.house.order("1001")
        await asyncio.gather(busy, early)
        assert await it.state(order_id) is State.SHIPPED
        (receipt,) = await it.receipts()
        assert (receipt.verdict, receipt.order_id) == (V.APPLIED, order_id)

    run(tmp_path, settings, act)


def test_a_word_that_means_nothing_is_kept_and_shown_and_never_guessed(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        order_id = await it.house.order("1001")
        result = await it.tell(customer_ref="1001", status="TELEPORTED")
        assert result.verdict is V.UNMAPPED
        assert await it.state(order_id) is State.CREATED
        (receipt,) = await it.receipts(verdict=V.UNMAPPED)
        assert "TELEPORTED" in receipt.why
        assert receipt.order_id == order_id

    run(tmp_path, settings, act)


def test_a_mapping_of_stores_that_is_mended_lets_a_message_be_decided_again(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.hub.operations.put_store(ACCOUNT, "other")
        await it.add(store="other")
        order_id = await it.house.order("1001")
        result = await it.tell(customer_ref="1001", status="SHIPPED")
        assert result.verdict is V.ORPHAN
        await it.flow.change(ACCOUNT, "w", SourceChange(store="main"))
        receipt = await it.flow.retry(ACCOUNT, result.receipt_id)
        assert (receipt.verdict, receipt.order_id) == (V.APPLIED, order_id)
        assert await it.state(order_id) is State.SHIPPED
        assert not (await it.hub.store.quarantine(ACCOUNT, verdict=None, page=EVERY))[0]
        with pytest.raises(InvalidInput):
            await it.flow.retry(ACCOUNT, result.receipt_id)
        with pytest.raises(UnknownRecord):
            await it.flow.retry("acc_other", result.receipt_id)

    run(tmp_path, settings, act)


def test_a_trusted_source_corrects_and_another_does_not(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add("w")
        await it.add("v", trusted=True, precedence=10)
        order_id = await it.house.order("1001")
        for parcel_status in ("pending", "delivered"):
            it.house.clock.forward(seconds=1)
            await it.tell(customer_ref="1001", status="SHIPPED", parcel_status=parcel_status)
        it.house.clock.forward(seconds=1)
        back = Update("", State.RETURNING, raw="RTS", occurred_at=it.house.clock())
        message = Message(MessageKind.ORDER, order_key="1001", word="RTS", updates=(back,))
        refused = await it.take_message(message, "w")
        assert refused.verdict is V.ILLEGAL
        assert await it.state(order_id) is State.DELIVERED
        undated = msgspec.structs.replace(back, occurred_at=None)
        late = msgspec.structs.replace(message, updates=(undated,))
        assert (await it.take_message(late, "v")).verdict is V.ILLEGAL
        assert (await it.take_message(message, "v")).verdict is V.APPLIED
        *_, event = await it.hub.store.history(ACCOUNT, order_id, after=0, limit=99)
        assert (event.state, event.correction) == (State.RETURNING, True)
        assert event.note == "v is trusted to correct, and told 'RTS'"

    run(tmp_path, settings, act)


def test_a_trusted_source_that_tells_again_takes_back_no_correction_since(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add("v", trusted=True)
        order_id = await it.house.order("1001")
        for parcel_status in ("pending", "delivered"):
            it.house.clock.forward(seconds=1)
            await it.tell("v", customer_ref="1001", status="SHIPPED", parcel_status=parcel_status)
        it.house.clock.forward(seconds=10)
        back = Update("", State.RETURNING, raw="RTS", occurred_at=it.house.clock())
        message = Message(MessageKind.ORDER, order_key="1001", word="RTS", updates=(back,))
        assert (await it.take_message(message, "v")).verdict is V.APPLIED
        at = it.house.clock() - timedelta(seconds=5)
        in_truth: dict[str, Any] = {
            "occurred_at": at,
            "correction": True,
            "note": "the driver saw it",
        }
        told = await it.house.update("1001", State.DELIVERED, **in_truth)
        assert told.verdict is Verdict.APPLIED
        it.house.clock.forward(seconds=10)
        events = await it.hub.store.history(ACCOUNT, order_id, after=0, limit=99)
        again = await it.take_message(message, "v")
        assert (again.verdict, again.why) == (V.DUPLICATE, TOLD_BEFORE)
        assert await it.state(order_id) is State.DELIVERED
        assert await it.hub.store.history(ACCOUNT, order_id, after=0, limit=99) == events
        assert (await it.receipts())[0].verdict is V.DUPLICATE

    run(tmp_path, settings, act)


def aggregated(number: str, state: State = State.IN_TRANSIT) -> Message:
    """What an aggregator says of a number, whichever aggregator it is."""
    update = Update("", state=state, raw=state.value, tracking_number=number)
    return Message(
        MessageKind.TRACKING,
        tracking_number=number,
        word=state.value,
        updates=(update,),
    )


def test_a_message_of_a_tracking_number_finds_its_parcel(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        order_id = await it.house.order("1001")
        await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T-1")
        it.house.clock.forward(seconds=1)
        result = await it.take_message(aggregated("T-1"))
        assert result.verdict is V.APPLIED
        assert await it.state(order_id) is State.IN_TRANSIT
        (newest, _) = await it.receipts(order_id=order_id)
        assert newest.tracking_number == "T-1"

    run(tmp_path, settings, act)


def test_a_message_of_a_number_that_nobody_has_waits_until_a_parcel_gets_it(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        result = await it.take_message(aggregated("T-1"))
        assert result.verdict is V.ORPHAN
        it.house.clock.forward(seconds=3)
        assert await it.flow.catch_up() == 0
        order_id = await it.house.order("1001")
        it.house.clock.forward(seconds=-2)
        await it.tell(customer_ref="1001", status="SHIPPED")
        it.house.clock.forward(days=1)
        assert await it.flow.catch_up() == 0
        await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T-1")
        both = await asyncio.gather(it.flow.catch_up(), it.flow.catch_up())
        assert sum(both) == 1
        receipt = await it.flow.receipt(ACCOUNT, result.receipt_id)
        assert receipt.order_id == order_id
        assert receipt.verdict in (V.APPLIED, V.STALE)
        assert await it.flow.catch_up() == 0

    run(tmp_path, settings, act)


def test_a_parcel_that_is_stored_beside_its_message_is_found_a_moment_later(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        order_id = await it.house.order("1001")
        shipped = it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T-1")
        both = await asyncio.gather(shipped, it.take_message(aggregated("T-1")))
        it.house.clock.forward(seconds=3)
        await it.flow.catch_up()
        receipt = await it.flow.receipt(ACCOUNT, both[1].receipt_id)
        assert receipt.order_id == order_id
        assert receipt.verdict is not V.ORPHAN

    run(tmp_path, settings, act)


def test_accounts_with_the_same_source_see_nothing_of_each_other(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        other = (await it.hub.operations.add_account("other")).account_id
        await it.hub.operations.put_store(other, "main")
        made = await it.flow.add(other, SourceInput(source="w", kind="withings", store="main"))
        gate = await it.flow.gates.gate(made.secret)
        assert gate is not None
        it.gates["theirs"] = gate
        await it.house.order("1001")
        headers = {"content-type": "application/json", "webhook-id": "m-1"}
        body = b'{"customer_id": "4711", "customer_ref": "1001", "status": "SHIPPED"}'
        theirs = await it.take("theirs", body, headers)
        assert theirs.verdict is V.ORPHAN
        assert await it.receipts() == []
        assert (await it.take("w", body, headers)).verdict is V.APPLIED
        with pytest.raises(UnknownRecord):
            await it.flow.receipt(ACCOUNT, theirs.receipt_id)

    run(tmp_path, settings, act)


def test_an_erased_order_leaves_the_hash_of_what_was_told_and_takes_no_more(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        early = await it.tell(customer_ref="1001", status="TELEPORTED", customer_name="Ada")
        order_id = await it.house.order("1001")
        await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T-1")
        await it.hub.eraser.erase(ACCOUNT, order_id, ErasureInput(), source="api")
        later = await it.tell(
            customer_ref="1001", status="SHIPPED", parcel_status="delivered", tracking_number="T-1"
        )
        assert later.verdict is V.ILLEGAL
        found = [await it.flow.receipt(ACCOUNT, r.receipt_id) for r in await it.receipts()]
        assert len(found) == 3
        for receipt in found:
            assert (receipt.body, receipt.message, receipt.word) == (b"", b"", "")
            assert receipt.tracking_number is None
            assert len(receipt.sha256) == 32
            assert receipt.size > 0
        assert early.receipt_id in {receipt.receipt_id for receipt in found}

    run(tmp_path, settings, act)


def test_receipts_go_with_their_order_and_without_one_when_their_time_is_over(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        await it.house.order("1001")
        await it.tell(customer_ref="1001", status="SHIPPED", tracking_number="T-1")
        await it.tell(
            customer_ref="1001", status="SHIPPED", parcel_status="delivered", tracking_number="T-1"
        )
        await it.tell(customer_ref="9999", status="TELEPORTED")
        assert len(await it.receipts()) == 3
        it.house.clock.forward(days=400)
        await it.hub.upkeep.run()
        assert await it.receipts() == []

    run(tmp_path, settings, act, retention_days=90)


# --- setting up -----------------------------------------------------------------------------------


def test_a_source_is_checked_when_it_is_set_up(tmp_path: Path, settings: dict[str, object]) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        with pytest.raises(AlreadyExists):
            await it.add()
        for field, wrong in (
            ("source", {"name": "not a name"}),
            ("kind", {"name": "x", "kind": "pigeons"}),
            ("store", {"name": "x", "store": "nowhere"}),
            ("stores.7", {"name": "x", "stores": {"7": "nowhere"}}),
            ("networks[0]", {"name": "x", "networks": ("everywhere",)}),
            ("precedence", {"name": "x", "precedence": 10_000}),
            ("options", {"name": "x", "options": {"color": "red"}}),
            ("credentials", {"name": "x", "credentials": {"color": "red"}}),
        ):
            with pytest.raises(InvalidInput) as refused:
                await it.add(**wrong)
            assert refused.value.field.startswith(field.partition(".")[0])

    run(tmp_path, settings, act)


def test_a_rotated_path_counts_and_the_one_before_is_nobodys(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        old = await it.add()
        made = await it.flow.rotate(ACCOUNT, "w")
        assert await it.flow.gates.gate(old) is None
        assert await it.flow.gates.gate(made.secret) is not None
        assert made.secret not in repr(made)
        await it.flow.remove(ACCOUNT, "w")
        assert await it.flow.gates.gate(made.secret) is None
        with pytest.raises(UnknownRecord):
            await it.flow.source(ACCOUNT, "w")

    run(tmp_path, settings, act)


def test_new_secrets_count_beside_the_old_ones_while_they_overlap(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        first, second = ("whsec_" + b64encode(bytes([n]) * 32).decode() for n in (1, 2))
        secret = await it.add(credentials={"secrets": [first]})
        raw = msgspec.Raw(msgspec.json.encode({"secrets": [second]}))
        await it.flow.change(ACCOUNT, "w", SourceChange(credentials=raw, overlap=True))
        source = await it.flow.source(ACCOUNT, "w")
        assert json.loads(source.credentials) == {"secrets": [second, first]}
        assert first not in repr(source)
        gate = await it.flow.gates.gate(secret)
        assert gate is not None
        with pytest.raises(SourceRefused):
            gate.read({"content-type": "application/json"}, b"{}")

    run(tmp_path, settings, act)


def test_what_is_refused_is_counted_with_its_source(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        source = it.gates["w"].source
        for _ in range(3):
            it.flow.refused(source, "no signature", kind="not-proved")
        await it.flow.note_refused()
        it.flow.refused(source, "another", kind="not-proved")
        await it.flow.note_refused()
        await it.flow.note_refused()
        status = await it.flow.status(ACCOUNT, "w")
        assert (status.refusals.refused, status.refusals.why) == (4, "another")

    run(tmp_path, settings, act)


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_key": "x" * 256},
        {"message_id": "x" * 256},
        {"tracking_number": "x" * 256},
        {"order_key": "\ud800"},
        {"order_key": ""},
    ],
)
def test_no_message_can_be_in_the_way_of_those_beside_it(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    async def act(it: Receiving) -> None:
        await it.add()
        told = {"order_key": "1001", "updates": (Update("", State.SHIPPED),)}
        message = Message(MessageKind.ORDER, **{**told, **wrong})  # type: ignore[arg-type]
        good, bad = await asyncio.gather(
            it.tell(customer_ref="1001", status="SHIPPED"),
            it.take_message(message),
            return_exceptions=True,
        )
        assert isinstance(good, MessageResult)
        assert isinstance(bad, InvalidInput)

    run(tmp_path, {}, act)


def test_of_two_processes_that_get_the_same_message_one_decides_on_it(tmp_path: Path) -> None:
    given: dict[str, Any] = {"database_url": new_database(), "secret_key": KEY}

    async def both() -> None:
        async with (
            house(tmp_path, dispatch=False, **given) as one,
            house(tmp_path, dispatch=False, **given) as other,
        ):
            mine, theirs = Receiving(one), Receiving(other)
            theirs.gates["w"] = await gate_of(other, await mine.add())
            order_ids = [await one.order(str(n)) for n in range(20)]
            body = '{"customer_id": "1", "customer_ref": "%d", "status": "SHIPPED"}'
            json_of = {"content-type": "application/json"}
            results = await asyncio.gather(
                *(
                    it.take("w", (body % n).encode(), {**json_of, "webhook-id": f"m-{n}"})
                    for n in range(20)
                    for it in (mine, theirs)
                )
            )
            verdicts = Counter(result.verdict for result in results)
            assert verdicts == {V.APPLIED: 20, V.REPEATED: 20}
            assert len(await mine.receipts()) == 20
            for order_id in order_ids:
                events = await one.hub.store.history(ACCOUNT, order_id, after=0, limit=9)
                assert [event.sequence for event in events] == [1, 2]

    asyncio.run(both())


async def gate_of(made: House, secret: str) -> Gate:
    gate = await made.hub.receiving.gates.gate(secret)
    assert gate is not None
    return gate
