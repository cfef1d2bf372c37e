"""What the flows need of the outside: a Store, a way to Send, the time, and new ids.

Each part of the store is a protocol of its own, so that a flow says which part it needs.
"""

from __future__ import annotations

from typing import Protocol

from milepost.ports.answers import AnswerStore
from milepost.ports.attention import AttentionStore
from milepost.ports.clocks import AccountNow, ClockStore
from milepost.ports.core import (
    Account,
    ApiKey,
    Backlog,
    Changes,
    CoreStore,
    Counts,
    Decide,
    DeliveryFilter,
    Lease,
    Mentioned,
    NewId,
    Now,
    OrderFilter,
    OrderRef,
    Page,
    Post,
    Quarantined,
    Settlement,
    Snapshot,
)
from milepost.ports.egress import EgressStore
from milepost.ports.health import HealthStore, Judge, Judged
from milepost.ports.merchants import MerchantStore
from milepost.ports.people import PeopleStore
from milepost.ports.receiving import ReceivingStore
from milepost.ports.reconciling import ReconcilingStore
from milepost.ports.rehearsals import RehearsalStore
from milepost.ports.resends import ResendStore
from milepost.ports.secrets import Resealed, SecretStore
from milepost.ports.silence import SilenceStore
from milepost.ports.tracking import TrackingStore
from milepost.ports.trends import TrendStore
from milepost.ports.upkeep import UpkeepStore
from milepost.ports.withings import WithingsStore

__all__ = [
    "Account",
    "AccountNow",
    "AnswerStore",
    "ApiKey",
    "AttentionStore",
    "Backlog",
    "Changes",
    "ClockStore",
    "CoreStore",
    "Counts",
    "Decide",
    "DeliveryFilter",
    "EgressStore",
    "HealthStore",
    "Judge",
    "Judged",
    "Lease",
    "Mentioned",
    "MerchantStore",
    "NewId",
    "Now",
    "OrderFilter",
    "OrderRef",
    "Page",
    "PeopleStore",
    "Post",
    "Quarantined",
    "ReceivingStore",
    "ReconcilingStore",
    "Resealed",
    "ResendStore",
    "SecretStore",
    "Settlement",
    "SilenceStore",
    "Snapshot",
    "Store",
    "TrackingStore",
    "TrendStore",
    "UpkeepStore",
]


class Store(
    CoreStore,
    HealthStore,
    AttentionStore,
    SecretStore,
    UpkeepStore,
    AnswerStore,
    ResendStore,
    RehearsalStore,
    WithingsStore,
    EgressStore,
    PeopleStore,
    TrendStore,
    MerchantStore,
    TrackingStore,
    SilenceStore,
    ReconcilingStore,
    ReceivingStore,
    ClockStore,
    Protocol,
):
    """Everything that is durable. Every method may raise StoreError."""
