"""Deliveries that a person asks for: a test notification, or one sent again."""

from __future__ import annotations

from datetime import datetime

from milepost.delivery.model import Delivery, NewDelivery
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.store.rows import WHENEVER, delivery_of
from milepost.store.sqlite.intake import queue_deliveries
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.resends import reopen
from milepost.store.sqlite.session import Session


def add_delivery(
    session: Session, delivery: NewDelivery, *, now: datetime, registry: Registry
) -> Delivery:
    """Queues a delivery that is due now and not leased. Raises UnknownRecord, AlreadyExists."""
    account_id, endpoint_id = delivery.endpoint.account_id, delivery.endpoint.endpoint_id
    if registry.endpoint(session, account_id, endpoint_id) is None:
        raise UnknownRecord(endpoint_id)
    named: dict[str, str | int] = {
        "account_id": account_id,
        "endpoint_id": endpoint_id,
        "order_id": delivery.order_id,
        "sequence": delivery.sequence,
    }
    if session.row("delivery", **named) is not None:
        raise AlreadyExists(f"{delivery.order_id}, sequence {delivery.sequence}")
    ((variant,),) = session.rows("next_variant", **named)
    queue_deliveries(session, [delivery], created=set(), lease=None, now=now, first_variant=variant)
    return _read(session, named)


def resend(
    session: Session,
    account_id: str,
    endpoint_id: str,
    order_id: str,
    sequence: int,
    *,
    now: datetime,
    registry: Registry,
) -> Delivery:
    """Puts a settled delivery back into its lane; one that is pending stays as it is."""
    named: dict[str, str | int] = {
        "account_id": account_id,
        "endpoint_id": endpoint_id,
        "order_id": order_id,
        "sequence": sequence,
    }
    if registry.endpoint(session, account_id, endpoint_id) is None:
        raise UnknownRecord(endpoint_id)
    reopen(session, account_id, endpoint_id, [(order_id, sequence)], settled_by=WHENEVER, now=now)
    return _read(session, named)


def _read(session: Session, named: dict[str, str | int]) -> Delivery:
    row = session.row("delivery", **named)
    if row is None:
        raise UnknownRecord(f"{named['order_id']}, sequence {named['sequence']}")
    return delivery_of(row)
