"""What the flows need of the outside: a Store, a way to Send, the time, and new ids.

Each part of the store is a protocol of its own, so that a flow says which part it needs.
"""

from __future__ import annotations

from typing import Protocol

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

__all__ = [
    "Account",
    "ApiKey",
    "Backlog",
    "Changes",
    "CoreStore",
    "Counts",
    "Decide",
    "DeliveryFilter",
    "Lease",
    "NewId",
    "Now",
    "OrderFilter",
    "OrderRef",
    "Page",
    "Post",
    "Quarantined",
    "Settlement",
    "Snapshot",
    "Store",
]


class Store(CoreStore, Protocol):
    """Everything that is durable. Every method may raise StoreError."""
