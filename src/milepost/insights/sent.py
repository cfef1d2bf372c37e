"""What was sent in each attempt, made again from the delivery exactly as the dispatcher made it.

A signature is not kept: it follows from the bytes, the time and the secret. Where the endpoint was
changed since, or is gone, that is said beside what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from milepost.contracts.contract import Contract
from milepost.delivery.model import Attempt, Body, Claimed, Delivery, Endpoint, delivery_id
from milepost.delivery.signature import common_headers
from milepost.insights.life import changed_since
from milepost.insights.views import AttemptView, View, attempt_view
from milepost.ports.upkeep import ErasedBody

HIDDEN = "authorization"
"""The header that is a secret itself; nobody is shown it."""

GONE = "not known any more: the endpoint was removed"
ERASED = "not known any more: the body was erased"
SECRET = "a secret of the endpoint, which is never shown"  # noqa: S105 - says so instead of it


class HeaderView(View, frozen=True):
    """A header as it was sent; without a value `note` says why there is none."""

    name: str
    value: str | None
    note: str = ""


class SentView(AttemptView, frozen=True):
    """One attempt with the headers that it carried.

    `changed_at` is when the endpoint was changed after it: then its URL, its signatures and what
    its contract adds are as they would be now.
    """

    delivery_id: str
    url: str | None
    headers: list[HeaderView]
    changed_at: datetime | None


def sent_view(
    delivery: Delivery,
    attempt: Attempt,
    *,
    body: bytes,
    erased: ErasedBody | None,
    endpoint: Endpoint | None,
    rooms: Mapping[str, Contract],
    user_agent: str,
) -> SentView:
    """An attempt of this delivery with what was sent in it."""
    name = delivery_id(
        delivery.order_id, delivery.sequence, delivery.endpoint_id, replay=attempt.replay
    )
    shown = attempt_view(attempt)
    claimed = Claimed(
        endpoint=endpoint or _nobody(delivery),
        order_id=delivery.order_id,
        sequence=delivery.sequence,
        previous=delivery.previous,
        attempts=attempt.attempt - 1,
        tries=0,
        replay=attempt.replay,
        body=Body(body) if erased is None else Body(b"", erased.content_type),
    )
    timestamp = int(attempt.started_at.timestamp())
    headers = [
        _header(name, value, endpoint=endpoint, erased=erased)
        for name, value in (
            *common_headers(claimed, timestamp=timestamp, user_agent=user_agent),
            *(() if endpoint is None else rooms[endpoint.contract].headers(claimed)),
        )
    ]
    return SentView(
        **{field: getattr(shown, field) for field in AttemptView.__struct_fields__},
        delivery_id=name,
        url=None if endpoint is None else endpoint.url,
        headers=headers,
        changed_at=None if endpoint is None else changed_since(endpoint, attempt.started_at),
    )


def _header(
    name: str, value: str, *, endpoint: Endpoint | None, erased: ErasedBody | None
) -> HeaderView:
    if name == HIDDEN:
        return HeaderView(name, None, SECRET)
    if name.endswith("signature"):
        if endpoint is None:
            return HeaderView(name, None, GONE)
        if erased is not None:
            return HeaderView(name, None, ERASED)
    return HeaderView(name, value)


def _nobody(delivery: Delivery) -> Endpoint:
    """An endpoint without a secret, in place of one that is gone."""
    at = delivery.created_at
    return Endpoint(delivery.account_id, delivery.endpoint_id, "", "", "", at, at)
