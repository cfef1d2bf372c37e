"""Withings dropshipment: "Observe order updates"."""

from __future__ import annotations

from milepost.contracts.contract import Contract, Diagram
from milepost.contracts.withings import delivery, diagram, extensions, payloads

CONTRACT = Contract(
    name=extensions.NAME,
    title="Withings order updates",
    statuses=payloads.STATUSES,
    shown=payloads.projection,
    words=payloads.words,
    status=payloads.status_of,
    sends=payloads.SENDS,
    body=payloads.body,
    reads=payloads.reads,
    headers=delivery.headers,
    received=delivery.received,
    schedules=delivery.SCHEDULES,
    timeout_s=delivery.TIMEOUT_S,
    options=payloads.Options,
    credentials=delivery.Credentials,
    order_extensions=extensions.OrderExtensions,
    parcel_extensions=extensions.ParcelExtensions,
    line_extensions=extensions.LineExtensions,
    diagram=Diagram(svg=diagram.svg, mermaid=lambda full: diagram.mermaid(full=full)),
)
