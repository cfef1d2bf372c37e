"""Carrier sources and watched parcels as rows and back, the same for every database."""

from __future__ import annotations

from typing import Any

import msgspec

from milepost.orders.tracking import Ending, Tracking
from milepost.ports.tracking import CarrierSource, Looked
from milepost.sealing import Vault
from milepost.store.rows import Row, micros, micros_or_none, moment, moment_or_none

_read_carriers = msgspec.json.Decoder(tuple[str, ...]).decode


def place_of(account_id: str, source: str) -> str:
    """The place that a source's secrets are sealed for: in another row they do not open."""
    return f"carrier source {account_id} {source}"


def carrier_source_values(source: CarrierSource, *, vault: Vault) -> dict[str, Any]:
    """The columns of a carrier source by their names; its secrets are sealed."""
    place = place_of(source.account_id, source.source)
    return {
        "account_id": source.account_id,
        "source": source.source,
        "kind": source.kind,
        "carriers": msgspec.json.encode(source.carriers).decode(),
        "config": source.config,
        "sealed": vault.seal(source.secrets, place=place),
        "created_at": micros(source.created_at),
        "updated_at": micros(source.updated_at),
    }


def carrier_source_of(row: Row, *, vault: Vault) -> CarrierSource:
    """Raises SecretUnreadable."""
    return CarrierSource(
        account_id=row[0],
        source=row[1],
        kind=row[2],
        carriers=_read_carriers(row[3]),
        config=row[4],
        secrets=vault.open(row[5], place=place_of(row[0], row[1])),
        created_at=moment(row[6]),
        updated_at=moment(row[7]),
    )


def sealed_nothing(row: Row, *, vault: Vault) -> bytes:
    """What is kept of a source that has no secrets any more."""
    return vault.seal(b"{}", place=place_of(row[0], row[1]))


def sealed_anew(row: Row, *, vault: Vault) -> bytes:
    """The secrets of a source's row, sealed with the key that seals now."""
    place = place_of(row[0], row[1])
    return vault.seal(vault.open(row[5], place=place), place=place)


def tracking_of(row: Row) -> Tracking:
    return Tracking(
        account_id=row[0],
        order_id=row[1],
        parcel=row[2],
        since_at=moment(row[3]),
        due_at=moment_or_none(row[4]),
        asked_at=moment_or_none(row[5]),
        asks=row[6],
        failures=row[7],
        returned_at=moment_or_none(row[8]),
        scans=keys_of(row[9]),
        ended=None if row[10] is None else Ending(row[10]),
        trouble=row[11],
    )


def settled_row(looked: Looked) -> Row:
    """The parcel, until when it was leased, and what came of it."""
    claimed, after = looked.claimed, looked.after
    return (
        claimed.account_id,
        claimed.order_id,
        claimed.parcel,
        micros_or_none(claimed.due_at),
        micros_or_none(after.due_at),
        micros_or_none(after.asked_at),
        after.asks,
        after.failures,
        micros_or_none(after.returned_at),
        keys_text(after.scans),
        None if after.ended is None else after.ended.value,
        after.trouble,
    )


def keys_of(text: str) -> tuple[str, ...]:
    """The keys of scans as they are kept: one text."""
    return tuple(text.split())


def keys_text(keys: tuple[str, ...]) -> str:
    return " ".join(keys)
