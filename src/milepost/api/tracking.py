"""The routes of tracking: scans that carriers push, and how an order's parcels are watched."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from milepost.api.bodies import moment_of
from milepost.api.door import Answer, Call, Limit, Nothing, Route
from milepost.api.intake import FULL
from milepost.api.problems import Problem, Status, problem_of
from milepost.api.reading import read_json
from milepost.errors import InvalidInput, MilepostError, TooLarge, UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import Moment, Name, Text
from milepost.orders.tracking import Ending, Tracking
from milepost.ports import OrderRef
from milepost.scans import PushedScan, ScanResult

_SOME = msgspec.Meta(min_length=1, max_length=1_000)
_STATES = ", ".join(state for state in State if state in CARRIER)


class ScanBody(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A scan of a parcel, which is named by its tracking number.

    `state` is one that a carrier can tell of. It may be left out where `raw`, the carrier's own
    word, means something to the carrier source that `source` names. `scan_id` is the carrier's own
    id of the scan, where it has one: by it, or by all that it tells, a scan is known again.
    """

    tracking_number: Name
    occurred_at: Moment
    state: State | None = None
    raw: Text | None = None
    scan_id: Name | None = None
    carrier: Name | None = None
    carrier_service: Name | None = None
    source: Name = "carrier"

    def __post_init__(self) -> None:
        if self.state is None and self.raw is None:
            raise ValueError("state: expected a state, or the carrier's own word in raw")
        if self.state is not None and self.state not in CARRIER:
            raise ValueError(f"state: expected one of {_STATES}")


class ScanBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scans as they came, each to be read on its own."""

    scans: list[msgspec.Raw]


class ScanBatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 scans, decided on in this order."""

    scans: Annotated[list[ScanBody], _SOME]


class ScanItem(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What came of one scan, by its place in the request; a refused one has a `problem`."""

    index: int
    verdict: Verdict | None = None
    why: str = ""
    order_id: str | None = None
    parcel: str | None = None
    state: State | None = None
    problem: Problem | None = None


class ScanResults(msgspec.Struct, frozen=True):
    """What came of each scan, in the same order."""

    results: list[ScanItem]


class TrackingView(msgspec.Struct, frozen=True, gc=False):
    """How a parcel is watched: when its carrier was asked, when it is next, or why not any more.

    `since_at` is what its age is counted from. `failures` counts questions in vain since the last
    one that was answered, and `trouble` is what was wrong with the last one.
    """

    parcel: str
    since_at: datetime
    due_at: datetime | None
    asked_at: datetime | None
    asks: int
    failures: int
    returned_at: datetime | None
    ended: Ending | None
    trouble: str


class Trackings(msgspec.Struct, frozen=True):
    """The parcels of an order that are watched, or were."""

    trackings: list[TrackingView]


def tracking_view(tracking: Tracking) -> TrackingView:
    """What is shown of a watched parcel."""
    names = TrackingView.__struct_fields__
    return TrackingView(*(getattr(tracking, name) for name in names))


async def push_scans(call: Call[Nothing, ScanBatch]) -> Answer:
    hub = call.hub
    if not 1 <= len(call.body.scans) <= hub.settings.max_batch:
        raise InvalidInput(field="scans", expected=f"1 to {hub.settings.max_batch} of them")
    call.charge(len(call.body.scans))
    now = await hub.clocks.now(call.account_id)
    scans: list[PushedScan] = []
    items: list[ScanItem | None] = []
    for index, raw in enumerate(call.body.scans):
        try:
            scans.append(_read(raw, now=now, most=hub.settings.max_order_bytes))
            items.append(None)
        except MilepostError as error:
            items.append(ScanItem(index, problem=problem_of(error)))
    taken = iter(await hub.tracking.scans.push(call.account_id, scans))
    told = [_item(index, next(taken)) if i is None else i for index, i in enumerate(items)]
    return Answer(ScanResults(told))


def _read(raw: msgspec.Raw, *, now: datetime, most: int) -> PushedScan:
    if len(memoryview(raw)) > most:
        raise TooLarge(f"At most {most} bytes are taken of one item.")
    body = read_json(raw, shape=ScanBody)
    return PushedScan(
        tracking_number=body.tracking_number,
        occurred_at=moment_of(body.occurred_at, now=now),
        state=body.state,
        raw=body.raw,
        scan_id=body.scan_id,
        carrier=body.carrier,
        carrier_service=body.carrier_service,
        source=body.source,
    )


def _item(index: int, result: ScanResult) -> ScanItem:
    if not result.is_understood:
        expected = "a word that the source gives a meaning, or a state beside it"
        return ScanItem(index, problem=problem_of(InvalidInput(field="raw", expected=expected)))
    if result.verdict is None:
        return ScanItem(index, problem=problem_of(UnknownRecord()))
    order = result.order
    return ScanItem(
        index=index,
        verdict=result.verdict,
        why=result.why,
        order_id=None if order is None else order.order_id,
        parcel=result.parcel,
        state=None if order is None else order.state,
    )


async def list_trackings(call: Call[Nothing, Nothing]) -> Answer:
    order_id = call.path["order_id"]
    await call.hub.store.order(OrderRef(call.account_id, order_id=order_id))
    found = await call.hub.tracking.sources.trackings(call.account_id, order_id)
    return Answer(Trackings([tracking_view(tracking) for tracking in found]))


ROUTES = (
    Route(
        method="POST",
        path="/v1/scans",
        act=push_scans,
        name="pushScans",
        summary="Push up to 1,000 scans of parcels, with a verdict for each.",
        tag="updates",
        query=Nothing,
        body=ScanBatch,
        documented=ScanBatchBody,
        limit=Limit.BATCH,
        answers={Status.OK: ScanResults},
        problems=(InvalidInput, *FULL),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}/trackings",
        act=list_trackings,
        name="listTrackings",
        summary="Show how the order's parcels are watched.",
        tag="orders",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Trackings},
        problems=(UnknownRecord,),
    ),
)
