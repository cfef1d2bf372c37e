"""A hub on a real SQLite file; the receiver is a function and the clock is an argument."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from milepost.delivery.model import DeliveryState, Endpoint, Reply, Request
from milepost.intake import OrderInput, UpdateInput, UpdateResult
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import OrderContent
from milepost.ports import Account, OrderRef
from milepost.rules import EndpointInput
from milepost.settings import Settings
from milepost.wiring import Hub, build

ACCOUNT = "acc_test"
PENDING = DeliveryState.PENDING
START = datetime(2026, 11, 23, 8, tzinfo=UTC)

Answer = Callable[[Request], Reply | None]


@dataclass
class Clock:
    """The time, which moves only when told to."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Outside:
    """Where requests go: each is remembered and answered by `answer`; None hangs for ever."""

    answer: Answer = lambda _request: Reply(204)
    requests: list[Request] = field(default_factory=list)
    hanging: list[Callable[[Reply], None]] = field(default_factory=list)

    def post(self, request: Request, done: Callable[[Reply], None]) -> None:
        self.requests.append(request)
        reply = self.answer(request)
        if reply is None:
            self.hanging.append(done)
        else:
            asyncio.get_running_loop().call_soon(done, reply)

    def header(self, name: str) -> list[str]:
        """What each request said under this header, in the order they were sent."""
        return [dict(r.headers)[name] for r in self.requests]


@dataclass
class House:
    """The hub, what is outside of it, and short ways to say the usual things."""

    hub: Hub
    outside: Outside
    clock: Clock

    async def endpoint(self, contract: str = "standard", **given: object) -> Endpoint:
        given = {"schedule": "rehearsal", **given}
        for part in ("options", "credentials"):
            if part in given:
                given[part] = msgspec.Raw(msgspec.json.encode(given[part]))
        wanted = EndpointInput(contract, "https://receiver.example/notify", **given)  # type: ignore[arg-type]
        return await self.hub.operations.add_endpoint(ACCOUNT, wanted)

    async def order(self, key: str, **content: object) -> str:
        told = OrderInput("main", key, OrderContent(**content))  # type: ignore[arg-type]
        result = (await self.hub.intake.orders(ACCOUNT, [told]))[0]
        assert result.order is not None
        return result.order.order_id

    async def update(self, key: str, state: State, **facts: object) -> UpdateResult:
        update = Update("test", state, trusted=True, **facts)  # type: ignore[arg-type]
        told = UpdateInput(OrderRef(ACCOUNT, store="main", order_key=key), update)
        return (await self.hub.intake.updates(ACCOUNT, [told]))[0]

    async def live(self, key: str, states: Sequence[State]) -> None:
        for state in states:
            self.clock.forward(seconds=1)
            await self.update(key, state)

    async def quiet(self) -> None:
        """Waits until nothing is on the wire and everything that came back is settled."""
        for _ in range(200):
            await asyncio.sleep(0.005)
            counts = await self.hub.store.counts(ACCOUNT)
            if not self.hub.dispatcher.on_wire and not counts.deliveries[PENDING]:
                return
        raise AssertionError("deliveries are still pending after a second")

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1_000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it did not come about within five seconds")


@asynccontextmanager
async def house(folder: Path, *, dispatch: bool = True, **settings: object) -> AsyncIterator[House]:
    """A house with one account and one store, called main."""
    clock, outside = Clock(), Outside()
    given = {"database_url": f"sqlite:///{folder / 'test.db'}", "poll_s": 0.02, **settings}
    hub = build(Settings(**given), post=outside.post, clock=clock)  # type: ignore[arg-type]
    await hub.open(dispatch=dispatch)
    try:
        accounts = await hub.store.accounts()
        if not accounts:
            await hub.store.add_account(Account(ACCOUNT, "test", START))
            await hub.store.put_store(ACCOUNT, "main", name="Main", number=None, now=START)
        yield House(hub, outside, clock)
    finally:
        await hub.close()
