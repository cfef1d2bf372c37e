"""Endpoints, deliveries, attempts, and one HTTP exchange as data."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

import msgspec

ENDPOINT_TEST = "tst_"
"""The prefix of the order id under which a test notification is sent."""

OPERATIONS = "ops_"
"""The prefix of the order id under which operational events are sent; an endpoint's id follows."""


class EndpointState(StrEnum):
    """Whether deliveries of an endpoint are sent; while it is paused they are parked."""

    ACTIVE = "active"
    PAUSED = "paused"


class LanePolicy(StrEnum):
    """What happens to a lane when its head is given up: the next goes on, or the lane waits."""

    GO_ON = "go_on"
    HOLD = "hold"


class BacklogPolicy(StrEnum):
    """What a lane sends of what waits in it: every step, or only the latest and what was begun."""

    EVERY_STEP = "every_step"
    LATEST = "latest"


class Operational(StrEnum):
    """Whether an endpoint is told of operational events: not, beside orders, or of nothing else."""

    NONE = "none"
    ALSO = "also"
    ONLY = "only"


class RetiringSecret(msgspec.Struct, frozen=True, gc=False):
    """A secret that was replaced and signs beside the new one, up to this time and not at it."""

    text: str
    until: datetime

    def __repr__(self) -> str:
        return f"RetiringSecret(…, until {self.until.isoformat()})"


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """Where an account's notifications go: a URL, a contract, and how it is spoken there.

    `options` and `credentials` are JSON that the contract's room reads; `secrets` sign, the
    current one first, and so do those that are `retiring`, the last one first, until their time.
    `stores` and `statuses` are the subscription: None means all of them.
    `state_at` is since when it is active or paused, None since it was opened. `requests_per_s` and
    `pause_after_h` (hours of nothing but failures) are None where there is no such limit.
    """

    account_id: str
    endpoint_id: str
    contract: str
    url: str
    schedule: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    state: EndpointState = EndpointState.ACTIVE
    state_why: str = ""
    stores: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    timeout_s: float = 15.0
    concurrency: int = 32
    lane_policy: LanePolicy = LanePolicy.GO_ON
    options: bytes = b"{}"
    credentials: bytes = b"{}"
    secrets: tuple[str, ...] = ()
    retiring: tuple[RetiringSecret, ...] = ()
    state_at: datetime | None = None
    requests_per_s: float | None = None
    pause_after_h: float | None = None
    backlog_policy: BacklogPolicy = BacklogPolicy.EVERY_STEP
    operational: Operational = Operational.NONE

    def __repr__(self) -> str:
        return f"Endpoint({self.endpoint_id}, {self.contract}, {self.state})"

    def wants(self, *, store: str, status: str) -> bool:
        """Whether this endpoint subscribed to the store and to the status."""
        return (
            (self.stores is None or store in self.stores)
            and (self.statuses is None or status in self.statuses)
            and self.operational is not Operational.ONLY
        )


class DeliveryState(StrEnum):
    """Where a delivery is; `delivered` is a word for parcels only."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"


class Body(msgspec.Struct, frozen=True, gc=False):
    """The bytes of a notification, serialized once; they are what is stored, signed and sent."""

    content: bytes
    content_type: str = "application/json"


class NewDelivery(msgspec.Struct, frozen=True, gc=False):
    """A delivery that intake makes, one event for one endpoint, and the bytes it will carry.

    `status` is the contract's word that it brings. `lease` asks that its lane be leased to the
    process that makes it, if the lane is empty. `supersedes` makes those before it in its lane
    needless that were not begun and that nobody asked for.
    """

    endpoint: Endpoint
    order_id: str
    sequence: int
    status: str
    body: Body
    lease: bool = False
    supersedes: bool = False


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One event for one endpoint, on record.

    `previous` is the sequence of the notification queued before it for the same order and
    endpoint, 0 when there was none; `attempts` counts all that were made, `tries` those since the
    schedule last began; `replay` counts how often an operator sent it again.
    """

    account_id: str
    endpoint_id: str
    order_id: str
    sequence: int
    status: str
    state: DeliveryState
    created_at: datetime
    previous: int = 0
    attempts: int = 0
    tries: int = 0
    replay: int = 0
    due_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: Outcome | None = None

    @property
    def delivery_id(self) -> str:
        """The name that every attempt carries as its webhook-id; a replay has a new one."""
        return delivery_id(self.order_id, self.sequence, self.endpoint_id, replay=self.replay)


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """A lane's head, leased to one process until it settles it or the lease runs out.

    `received_at` is when its event was taken in, None where that was not read.
    """

    endpoint: Endpoint
    order_id: str
    sequence: int
    previous: int
    attempts: int
    tries: int
    replay: int
    body: Body
    received_at: datetime | None = None

    @property
    def delivery_id(self) -> str:
        """The name that every attempt carries as its webhook-id."""
        return delivery_id(
            self.order_id, self.sequence, self.endpoint.endpoint_id, replay=self.replay
        )


class Failure(StrEnum):
    """Why an HTTP exchange did not come to a whole reply."""

    DNS = "dns"
    REFUSED = "connection_refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    PROTOCOL = "protocol"
    RESET = "reset"


class Outcome(StrEnum):
    """What came of one attempt, by its reply or by how the exchange failed."""

    ACKNOWLEDGED = "acknowledged"
    REDIRECTED = "redirected"
    REFUSED = "refused"
    GONE = "gone"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    DNS = "dns"
    CONNECTION_REFUSED = "connection_refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    PROTOCOL = "protocol"
    RESET = "reset"


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, ready to go: a POST, or a GET, which has no body."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout_s: float
    method: str = "POST"

    def __repr__(self) -> str:
        return f"Request({self.url}, {len(self.body)} bytes)"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What came back; `status` is 0 when no status line came, `body` is capped."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    failure: Failure | None = None
    detail: str = ""
    duration_ms: float = 0.0

    def header(self, name: str) -> str | None:
        """The value of a kept header by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request of a delivery, numbered from 1, and what came back."""

    attempt: int
    replay: int
    started_at: datetime
    duration_ms: float
    outcome: Outcome
    status: int
    detail: str = ""
    response: bytes = b""


_DELIVERY_ID = re.compile(r"([a-z0-9_]+)-([1-9][0-9]{0,8})-([a-z0-9_]+)(?:-r[1-9][0-9]{0,8})?")


def delivery_id(order_id: str, sequence: int, endpoint_id: str, *, replay: int = 0) -> str:
    """The public name of a delivery, made of what it is: event, endpoint, and which replay."""
    name = f"{order_id}-{sequence}-{endpoint_id}"
    return f"{name}-r{replay}" if replay else name


def read_delivery_id(name: str) -> tuple[str, int, str] | None:
    """The order id, sequence and endpoint id in a delivery's name; None when it is not one."""
    match = _DELIVERY_ID.fullmatch(name)
    return None if match is None else (match[1], int(match[2]), match[3])
