"""The routes of silences: orders that stay too long where they are, and how long that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from milepost.api.bodies import ListQuery
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.orders.silence import DEFAULTS, LONGEST, SHORTEST, Silence, SilenceKind
from milepost.ports.silence import SilenceFilter
from milepost.silence import ThresholdView

_SHORTEST_S, _LONGEST_S = int(SHORTEST.total_seconds()), int(LONGEST.total_seconds())

Span = Annotated[int, msgspec.Meta(ge=_SHORTEST_S, le=_LONGEST_S)]


class SilencesQuery(ListQuery, frozen=True, kw_only=True):
    """Which silences: of a kind, in a state, and those that go on (`true`) or have ended."""

    kind: SilenceKind | None = None
    state: State | None = None
    open: bool | None = None


class SilenceView(msgspec.Struct, frozen=True, gc=False):
    """An order of which nothing was heard for too long; `number` numbers those of an account.

    `since` is when it was heard of last, `after_s` the threshold that was over when it was raised;
    `lasted_s` is how long nothing was heard in all, null while it goes on.
    """

    number: int
    order_id: str
    store: str | None
    order_key: str | None
    kind: SilenceKind
    state: State
    since: datetime
    after_s: int
    raised_at: datetime
    ended_at: datetime | None
    ended_state: State | None
    lasted_s: int | None


class SilencesPage(msgspec.Struct, frozen=True):
    """A page of silences, newest first; `next` is the cursor of the next page, null at the end."""

    silences: list[SilenceView]
    next: str | None


class OwnThreshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a state may last, in seconds; null for ever."""

    state: State
    after_s: Span | None


class OwnThresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the account sets itself; every state that is not named has its default again."""

    thresholds: Annotated[list[OwnThreshold], msgspec.Meta(max_length=len(DEFAULTS))]


class Thresholds(msgspec.Struct, frozen=True):
    """Every threshold that counts for the account, with its default."""

    thresholds: list[ThresholdView]


def silence_view(silence: Silence) -> SilenceView:
    """What is shown of a silence."""
    ended_at = silence.ended_at
    lasted = None if ended_at is None else int((ended_at - silence.since_at).total_seconds())
    return SilenceView(
        number=silence.number,
        order_id=silence.order_id,
        store=silence.store,
        order_key=silence.order_key,
        kind=silence.kind,
        state=silence.state,
        since=silence.since_at,
        after_s=int(silence.after.total_seconds()),
        raised_at=silence.raised_at,
        ended_at=ended_at,
        ended_state=silence.ended_state,
        lasted_s=lasted,
    )


async def list_silences(call: Call[SilencesQuery, Nothing]) -> Answer:
    query = call.query
    wanted = SilenceFilter(query.kind, query.state, query.open)
    found, after = await call.hub.silences.silences(call.account_id, wanted=wanted, page=query.page)
    return Answer(SilencesPage([silence_view(silence) for silence in found], after))


async def show_thresholds(call: Call[Nothing, Nothing]) -> Answer:
    return _thresholds(await call.hub.silences.thresholds(call.account_id))


async def put_thresholds(call: Call[Nothing, OwnThresholds]) -> Answer:
    own: dict[State, timedelta | None] = {}
    for place, one in enumerate(call.body.thresholds):
        if one.state in own:
            raise InvalidInput(field=f"thresholds[{place}].state", expected="each state once")
        own[one.state] = None if one.after_s is None else timedelta(seconds=one.after_s)
    return _thresholds(await call.hub.silences.replace_thresholds(call.account_id, own))


def _thresholds(found: Sequence[ThresholdView]) -> Answer:
    return Answer(Thresholds(list(found)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/silences",
        act=list_silences,
        name="listSilences",
        summary="List orders of which nothing was heard for too long, newest first.",
        tag="attention",
        query=SilencesQuery,
        body=Nothing,
        answers={Status.OK: SilencesPage},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/silence/thresholds",
        act=show_thresholds,
        name="showSilenceThresholds",
        summary="Show how long each state may last before somebody should look.",
        tag="attention",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Thresholds},
    ),
    Route(
        method="PUT",
        path="/v1/silence/thresholds",
        act=put_thresholds,
        name="putSilenceThresholds",
        summary="Set how long states may last; those that are not named have their defaults.",
        tag="attention",
        query=Nothing,
        body=OwnThresholds,
        answers={Status.OK: Thresholds},
        problems=(InvalidInput,),
    ),
)
