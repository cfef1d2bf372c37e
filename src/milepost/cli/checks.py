"""What `milepost doctor` finds: one thing each, how it is, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: how it is, and what to do about it."""

    name: str
    level: Level
    found: str
    advice: str = ""
