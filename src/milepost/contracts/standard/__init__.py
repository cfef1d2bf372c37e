"""The neutral contract: every event of an order in one envelope."""

from __future__ import annotations

from milepost.contracts.contract import Contract
from milepost.contracts.standard import delivery, operational, payloads, silence

CONTRACT = Contract(
    name=payloads.NAME,
    title="Milepost standard",
    statuses=payloads.STATUSES,
    shown=payloads.shown,
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
    shows_others=True,
    latest_suffices=True,
    operational=operational.body,
    silence=silence.body,
)
