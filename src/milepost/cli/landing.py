"""What a local receiver makes of one request: verified, decoded, and told in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from rich.text import Text

from milepost.cli.output import local, plain
from milepost_receiver import (
    Arrival,
    Gaps,
    HeaderSource,
    MemorySeen,
    Notification,
    OperationalNotification,
    Receiver,
    ReceiverError,
    ShipMonkNotification,
    ShipMonkOther,
    StandardNotification,
    WithingsNotification,
)

ACCEPTED = 204
FAILED_ON_PURPOSE = 500


class Words(NamedTuple):
    """What a notification says of its order."""

    order: str | None
    status: str | None
    replaces: str | None = None
    type: str | None = None


class Landing(msgspec.Struct, frozen=True):
    """One request to a local receiver, what it brought and how it was answered.

    `order` is the natural key as the contract writes it, `replaces` that of the order it replaces,
    and `status` the contract's word. `arrival` is the receiver kit's; it is None where nothing was
    accepted. `problem` is what the kit refused; what nobody signed is accepted without being
    verified.
    """

    at: datetime
    contract: str
    answered: int
    verified: bool
    problem: str | None = None
    type: str | None = None
    status: str | None = None
    order: str | None = None
    replaces: str | None = None
    order_id: str | None = None
    delivery_id: str | None = None
    sequence: int | None = None
    previous: int | None = None
    attempt: int | None = None
    replay: int | None = None
    duplicate: bool = False
    arrival: str | None = None
    known: bool = True

    @property
    def accepted(self) -> bool:
        """Whether it was answered as received."""
        return self.answered == ACCEPTED


class Landings:
    """Verifies what arrives with the receiver kit and answers for it.

    The first `fail` requests that verify are answered 500, as a receiver in trouble would.
    """

    def __init__(
        self,
        receiver: Receiver[Notification],
        *,
        contract: str,
        fail: int = 0,
        signed: bool = True,
    ) -> None:
        self._receiver = receiver
        self._contract = contract
        self._fail = fail
        self._signed = signed
        self._seen = MemorySeen()
        self._gaps = Gaps()

    def land(self, headers: HeaderSource, body: bytes) -> Landing:
        """What came of one request; raises nothing, whatever arrives."""
        at = datetime.now(UTC)
        try:
            notification = self._receiver.read(headers, body)
        except ReceiverError as error:
            return Landing(
                at, self._contract, error.http_status, verified=False, problem=str(error)
            )
        if self._fail > 0:
            self._fail -= 1
            return self._told(notification, at=at, answered=FAILED_ON_PURPOSE)
        named = notification.delivery_id is not None
        duplicate = named and not self._seen.first_time(notification.delivery_id)
        # A repeat says nothing of order: its first delivery was judged already.
        arrival = Arrival.DUPLICATE if duplicate else self._gaps.check(notification)
        return self._told(
            notification, at=at, answered=ACCEPTED, duplicate=duplicate, arrival=arrival
        )

    def _told(
        self,
        notification: Notification,
        *,
        at: datetime,
        answered: int,
        duplicate: bool = False,
        arrival: Arrival | None = None,
    ) -> Landing:
        words = words_of(notification)
        return Landing(
            at,
            self._contract,
            answered,
            verified=self._signed,
            type=words.type,
            status=words.status,
            order=words.order,
            replaces=words.replaces,
            order_id=notification.order_id,
            delivery_id=notification.delivery_id,
            sequence=notification.sequence,
            previous=notification.previous,
            attempt=notification.attempt,
            replay=notification.replay,
            duplicate=duplicate,
            arrival=None if arrival is None else arrival.value,
            known=notification.known,
        )


def words_of(notification: Notification) -> Words:
    """What a notification says of its order, in the contract's own words."""
    match notification:
        case WithingsNotification():
            said = (notification.status, notification.parcel_status)
            status = " / ".join(word for word in said if word)
            return Words(notification.customer_ref, status, notification.original_customer_ref)
        case ShipMonkNotification():
            return Words(notification.order_key, notification.processing_status)
        case ShipMonkOther():
            return Words(None, notification.kind, type=notification.kind)
        case StandardNotification():
            order = notification.order
            return Words(order.order_key, order.state, order.replacement_for, notification.type)
        case OperationalNotification():
            return Words(notification.endpoint_id, notification.type, type=notification.type)
        case _:
            return Words(None, None)


def line_of(landing: Landing, *, with_type: bool = False) -> Text:
    """A request in one line: when, what, of which order, which attempt, and what it was worth."""
    line = Text()
    line.append(local(landing.at)[11:19], style="dim")
    line.append(f" {landing.contract:<8} ")
    if landing.problem is not None:
        line.append(f"refused {landing.answered}: {plain(landing.problem)}", style="red")
        return line
    # An order key or status may be anything; the columns after it stay where they are.
    line.append(f"{_cut(landing.order, 16):<16} ")
    line.append(f"{_cut(landing.status, 27):<27} ", style="bold")
    line.append(f"#{landing.sequence if landing.sequence is not None else '?':<3} ")
    line.append(f"attempt {landing.attempt if landing.attempt is not None else '?':<3}")
    if landing.verified:
        line.append("verified", style="green")
    else:
        line.append("unsigned", style="yellow")
    for word, style in _remarks(landing, with_type=with_type):
        line.append(f", {word}", style=style)
    return line


def _cut(text: str | None, width: int) -> str:
    shown = plain(text or "–").replace("\n", "·")
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _remarks(landing: Landing, *, with_type: bool) -> list[tuple[str, str]]:
    remarks = []
    if with_type and landing.type is not None:
        remarks.append((plain(landing.type), ""))
    if not landing.accepted:
        remarks.append((f"answered {landing.answered} as asked", "yellow"))
    if landing.replay:
        remarks.append((f"replay {landing.replay}", "cyan"))
    if landing.arrival not in (None, "in_order"):
        remarks.append((str(landing.arrival).replace("_", " "), "yellow"))
    if not landing.known:
        remarks.append(("not a published status", "yellow"))
    return remarks
