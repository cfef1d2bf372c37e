"""Resends, and what was told of an order, as rows and back, the same for every database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from milepost.delivery.model import Body
from milepost.errors import TooManyResends
from milepost.ports import Page
from milepost.ports.answers import Acknowledgement, Queued, QueuedPage, Told
from milepost.ports.resends import (
    Advance,
    Choice,
    Considered,
    OrderChange,
    Place,
    Resend,
    ResendState,
)
from milepost.store.compression import plain
from milepost.store.cursors import Number, next_cursor, read_cursor, write_cursor
from milepost.store.rows import Row, delivery_of, micros, micros_or_none, moment, moment_or_none

WITHOUT_ENDPOINT = "its endpoint was removed"

QUEUED_KEY = (7, 1, 3)
"""The columns of a delivery that sort what was queued for one endpoint."""

_json = msgspec.json.Encoder()
_read_choice = msgspec.json.Decoder(Choice)
_read_place = msgspec.json.Decoder(Place)


class AfterResend(NamedTuple):
    """The sort key of a list of resends."""

    after_resend: str


class AfterQueued(NamedTuple):
    """The sort key of what was queued for one endpoint."""

    after_created: Number
    after_order: str
    after_sequence: Number


class AfterUndelivered(NamedTuple):
    """The sort key of what was not delivered."""

    after_created: Number
    after_order: str
    after_sequence: Number
    after_endpoint: str


def resend_values(resend: Resend) -> dict[str, Any]:
    """The columns of a resend by their names."""
    return {
        "account_id": resend.account_id,
        "resend_id": resend.resend_id,
        "endpoint_id": resend.endpoint_id,
        "choice": choice_text(resend.choice),
        "asked_at": micros(resend.asked_at),
        "state": resend.state.value,
        "place": place_text(resend.place),
        "examined": resend.examined,
        "queued": resend.queued,
        "finished_at": micros_or_none(resend.finished_at),
        "why": resend.why,
    }


def resend_of(row: Row) -> Resend:
    return Resend(
        account_id=row[0],
        resend_id=row[1],
        endpoint_id=row[2],
        choice=_read_choice.decode(row[3]),
        asked_at=moment(row[4]),
        state=ResendState(row[5]),
        place=_read_place.decode(row[6]),
        examined=row[7],
        queued=row[8],
        finished_at=moment_or_none(row[9]),
        why=row[10],
    )


def choice_text(choice: Choice) -> str:
    """The same for the same choice, whoever asks."""
    return _json.encode(choice).decode()


def place_text(place: Place) -> str:
    return _json.encode(place).decode()


def named_alike(resend: Resend) -> dict[str, str]:
    """What two resends have in common of which only one may run."""
    return {
        "account_id": resend.account_id,
        "endpoint_id": resend.endpoint_id,
        "choice": choice_text(resend.choice),
    }


def check_number(running: int, *, most: int) -> None:
    """Raises TooManyResends."""
    if running >= most:
        raise TooManyResends(f"{running} run already.")


def advance_values(resend: Resend, advance: Advance, *, now: datetime) -> dict[str, Any]:
    """What the statement that notes a part takes."""
    return {
        "account_id": resend.account_id,
        "resend_id": resend.resend_id,
        "known_place": place_text(resend.place),
        "place": place_text(advance.place),
        "examined": advance.examined,
        "state": (ResendState.DONE if advance.ends else ResendState.RUNNING).value,
        "finished_at": micros(now) if advance.ends else None,
    }


def place_values(place: Place) -> dict[str, Any]:
    """What a page of failed deliveries goes on after."""
    return {
        "after_created": micros(place.at),
        "after_order": place.order_id,
        "after_sequence": place.sequence,
    }


def order_change_of(row: Row) -> OrderChange:
    return OrderChange(row[0], moment(row[1]), moment(row[2]))


def considered_of(row: Row) -> Considered:
    """A delivery, whether it has its body, and where they were read the times of its order."""
    times = row[15:17]
    known = bool(times) and times[0] is not None
    order = OrderChange(row[1], moment(times[0]), moment(times[1])) if known else None
    return Considered(delivery_of(row), bool(row[14]), order)


def after_values(cursor: str | None, *, shape: type[Any]) -> dict[str, Any]:
    """The sort key in a cursor by the names of its parts; none for the first page."""
    after = read_cursor(cursor, shape=shape)
    return {} if after is None else after._asdict()


def spans(reopened: Iterable[tuple[str, int]]) -> Mapping[str, tuple[int, int]]:
    """Of each order the first and the last sequence that was made pending."""
    found: dict[str, tuple[int, int]] = {}
    for order_id, sequence in reopened:
        first, last = found.get(order_id, (sequence, sequence))
        found[order_id] = (min(first, sequence), max(last, sequence))
    return found


def told_of_rows(rows: Sequence[Row], acknowledged: Sequence[Row]) -> list[Told]:
    """What each endpoint was told of an order: its newest with counts, and what it received."""
    received = {row[0]: Acknowledgement(row[1], row[2], moment(row[3])) for row in acknowledged}
    return [
        Told(
            newest=delivery_of(row),
            acknowledged=received.get(row[2]),
            pending=row[14],
            abandoned=row[15],
            superseded=row[16],
            waits_since=moment_or_none(row[17]),
        )
        for row in rows
    ]


def queued_after(page: Page, *, since: datetime) -> Mapping[str, Any]:
    """What a page of what was queued goes on after: its cursor, or the time."""
    after = read_cursor(page.after, shape=AfterQueued)
    return (after or AfterQueued(micros(since), "", 0))._asdict()


def queued_page_of(rows: Sequence[Row], *, page: Page, until: datetime) -> QueuedPage:
    """One row more was read than the page shows, if there is one."""
    shown, last = rows[: page.limit], micros(until)
    settled = [row for row in shown if row[QUEUED_KEY[0]] <= last]
    key = tuple(settled[-1][column] for column in QUEUED_KEY) if settled else None
    return QueuedPage(
        items=[Queued(delivery_of(row), _body_of(row)) for row in shown],
        following=next_cursor(rows, limit=page.limit, columns=QUEUED_KEY),
        settled=None if key is None else write_cursor(key),
    )


def _body_of(row: Row) -> Body | None:
    return None if row[15] is None else Body(plain(row[15]), row[14])
