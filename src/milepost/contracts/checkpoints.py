"""What the rooms of tracking aggregators share: a body's own HMAC, and checkpoints as updates."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from milepost.contracts.incoming import Message, MessageKind, Read
from milepost.contracts.proving import LONGEST_WORD, name, reader_of, unmapped
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost_receiver import Notification, Receiver, SignatureInvalid, SignatureMissing
from milepost_receiver.body import Json, ReadOnly, read_json
from milepost_receiver.errors import HeaderMalformed
from milepost_receiver.notification import DeliveryFacts

MOST_CHECKPOINTS = 100
"""Of the checkpoints of one message so many are read, the latest."""

FIRST_YEAR, LAST_YEAR = 1990, 2100
_JSON = "application/json"


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """A scan as an aggregator tells it, in its word; `at` is None where no time can be read."""

    word: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked(Notification):
    """A message of an aggregator, proved and not read yet."""

    body: ReadOnly = field(repr=False, hash=False)


class BodyHmac:
    """HMAC-SHA256 over the raw body in one header; any of several keys will do.

    A room says which header it is, and how the digest is written there.
    """

    __slots__ = ("_keys",)
    headers: ClassVar[frozenset[str]]
    written: Callable[[bytes], str]

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = tuple(keys)

    def check(self, headers: Mapping[str, str], *, body: bytes) -> None:
        (name,) = self.headers
        given = headers.get(name, "")
        if not given:
            raise SignatureMissing(name)
        made = [self.written(hmac.digest(key, body, "sha256")).encode() for key in self._keys]
        # A list, not a generator: every key is tried, wherever a match is.
        if not any([hmac.compare_digest(given.encode(), one) for one in made]):  # noqa: C419
            raise SignatureInvalid(name)


def tracking_reader(room: str, *, proof: BodyHmac, tell: Callable[[Tracked], Message]) -> Read:
    """Proves and reads the messages of one aggregator."""
    return reader_of(lambda: Receiver(room, proofs=[proof], parse=_parse), tell)


def _parse(headers: Mapping[str, str], *, facts: DeliveryFacts) -> Tracked:
    media_type = headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if media_type != _JSON:
        raise HeaderMalformed("content-type", expected=_JSON)
    return Tracked(**facts, known=True, body=read_json(facts["received"]))


def text_of(body: Mapping[str, Json], field_name: str) -> str | None:
    """A text that is there and not empty; what has another type says nothing."""
    value = body.get(field_name)
    return value if isinstance(value, str) and value else None


def moment_of(body: Mapping[str, Json], field_name: str) -> datetime | None:
    """A time with an offset, in UTC; one without an offset could be anywhere and says nothing."""
    try:
        told = datetime.fromisoformat(text_of(body, field_name) or "")
        moment = told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    usual = told.tzinfo is not None and FIRST_YEAR <= moment.year < LAST_YEAR
    return moment if usual else None


def objects_of(body: Mapping[str, Json], field_name: str) -> tuple[ReadOnly, ...]:
    """The objects of a list; what else is in it says nothing."""
    values = body.get(field_name)
    if not isinstance(values, tuple):
        return ()
    return tuple(value for value in values if isinstance(value, ReadOnly))


def message_of(
    checkpoints: Iterable[Checkpoint],
    *,
    now: Checkpoint | None,
    meanings: Mapping[str, State | None],
    message_id: str | None,
    tracking_number: str | None,
) -> Message:
    """The scans of a parcel as updates in the order of their times, and where it is now.

    `meanings` are the states of the published words, None for those that say nothing of where a
    parcel is. Where it is now is told by itself where the last scan does not say the same.
    """
    timed = sorted((c for c in checkpoints if c.at is not None), key=_time_of)
    told = timed[-MOST_CHECKPOINTS:]
    if now is not None and (not told or meanings.get(told[-1].word) is not meanings.get(now.word)):
        at = max((c.at for c in (now, *told) if c.at is not None), default=None)
        told.append(Checkpoint(now.word, at))
    number = name("tracking_number", tracking_number)
    known = [(c, state) for c in told if (state := meanings.get(c.word)) is not None]
    strange = dict.fromkeys(c.word for c in told if c.word not in meanings)
    return Message(
        MessageKind.TRACKING,
        message_id=name("id", message_id),
        tracking_number=number,
        word=(now.word if now else "")[:LONGEST_WORD],
        updates=tuple(
            Update(
                source="",
                state=state,
                occurred_at=checkpoint.at,
                raw=checkpoint.word,
                tracking_number=number,
                current=True,
                past=place < len(known),
            )
            for place, (checkpoint, state) in enumerate(known, start=1)
        ),
        unmapped=tuple(line for word in strange for line in unmapped("status", word)),
    )


def _time_of(checkpoint: Checkpoint) -> datetime:
    return checkpoint.at or datetime.min.replace(tzinfo=UTC)
