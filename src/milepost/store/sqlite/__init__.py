"""The embedded store: one SQLite file, one thread that writes, a few that read."""

from __future__ import annotations

from milepost.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
