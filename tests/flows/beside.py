"""Our hub beside a provider's: the other side is a hub of its own behind a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from milepost.api.app import create_app
from milepost.cli.web import serve_until
from milepost.contracts.read_access import Access
from milepost.emulators import shipmonk, withings
from milepost.intake import OrderInput, UpdateInput, UpdateResult
from milepost.net.carriers import CarrierWire
from milepost.net.guard import Guard
from milepost.net.providers import LARGEST_ANSWER, provider_of
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent
from milepost.ports import OrderRef, Page
from milepost.ports.receiving import Source
from milepost.ports.reconciling import Found, Provider, Reconciliation
from milepost.provider.applications import ClientInput
from milepost.reconciling import Reconciling
from tests.flows.house import ACCOUNT, House, house
from tests.keys import KEY
from tests.postgres.server import new_database

QUIET = timedelta(hours=3)
NAME = "theirs"


@dataclass
class Provided(House):
    """The provider's hub, whose account has an id of the usual form, as its keys need one."""

    account_id: str = ""

    async def order(self, key: str, **content: object) -> str:
        store = str(content.pop("store", "main"))
        told = OrderInput(store, key, OrderContent(**content))  # type: ignore[arg-type]
        (result,) = await self.hub.intake.orders(self.account_id, [told])
        assert result.order is not None
        return result.order.order_id

    async def update(self, key: str, state: State | None, **facts: object) -> UpdateResult:
        update = Update("warehouse", state, trusted=True, **facts)  # type: ignore[arg-type]
        told = UpdateInput(OrderRef(self.account_id, store="main", order_key=key), update)
        (result,) = await self.hub.intake.updates(self.account_id, [told])
        return result


