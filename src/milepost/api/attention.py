"""The routes of what asks for a person: the list, and putting things of it aside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from milepost.api.bodies import ListQuery
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.attention import MOST_DISMISSED_AT_ONCE, Kind, Matter
from milepost.errors import InvalidInput
from milepost.orders.model import Moment, Name

Items = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=MOST_DISMISSED_AT_ONCE)]
Kinds = Annotated[tuple[Kind, ...], msgspec.Meta(min_length=1, max_length=len(Kind))]


class AttentionQuery(ListQuery, frozen=True, kw_only=True):
    """Which of what asks for a person."""

    kind: Kind | None = None


class Dismissal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is put aside: `items` by their attention id, or all of some `kinds`.

    Of `kinds` that is whatever began by `until`, which is now when it is left out.
    """

    items: Items | None = None
    kinds: Kinds | None = None
    until: Moment | None = None


class MattersPage(msgspec.Struct, frozen=True):
    """A page of what asks for a person; `next` is the cursor of the next page, null at the end."""

    matters: list[Matter]
    next: str | None


class Dismissed(msgspec.Struct, frozen=True):
    """How many were put aside by their id, or until when all of the kinds that were named."""

    items: int
    kinds: list[Kind]
    until: datetime | None


async def list_attention(call: Call[AttentionQuery, Nothing]) -> Answer:
    kinds = tuple(Kind) if call.query.kind is None else (call.query.kind,)
    found, after = await call.hub.attention.matters(
        call.account_id, kinds=kinds, page=call.query.page
    )
    return Answer(MattersPage(list(found), after))


async def dismiss(call: Call[Nothing, Dismissal]) -> Answer:
    wanted, attention = call.body, call.hub.attention
    if (wanted.items is None) == (wanted.kinds is None):
        raise InvalidInput(field="", expected="either items or kinds")
    if wanted.kinds is not None:
        until = None if wanted.until is None else wanted.until.astimezone(UTC)
        at = await attention.dismiss_kinds(call.account_id, wanted.kinds, until=until)
        return Answer(Dismissed(0, list(wanted.kinds), at))
    if wanted.until is not None:
        raise InvalidInput(field="until", expected="nothing beside items")
    return Answer(Dismissed(await attention.dismiss(call.account_id, wanted.items or ()), [], None))


ROUTES = (
    Route(
        method="GET",
        path="/v1/attention",
        act=list_attention,
        name="listAttention",
        summary="List what asks for a person, each with what can be done.",
        tag="attention",
        query=AttentionQuery,
        body=Nothing,
        answers={Status.OK: MattersPage},
        problems=(InvalidInput,),
    ),
    Route(
        method="POST",
        path="/v1/attention/dismiss",
        act=dismiss,
        name="dismissAttention",
        summary="Put things aside; one comes back when its reason begins anew.",
        tag="attention",
        query=Nothing,
        body=Dismissal,
        answers={Status.OK: Dismissed},
        problems=(InvalidInput,),
    ),
)
