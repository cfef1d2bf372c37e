"""Passwords: Argon2id, a few at a time, and the same time for names that nobody has."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from milepost.errors import InvalidInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
AT_ONCE = 2
"""How many are computed side by side: each takes 64 MiB and a core."""

EXPECTED = f"{SHORTEST} to {LONGEST} characters"


def check_password(password: str) -> None:
    """Raises InvalidInput for one that is too short, too long, or one character again and again."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(field="password", expected=EXPECTED)
    if len(set(password)) < 4:
        raise InvalidInput(field="password", expected="at least four different characters")


class Passwords:
    """Makes and checks what is kept of passwords, beside the event loop.

    The parameters are the second recommendation of RFC 9106 §4: 64 MiB, three passes, four lanes.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        # Its library takes a while to load, which only those who meet a password wait for.
        from argon2 import PasswordHasher  # noqa: PLC0415
        from argon2.profiles import RFC_9106_LOW_MEMORY  # noqa: PLC0415

        return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("the password of nobody")

    async def kept(self, password: str) -> str:
        """What is kept of it. Raises InvalidInput for one that will not do."""
        check_password(password)
        async with self._turn:
            return await asyncio.to_thread(lambda: self._hasher.hash(password))

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; without anything kept it is not, which takes as long."""
        async with self._turn:
            return await asyncio.to_thread(self._fits, kept, password)

    def _fits(self, kept: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

        nobodys = self._nobodys
        try:
            self._hasher.verify(kept or nobodys, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None and len(password) <= LONGEST
