"""Deliveries that a person asks for: a test notification, or one sent again."""

from __future__ import annotations

from datetime import datetime

from milepost.delivery.model import Delivery, DeliveryState, NewDelivery
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.store.postgres.queue import Queue, lanes_of, look_up
from milepost.store.postgres.resends import reopen, share_endpoint
from milepost.store.postgres.session import AlreadyThere, Session, store_errors
from milepost.store.rows import WHENEVER, delivery_of


async def add_delivery(session: Session, delivery: NewDelivery, *, now: datetime) -> Delivery:
    """Queues a delivery that is due now and not leased. Raises UnknownRecord, AlreadyExists."""
    named: dict[str, str | int] = {
        "account_id": delivery.endpoint.account_id,
        "endpoint_id": delivery.endpoint.endpoint_id,
        "order_id": delivery.order_id,
        "sequence": delivery.sequence,
    }
    try:
        with store_errors():
            async with session.transaction():
                await _check_endpoint(session, named)
                if await session.row("one_delivery", **named) is not None:
                    raise AlreadyExists(f"{delivery.order_id}, sequence {delivery.sequence}")
                ((variant,),) = await session.rows("next_variant", **named)
                before = await look_up(session, lanes_of([delivery], created=()))
                queue = Queue(before=before, lease=None, now=now, first_variant=variant)
                queue.add(delivery)
                for name, rows in queue.rows().items():
                    if rows:
                        await session.batch(name, rows)
    except AlreadyThere:
        raise AlreadyExists(f"{delivery.order_id}, sequence {delivery.sequence}") from None
    return await _read(session, named)


async def resend(
    session: Session,
    account_id: str,
    endpoint_id: str,
    order_id: str,
    sequence: int,
    *,
    now: datetime,
) -> Delivery:
    """Puts a settled delivery back into its lane; one that is pending stays as it is."""
    named: dict[str, str | int] = {
        "account_id": account_id,
        "endpoint_id": endpoint_id,
        "order_id": order_id,
        "sequence": sequence,
    }
    async with session.transaction():
        await _check_endpoint(session, named)
        known = await _read(session, named)
        if known.state is DeliveryState.PENDING:
            return known
        await reopen(
            session,
            account_id,
            endpoint_id,
            [(order_id, sequence)],
            settled_by=WHENEVER,
            now=now,
        )
        return await _read(session, named)


async def _check_endpoint(session: Session, named: dict[str, str | int]) -> None:
    """Keeps the endpoint from being deleted until the transaction ends. Raises UnknownRecord."""
    account_id, endpoint_id = str(named["account_id"]), str(named["endpoint_id"])
    if not await share_endpoint(session, account_id, endpoint_id):
        raise UnknownRecord(endpoint_id)


async def _read(session: Session, named: dict[str, str | int]) -> Delivery:
    row = await session.row("one_delivery", **named)
    if row is None:
        raise UnknownRecord(f"{named['order_id']}, sequence {named['sequence']}")
    return delivery_of(row)
