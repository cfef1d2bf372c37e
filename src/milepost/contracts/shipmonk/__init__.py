"""ShipMonk: the webhook "Order status change"."""

from __future__ import annotations

from milepost.contracts.contract import Contract
from milepost.contracts.shipmonk import delivery, extensions, payloads, statuses

CONTRACT = Contract(
    name=payloads.NAME,
    title="ShipMonk order status change",
    statuses=statuses.STATUSES,
    shown=statuses.processing_status,
    words=statuses.words,
    status=statuses.processing_status,
    sends=statuses.SENDS,
    body=payloads.body,
    reads=statuses.reads,
    headers=delivery.headers,
    received=delivery.received,
    schedules=delivery.SCHEDULES,
    timeout_s=delivery.TIMEOUT_S,
    options=payloads.Options,
    credentials=delivery.Credentials,
    order_extensions=extensions.OrderExtensions,
    parcel_extensions=extensions.ParcelExtensions,
    line_extensions=extensions.LineExtensions,
)
