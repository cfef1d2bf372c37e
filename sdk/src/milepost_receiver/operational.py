"""Operational events: what happened to an endpoint, and orders that nothing is heard of.

They are of Milepost's own contract alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from milepost_receiver.body import read_json
from milepost_receiver.fields import Fields
from milepost_receiver.notification import DeliveryFacts, Notification
from milepost_receiver.standard import StandardNotification, parse_standard

TYPES = frozenset(
    {
        "endpoint.failing",
        "endpoint.recovered",
        "endpoint.paused",
        "endpoint.resumed",
        "delivery.abandoned",
        "order.silent",
        "order.moved_again",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentOrder:
    """An order of which nothing was heard for too long, since `since`, in `state`.

    `kind` is state_too_long or carrier_silent; `after_s` the threshold in seconds that was over.
    `ended_at` and `ended_state` say when it moved again and where to, None while it is silent.
    """

    number: int
    order_id: str
    store: str | None
    order_key: str | None
    kind: str
    state: str
    since: datetime
    after_s: int
    raised_at: datetime
    ended_at: datetime | None
    ended_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationalNotification(Notification):
    """Something that happened to one of the account's endpoints, which `endpoint_id` names.

    Where it happened to orders instead, `endpoint_id` is None, `count` is how many fell silent or
    moved again, and `orders` are the first of them.

    Its events are numbered from 1 under `subject`, which stands where an order's id would.
    `state` is active or paused; `cause` is operator, receiver or rule; `since` is when the trouble
    began. `failures` are the attempts in a row that have failed, None where nobody counted;
    `abandoned` counts deliveries that were given up. Times are UTC.
    """

    type: str
    timestamp: datetime
    subject: str
    endpoint_id: str | None
    contract: str | None
    url: str | None
    description: str | None
    state: str | None
    cause: str | None
    why: str | None
    since: datetime | None
    failures: int | None
    last_success_at: datetime | None
    last_outcome: str | None
    abandoned: int
    what_to_do: str | None
    count: int = 0
    orders: tuple[SilentOrder, ...] = ()


def parse_with_operational(
    headers: Mapping[str, str],
    *,
    facts: DeliveryFacts,
) -> StandardNotification | OperationalNotification:
    """An order's event or an operational one. Raises BodyMalformed, also where headers differ."""
    envelope = Fields(read_json(facts["received"]))
    data = envelope.record("data")
    subject = data.text_or_none("subject")
    if subject is None:
        return parse_standard(headers, facts=facts)
    sequence = data.whole("sequence")
    # The body is signed and those headers are not, so the body is what counts.
    if facts["sequence"] not in {None, sequence}:
        raise data.refusal("sequence", expected="what milepost-sequence says")
    if facts["order_id"] not in {None, subject}:
        raise data.refusal("subject", expected="what milepost-order says")
    facts = {**facts, "sequence": sequence, "order_id": subject}
    endpoint = data.record("endpoint")
    kind = envelope.text("type")
    count = data.whole_or_none("count")
    return OperationalNotification(
        **facts,
        known=kind in TYPES,
        type=kind,
        timestamp=envelope.moment("timestamp"),
        subject=subject,
        endpoint_id=endpoint.text("endpoint_id") if count is None else None,
        contract=endpoint.text_or_none("contract"),
        url=endpoint.text_or_none("url"),
        description=endpoint.text_or_none("description"),
        state=endpoint.text_or_none("state"),
        cause=data.text_or_none("cause"),
        why=data.text_or_none("why"),
        since=data.moment_or_none("since"),
        failures=data.whole_or_none("failures"),
        last_success_at=data.moment_or_none("last_success_at"),
        last_outcome=data.text_or_none("last_outcome"),
        abandoned=data.whole_or_none("abandoned") or 0,
        what_to_do=data.text_or_none("what_to_do"),
        count=count or 0,
        orders=tuple(_silent_order(one) for one in data.records("orders")),
    )


def _silent_order(one: Fields) -> SilentOrder:
    return SilentOrder(
        number=one.whole("number"),
        order_id=one.text("order_id"),
        store=one.text_or_none("store"),
        order_key=one.text_or_none("order_key"),
        kind=one.text("kind"),
        state=one.text("state"),
        since=one.moment("since"),
        after_s=one.whole("after_s"),
        raised_at=one.moment("raised_at"),
        ended_at=one.moment_or_none("ended_at"),
        ended_state=one.text_or_none("ended_state"),
    )
