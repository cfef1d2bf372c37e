"""Which process dispatches from a file: the one that holds a lock beside it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from milepost.errors import StoreBusy

WAYS_OUT = (
    "an SQLite file has one process that sends, either `milepost serve`, or one `milepost work` "
    "beside a `milepost serve --no-dispatch`. Any number can share a PostgreSQL database."
)


class DispatchLock:
    """Held until it is given back or the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.dispatch.lock")
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def take(self) -> None:
        """Raises StoreBusy when another process has it."""
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise StoreBusy(f"It holds {self._path.name}; {WAYS_OUT}") from None
        except OSError:
            os.close(file)
            raise
        self._file = file

    def give_back(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
