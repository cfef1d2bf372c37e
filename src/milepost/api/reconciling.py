"""The routes by which orders are compared with their provider's, and what differs is read."""

from __future__ import annotations

from datetime import datetime

import msgspec

from milepost.api.bodies import ListQuery, in_utc
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.contracts.comparison import Kind
from milepost.errors import InvalidInput, ReconciliationRuns, UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.model import Moment, Name
from milepost.ports.reconciling import (
    ChangedSince,
    Choice,
    Everything,
    Found,
    OneOrder,
    Reconciliation,
    RunState,
)


class ReconcileBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders are compared: the open ones the source has been quiet of, unless others are.

    `all` are those that have ended too, `changed_since` those that have changed here since then,
    `order_id` is one alone. A dry run lists what differs and changes nothing.
    """

    all: bool = False
    changed_since: Moment | None = None
    order_id: Name | None = None
    dry_run: bool = False

    @property
    def choice(self) -> Choice | None:
        """What was chosen; None for the usual. Raises InvalidInput for more than one."""
        chosen: list[Choice] = []
        if self.all:
            chosen.append(Everything())
        if self.changed_since is not None:
            chosen.append(ChangedSince(in_utc("changed_since", self.changed_since)))
        if self.order_id is not None:
            chosen.append(OneOrder(self.order_id))
        if len(chosen) > 1:
            expected = "at most one of all, changed_since and order_id"
            raise InvalidInput(field="", expected=expected)
        return chosen[0] if chosen else None


class ReconciliationsQuery(ListQuery, frozen=True, kw_only=True):
    """Which reconciliations: those of a source."""

    source: Name | None = None


class DifferenceView(msgspec.Struct, frozen=True, gc=False):
    """In what an order of ours differs from the provider's; each in the provider's words.

    `verdict` is what was decided of the update that mends it, null where none was told: nothing
    can mend it, or it was a dry run. `parcel` is the tracking number that it is about.
    """

    kind: Kind
    order_id: str | None
    store: str
    order_key: str
    parcel: str
    ours: str
    theirs: str
    verdict: Verdict | None
    why: str


class ReconciliationView(msgspec.Struct, frozen=True, gc=False):
    """A comparison with a source's provider, and how far it has come.

    `total` is how many orders the source's stores had when it began, `examined` how many of them it
    has passed, `asked` how many the provider was asked for. `differences` counts what differed,
    `applied` what was mended. `why` says what keeps it waiting, or why it ended.
    """

    reconciliation_id: str
    source: str
    choice: Choice
    dry_run: bool
    state: RunState
    asked_at: datetime
    due_at: datetime
    finished_at: datetime | None
    total: int
    examined: int
    asked: int
    differences: int
    applied: int
    failures: int
    why: str


class ReconciliationsPage(msgspec.Struct, frozen=True):
    """A page of reconciliations, newest first; `next` is the next page's cursor, null at last."""

    reconciliations: list[ReconciliationView]
    next: str | None


class ReconciliationPage(msgspec.Struct, frozen=True):
    """A reconciliation and a page of what differed, by order; `next` is the next page's cursor."""

    reconciliation: ReconciliationView
    differences: list[DifferenceView]
    next: str | None


def run_view(run: Reconciliation) -> ReconciliationView:
    """What is shown of a run."""
    names = ReconciliationView.__struct_fields__[1:]
    return ReconciliationView(run.run_id, *(getattr(run, name) for name in names))


def difference_view(found: Found) -> DifferenceView:
    """What is shown of a difference."""
    names = DifferenceView.__struct_fields__
    return DifferenceView(*(getattr(found, name) for name in names))


async def reconcile(call: Call[Nothing, ReconcileBody]) -> Answer:
    begun = await call.hub.comparisons.runs.begin(
        call.account_id,
        call.path["source"],
        choice=call.body.choice,
        dry_run=call.body.dry_run,
    )
    return Answer(run_view(begun), Status.ACCEPTED)


async def list_reconciliations(call: Call[ReconciliationsQuery, Nothing]) -> Answer:
    found, after = await call.hub.comparisons.runs.list(
        call.account_id, source=call.query.source, page=call.query.page
    )
    return Answer(ReconciliationsPage([run_view(run) for run in found], after))


async def get_reconciliation(call: Call[ListQuery, Nothing]) -> Answer:
    name = call.path["reconciliation_id"]
    run = await call.hub.comparisons.runs.find(call.account_id, name)
    found, after = await call.hub.comparisons.runs.differences(
        call.account_id, name, page=call.query.page
    )
    views = [difference_view(one) for one in found]
    return Answer(ReconciliationPage(run_view(run), views, after))


async def stop_reconciliation(call: Call[Nothing, Nothing]) -> Answer:
    name = call.path["reconciliation_id"]
    return Answer(run_view(await call.hub.comparisons.runs.stop_run(call.account_id, name)))


ROUTES = (
    Route(
        method="POST",
        path="/v1/sources/{source}/reconcile",
        act=reconcile,
        name="reconcileSource",
        summary="Compare a source's orders with its provider's, and mend what differs.",
        tag="updates",
        query=Nothing,
        body=ReconcileBody,
        answers={Status.ACCEPTED: ReconciliationView},
        problems=(UnknownRecord, InvalidInput, ReconciliationRuns),
    ),
    Route(
        method="GET",
        path="/v1/reconciliations",
        act=list_reconciliations,
        name="listReconciliations",
        summary="List comparisons with providers, newest first.",
        tag="updates",
        query=ReconciliationsQuery,
        body=Nothing,
        answers={Status.OK: ReconciliationsPage},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/reconciliations/{reconciliation_id}",
        act=get_reconciliation,
        name="getReconciliation",
        summary="Read how far a comparison is, and a page of what differed.",
        tag="updates",
        query=ListQuery,
        body=Nothing,
        answers={Status.OK: ReconciliationPage},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="POST",
        path="/v1/reconciliations/{reconciliation_id}/stop",
        act=stop_reconciliation,
        name="stopReconciliation",
        summary="End a comparison; what it has mended stays mended.",
        tag="updates",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ReconciliationView},
        problems=(UnknownRecord,),
    ),
)