@dataclass
class Beside:
    """A provider, our hub, the source between them, and what compares the two."""

    kind: str
    provider: Provided
    ours: House
    url: str
    source: Source
    reconciling: Reconciling
    waits: list[float] = field(default_factory=list)
    alone: bool = False

    @property
    def houses(self) -> tuple[House, ...]:
        return (self.ours,) if self.alone else (self.provider, self.ours)

    @property
    def access(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.source.read_access)
        return found

    def set_up(self, *, access: dict[str, Any] | None = None, **given: Any) -> None:
        """Changes the source, or how its provider is asked."""
        if access is not None:
            given["read_access"] = msgspec.json.encode({**self.access, **access})
        self.source = msgspec.structs.replace(self.source, **given)

    def forward(self, by: timedelta) -> None:
        for each in self.houses:
            each.clock.at += by

    async def both(self, key: str, *states: State, **facts: Any) -> None:
        """An order that both have, in these states."""
        for each in self.houses:
            await each.order(key)
        for state in states:
            await self.both_hear(key, state, **facts)

    async def both_hear(self, key: str, state: State, **facts: Any) -> None:
        self.forward(timedelta(seconds=1))
        for each in self.houses:
            told = await each.update(key, state, **facts)
            assert told.verdict is Verdict.APPLIED, told

    async def lost(self, key: str, state: State | None = None, **facts: Any) -> None:
        """Something that the provider knows and we were not told of."""
        self.forward(timedelta(seconds=1))
        told = await self.provider.update(key, state, **facts)
        assert told.verdict is Verdict.APPLIED, told

    async def order(self, key: str) -> Order:
        ref = OrderRef(ACCOUNT, store="main", order_key=key)
        return await self.ours.hub.store.order(ref)

    async def compare(self, **given: Any) -> Reconciliation:
        """A whole run, of orders that were quiet for long enough."""
        self.forward(QUIET)
        begun = await self.reconciling.begin(ACCOUNT, NAME, **given)
        return await self.reconciling.run(begun)

    async def found(self, run: Reconciliation) -> Sequence[Found]:
        found, _ = await self.reconciling.differences(ACCOUNT, run.run_id, page=Page(limit=1_000))
        return found

    async def rest(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.forward(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    async def sources(self, account_id: str | None) -> Sequence[Source]:
        return [self.source]


@asynccontextmanager
async def answering(house: House) -> AsyncIterator[str]:
    """The URL under which a hub's order interfaces answer."""
    app = create_app(
        house.hub,
        beside=(*withings.routes(house.hub), *shipmonk.routes(house.hub)),
    )
    bound = socket.create_server(("127.0.0.1", 0))
    stop, started = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_until(stop, app, bound=bound, lifespan="off", graceful_s=1, on_started=started.set)
    )
    try:
        await asyncio.wait_for(started.wait(), 20)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        stop.set()
        await serving


async def read_access(house: Provided, kind: str, *, url: str) -> dict[str, Any]:
    """Credentials of the provider's, and where it is."""
    if kind == "shipmonk":
        key = await house.hub.operations.add_key(house.account_id, name="reader")
        return {"base_url": url, "api_key": key.text}
    wanted = ClientInput(name="reader", billing_id="4711", store="main")
    made = await house.hub.provider.applications.add(house.account_id, wanted)
    assert made.secret is not None
    return {
        "base_url": url,
        "client_id": made.client.client_id,
        "client_secret": made.secret,
    }


def a_source(kind: str, access: dict[str, Any], house: House) -> Source:
    return Source(
        account_id=ACCOUNT,
        source=NAME,
        kind=kind,
        digest="0" * 64,
        store="main",
        stores={},
        networks=(),
        precedence=0,
        trusted=False,
        options=b"{}",
        credentials=b"{}",
        read_access=msgspec.json.encode(access),
        created_at=house.clock(),
        updated_at=house.clock(),
    )


def another(beside: Beside, *, provider_of: Any, owner: str = "another") -> Reconciling:
    """What another process would compare with."""
    hub = beside.ours.hub
    return Reconciling(
        hub.store,
        sources=beside.sources,
        provider_of=provider_of,
        updates=hub.intake.updates,
        now=beside.ours.clock,
        account_now=hub.clocks.now,
        new_id=hub.new_id,
        owner=owner,
        rest=beside.rest,
    )


@asynccontextmanager
async def side_by_side(
    folder: Path, kind: str, *, database: str = "sqlite", **settings: Any
) -> AsyncIterator[Beside]:
    """A provider of this kind and our hub; what reaches it is what the guard lets through."""
    given: dict[str, object] = {"secret_key": KEY}
    if database == "postgres":
        given["database_url"] = await asyncio.to_thread(new_database)
    (folder / "provider").mkdir()
    (folder / "ours").mkdir()
    wire = CarrierWire(guard=Guard(allow_private=True), largest_answer=LARGEST_ANSWER)
    async with (
        house(folder / "provider", dispatch=False, secret_key=KEY, **settings) as built,
        house(folder / "ours", dispatch=False, **given) as ours,
        answering(built) as url,
    ):
        operations = built.hub.operations
        account_id = (await operations.add_account("provider")).account_id
        if kind == "shipmonk":
            await operations.put_store(account_id, "main", name="Main")
        provider = Provided(built.hub, built.outside, built.clock, account_id)
        access = await read_access(provider, kind, url=url)

        def reader_of(access: Access) -> Provider:
            return provider_of(access, fetch=wire.send, now=ours.clock, user_agent="test")

        beside = Beside(kind, provider, ours, url, a_source(kind, access, ours), None)  # type: ignore[arg-type]
        beside.reconciling = another(beside, provider_of=reader_of, owner="me")
        try:
            yield beside
        finally:
            await beside.reconciling.stop()
            await wire.close()


@asynccontextmanager
async def ours_alone(folder: Path, *, database: str = "sqlite") -> AsyncIterator[Beside]:
    """Our hub, for tests that say themselves what the provider answers; nobody else is there."""
    given: dict[str, object] = {"secret_key": KEY}
    if database == "postgres":
        given["database_url"] = await asyncio.to_thread(new_database)
    async with house(folder, dispatch=False, **given) as ours:
        nobody = Provided(ours.hub, ours.outside, ours.clock, ACCOUNT)
        access = {"client_id": "app", "client_secret": "secret"}
        source = a_source("withings", access, ours)
        beside = Beside("withings", nobody, ours, "", source, None, alone=True)  # type: ignore[arg-type]
        beside.reconciling = another(beside, provider_of=None, owner="me")
        try:
            yield beside
        finally:
            await beside.reconciling.stop()
