"""The notifications of lives, as the very requests that the hub would make; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import msgspec

from milepost import __version__
from milepost.contracts import ROOMS, Contract
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Claimed, Endpoint, NewDelivery, Request
from milepost.delivery.signature import common_headers
from milepost.rehearsal.chance import short_name
from milepost.rehearsal.lives import ACCOUNT_ID, Life, store_of

USER_AGENT = f"Milepost/{__version__}"


class Send(msgspec.Struct, frozen=True, gc=False):
    """A notification that is due: when, the order's key, the contract's word, and what is sent."""

    at: datetime
    order_key: str
    status: str
    claimed: Claimed

    @property
    def lane(self) -> str:
        """What it may not overtake: the other notifications of its order."""
        return self.claimed.order_id

    @property
    def name(self) -> str:
        """The id that every attempt of it carries."""
        return self.claimed.delivery_id


def endpoint_at(
    url: str,
    *,
    room: Contract,
    seed: int,
    start: datetime,
    secrets: tuple[str, ...],
    credentials: bytes = b"{}",
    options: bytes = b"{}",
    timeout_s: float | None = None,
) -> Endpoint:
    """The endpoint that a rehearsal sends to, with an id of the seed's."""
    return Endpoint(
        account_id=ACCOUNT_ID,
        endpoint_id=f"ep_{short_name(seed, 'endpoint', room.name)}",
        contract=room.name,
        url=url,
        schedule=room.schedules[0].name,
        created_at=start,
        updated_at=start,
        timeout_s=room.timeout_s if timeout_s is None else timeout_s,
        options=options,
        credentials=credentials,
        secrets=secrets,
    )


def sends_of(lived: Sequence[Life], *, endpoint: Endpoint, start: datetime) -> list[Send]:
    """What the endpoint is told of these lives, in the order in which it happens."""
    told = chain.from_iterable(_sends_of(life, endpoint=endpoint, start=start) for life in lived)
    return sorted(told, key=lambda send: (send.at, send.order_key, send.claimed.sequence))


def _sends_of(life: Life, *, endpoint: Endpoint, start: datetime) -> list[Send]:
    sends: list[Send] = []
    previous = 0
    for happening in life.happenings:
        for delivery in fan_out(
            happening.event,
            before=happening.before,
            after=happening.after,
            store=store_of(start),
            endpoints=(endpoint,),
            rooms=ROOMS,
            lease=lambda _endpoint: False,
        ):
            claimed = claimed_first(delivery, previous=previous)
            sends.append(Send(happening.at, happening.after.order_key, delivery.status, claimed))
            previous = delivery.sequence
    return sends


def claimed_first(delivery: NewDelivery, *, previous: int) -> Claimed:
    """A delivery that is about to be sent for the first time."""
    return Claimed(
        endpoint=delivery.endpoint,
        order_id=delivery.order_id,
        sequence=delivery.sequence,
        previous=previous,
        attempts=0,
        tries=0,
        replay=0,
        body=delivery.body,
    )


def request_of(claimed: Claimed, *, attempt: int, timestamp: int) -> Request:
    """The request of this attempt, signed at this time in seconds since the epoch."""
    claimed = msgspec.structs.replace(claimed, attempts=attempt - 1)
    endpoint = claimed.endpoint
    common = common_headers(claimed, timestamp=timestamp, user_agent=USER_AGENT)
    return Request(
        url=endpoint.url,
        headers=(*common, *ROOMS[endpoint.contract].headers(claimed)),
        body=claimed.body.content,
        timeout_s=endpoint.timeout_s,
    )


OF_THE_CLOCK = frozenset(("webhook-timestamp", "webhook-signature"))
"""The headers that follow the real clock, as every receiver's proof of time needs it."""


def written(request: Request, *, frozen: bool) -> bytes:
    """The request as a text that is the same for the same seed.

    What follows the real clock is left out unless the clock of the rehearsal is `frozen`.
    """
    lines = [f"POST {request.url}"]
    for name, value in request.headers:
        shown = value if frozen or name not in OF_THE_CLOCK else "(when it is sent)"
        lines.append(f"{name}: {shown}")
    return "\n".join(lines).encode() + b"\n\n" + request.body
