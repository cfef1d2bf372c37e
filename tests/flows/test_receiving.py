"""Sources and their messages, from the bytes that came in to the order's history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.errors import AlreadyExists, InvalidInput, SourceRefused, UnknownRecord
from milepost.intake import MessageResult
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports import OrderRef, Page
from milepost.ports.receipts import Receipt, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.receiving import Gate, SourceChange, SourceInput
from tests.flows.house import ACCOUNT, House, house
from tests.keys import KEY
from tests.postgres.server import new_database

V = ReceiptVerdict
FORM = "application/x-www-form-urlencoded"
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
        async with house(folder, **{**settings, "dispatch": False, **given}) as made:
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
        body = json.dumps(told).encode()
        return await self.take(name, body, {"content-type": "application/json"})

    async def take(self, name: str, body: bytes, headers: dict[str, str]) -> MessageResult:
        return await self.flow.take(self.gates[name], headers, body)

    async def receipts(self, **wanted: Any) -> list[Receipt]:
        found, _ = await self.flow.receipts(ACCOUNT, wanted=ReceiptFilter(**wanted), page=EVERY)
        return list(found)

    async def state(self, order_id: str) -> State:
        return (await self.hub.store.order(OrderRef(ACCOUNT, order_id=order_id))).state


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
