"""What the exit codes of the command line mean, and which error leads to which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from milepost.errors import (
    IllegalMove,
    InvalidInput,
    MilepostError,
    SettingInvalid,
    StoreError,
    TooLarge,
    UnknownRecord,
)
from milepost.orders.events import Verdict


class ExitCode(IntEnum):
    """How a command ended; scripts may rely on these numbers."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_FOUND = 3
    ILLEGAL = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.OK: "done; an update that says nothing new counts as done",
        ExitCode.REFUSED: "refused or failed: a stale update, a check that failed, a lost delivery",
        ExitCode.USAGE: "the command line, an input or a setting is not valid",
        ExitCode.NOT_FOUND: "there is no such record",
        ExitCode.ILLEGAL: "the order cannot go to this state now",
        ExitCode.UNAVAILABLE: "the database, the network or the port cannot be used",
        ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
    }
)


class Unreachable(MilepostError):
    """The network cannot be used."""


class FileUnusable(MilepostError):
    """The file cannot be read or written."""


class AmbiguousName(MilepostError):
    """The name fits more than one record."""


_BY_ERROR: tuple[tuple[type[MilepostError], ExitCode], ...] = (
    (InvalidInput, ExitCode.USAGE),
    (SettingInvalid, ExitCode.USAGE),
    (TooLarge, ExitCode.USAGE),
    (UnknownRecord, ExitCode.NOT_FOUND),
    (IllegalMove, ExitCode.ILLEGAL),
    (StoreError, ExitCode.UNAVAILABLE),
    (Unreachable, ExitCode.UNAVAILABLE),
)

BY_VERDICT: Mapping[Verdict, ExitCode] = MappingProxyType(
    {
        Verdict.APPLIED: ExitCode.OK,
        Verdict.DUPLICATE: ExitCode.OK,
        Verdict.STALE: ExitCode.REFUSED,
        Verdict.ILLEGAL: ExitCode.ILLEGAL,
        Verdict.ORPHAN: ExitCode.NOT_FOUND,
    }
)


def exit_code_of(error: MilepostError) -> ExitCode:
    """The exit code of a command that ended with this error."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.REFUSED)
