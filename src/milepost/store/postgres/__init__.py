"""The shared store: one PostgreSQL database for any number of processes."""

from __future__ import annotations

from milepost.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
