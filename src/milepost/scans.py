"""Scans that carriers push: found by their tracking number, decided on like every update."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.carriers import Desk, desk_of
from milepost.intake import UpdateInput, UpdateResult
from milepost.metrics import Metrics
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import CARRIER, ENDS, State
from milepost.orders.model import Order, Parcel
from milepost.orders.tracking import Scan, state_beside, update_of
from milepost.ports import OrderRef
from milepost.ports.tracking import TrackingStore

Updates = Callable[[str, Sequence[UpdateInput]], Awaitable[Sequence[UpdateResult]]]
"""Intake's way to decide on updates of an account; may raise MilepostError."""

Desks = Callable[[], Awaitable[Mapping[str, Sequence[Desk]]]]
"""The carrier sources of every account."""

_ON_THE_WAY = CARRIER - ENDS
_NOTHING_NEW = "it is known already"
_ON_THE_WAY_BACK = "the parcel is on its way back: this station says nothing new"


class PushedScan(msgspec.Struct, frozen=True, gc=False):
    """A scan as it is pushed: of which parcel, and by whom.

    `state` may be left out where `source` names a carrier source that knows the word in `raw`.
    """

    tracking_number: str
    occurred_at: datetime
    state: State | None = None
    raw: str | None = None
    scan_id: str | None = None
    carrier: str | None = None
    carrier_service: str | None = None
    source: str = "carrier"


class ScanResult(msgspec.Struct, frozen=True, gc=False):
    """What came of one pushed scan; no verdict means that no parcel has this tracking number.

    `is_understood` is false where nothing is known of what its word means.
    """

    verdict: Verdict | None = None
    why: str = ""
    order: Order | None = None
    parcel: str | None = None
    is_understood: bool = True


class ScannedOrders(TrackingStore, Protocol):
    """What pushed scans need of the store."""

    async def find_orders(self, account_id: str, text: str) -> Sequence[Order]:
        """At most 50 orders with this order id, order key, order number or tracking number."""


class Scans:
    """Takes pushed scans; what a result speaks of is on disk."""

    def __init__(
        self, store: ScannedOrders, *, updates: Updates, desks: Desks, metrics: Metrics
    ) -> None:
        self._store = store
        self._updates = updates
        self._desks = desks
        self._metrics = metrics

    async def push(self, account_id: str, scans: Sequence[PushedScan]) -> Sequence[ScanResult]:
        """Decides on these in their order; a result for each, the first parcel's where several.

        Raises what intake raises, with nothing taken.
        """
        desks = (await self._desks()).get(account_id, ())
        taking = _Taking(self._store, account_id)
        for scan in scans:
            await taking.enter(scan, state=_meaning(scan, desks))
        results = await self._updates(account_id, taking.inputs) if taking.inputs else ()
        for result in results:
            self._metrics.scans.add(result.verdict)
        for (order_id, parcel), taken in taking.taken.items():
            await self._store.note_scans(account_id, order_id, parcel, scans=taken)
        return taking.results(results)


def _meaning(scan: PushedScan, desks: Sequence[Desk]) -> State | None:
    if scan.state is not None or scan.raw is None:
        return scan.state
    named = next((desk for desk in desks if desk.source.source == scan.source), None)
    desk = named or desk_of(desks, scan.carrier)
    return desk.carrier.meaning(scan.raw) if desk else None


class _Taking:
    """Pushed scans while it is found out what they speak of."""

    def __init__(self, store: ScannedOrders, account_id: str) -> None:
        self._store = store
        self._account_id = account_id
        self._found: dict[str, Sequence[tuple[Order, Parcel]]] = {}
        self._seen: dict[str, Mapping[str, tuple[str, ...]]] = {}
        self._states: dict[tuple[str, str], State | None] = {}
        self._answers: list[list[ScanResult | int]] = []
        self._parcels: list[str] = []
        self.inputs: list[UpdateInput] = []
        self.taken: dict[tuple[str, str], list[Scan]] = {}

    async def enter(self, told: PushedScan, *, state: State | None) -> None:
        answers: list[ScanResult | int] = []
        self._answers.append(answers)
        if state is None:
            answers.append(ScanResult(is_understood=False))
            return
        scan = Scan(
            told.occurred_at,
            state,
            raw=told.raw or "",
            scan_id=told.scan_id,
            carrier_service=told.carrier_service,
        )
        for order, parcel in await self._spoken_of(told):
            answers.append(await self._enter(scan, order, parcel, source=told.source))

    async def _enter(
        self, scan: Scan, order: Order, parcel: Parcel, *, source: str
    ) -> ScanResult | int:
        """The place of its update among the inputs, or what came of it without one."""
        name = (order.order_id, parcel.parcel)
        here = self._states.setdefault(name, parcel.state)
        if scan.key in await self._keys(*name):
            return ScanResult(Verdict.DUPLICATE, _NOTHING_NEW, order, parcel.parcel)
        self.taken.setdefault(name, []).append(scan)
        target = scan.state and state_beside(scan.state, here)
        if target is None:
            return ScanResult(Verdict.DUPLICATE, _ON_THE_WAY_BACK, order, parcel.parcel)
        self._states[name] = target
        update = update_of(scan, target, parcel=parcel.parcel, source=source)
        self.inputs.append(UpdateInput(OrderRef(self._account_id, order.order_id), update))
        self._parcels.append(parcel.parcel)
        return len(self.inputs) - 1

    async def _keys(self, order_id: str, parcel: str) -> tuple[str, ...]:
        if order_id not in self._seen:
            trackings = await self._store.trackings(self._account_id, order_id)
            self._seen[order_id] = {one.parcel: one.scans for one in trackings}
        return self._seen[order_id].get(parcel, ())

    async def _spoken_of(self, told: PushedScan) -> Sequence[tuple[Order, Parcel]]:
        """The parcels with this number that are on their way; where none is, all of them.

        Carriers give a number again to another parcel, when the first has long arrived.
        """
        number = told.tracking_number
        if number not in self._found:
            orders = await self._store.find_orders(self._account_id, number)
            pairs = ((o, p) for o in orders for p in o.parcels if p.tracking_number == number)
            self._found[number] = list(pairs)
        found = [pair for pair in self._found[number] if _may_be(pair[1], told.carrier)]
        return [pair for pair in found if pair[1].state in _ON_THE_WAY] or found

    def results(self, results: Sequence[UpdateResult]) -> Sequence[ScanResult]:
        """What came of each scan, given what came of the inputs."""

        def told(answer: ScanResult | int) -> ScanResult:
            if isinstance(answer, ScanResult):
                return answer
            result = results[answer]
            return ScanResult(result.verdict, result.why, result.order, self._parcels[answer])

        return [told(answers[0]) if answers else ScanResult() for answers in self._answers]


def _may_be(parcel: Parcel, carrier: str | None) -> bool:
    if carrier is None or parcel.carrier is None:
        return True
    return parcel.carrier.casefold() == carrier.casefold()
