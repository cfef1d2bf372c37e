"""News of silences in the neutral envelope: how many orders, the first of them, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from milepost.delivery.health import Cause
from milepost.delivery.model import Body
from milepost.delivery.silence import SilenceEvent, SilenceType
from milepost.orders.lifecycle import State
from milepost.orders.silence import Silence, SilenceKind

WHAT_TO_DO: Mapping[SilenceType, str] = MappingProxyType(
    {
        SilenceType.SILENT: "Look at each in the list of what asks for a person, and ask its "
        "warehouse or carrier; whatever is told of an order ends its silence.",
        SilenceType.MOVED_AGAIN: "Nothing; it was heard of them again.",
    }
)
_WHY: Mapping[SilenceType, tuple[str, str]] = MappingProxyType(
    {
        SilenceType.SILENT: (
            "nothing was heard of 1 order for too long",
            "nothing was heard of {} orders for too long",
        ),
        SilenceType.MOVED_AGAIN: (
            "it was heard of 1 order that had been silent",
            "it was heard of {} orders that had been silent",
        ),
    }
)
_ENCODER = msgspec.json.Encoder()


class SilentOrderShown(msgspec.Struct, frozen=True, gc=False):
    """One of the orders: where it was silent since when, and where it is if it has moved again.

    `number` numbers the silences of an account; `after_s` is the threshold that was over.
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


class SilenceShown(msgspec.Struct, frozen=True, gc=False):
    """What was noticed; `sequence` numbers the events of this `subject` from 1.

    `count` is how many orders it is about, of which `orders` are the first; `since` is when the
    one of those was heard of last that has been silent for longest.
    """

    sequence: int
    subject: str
    cause: Cause
    why: str
    since: datetime | None
    count: int
    orders: list[SilentOrderShown]
    what_to_do: str


class SilenceEnvelope(msgspec.Struct, frozen=True, gc=False):
    """The body of such an event: type, timestamp, data."""

    type: SilenceType
    timestamp: datetime
    data: SilenceShown


def body(event: SilenceEvent, sequence: int) -> Body:
    """The envelope of the event with this number, every field always there and times in UTC."""
    return Body(_ENCODER.encode(envelope(event, sequence=sequence)))


def envelope(event: SilenceEvent, *, sequence: int) -> SilenceEnvelope:
    """The event with this number as it is sent."""
    one, several = _WHY[event.type]
    return SilenceEnvelope(
        type=event.type,
        timestamp=event.at.astimezone(UTC),
        data=SilenceShown(
            sequence=sequence,
            subject=event.subject,
            cause=Cause.RULE,
            why=one if event.count == 1 else several.format(event.count),
            since=_in_utc(event.since),
            count=event.count,
            orders=[_shown(silence) for silence in event.first],
            what_to_do=WHAT_TO_DO[event.type],
        ),
    )


def _shown(silence: Silence) -> SilentOrderShown:
    return SilentOrderShown(
        number=silence.number,
        order_id=silence.order_id,
        store=silence.store,
        order_key=silence.order_key,
        kind=silence.kind,
        state=silence.state,
        since=silence.since_at.astimezone(UTC),
        after_s=int(silence.after.total_seconds()),
        raised_at=silence.raised_at.astimezone(UTC),
        ended_at=_in_utc(silence.ended_at),
        ended_state=silence.ended_state,
    )


def _in_utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
