"""What asking any provider has in common: replies that are none, and questions that are halved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from milepost.contracts.comparison import Theirs
from milepost.delivery.model import Failure, Reply, Request
from milepost.delivery.retry import read_retry_after
from milepost.ports.reconciling import Asked, Unanswered

LARGEST_ANSWER = 8 * 1024 * 1024
"""What is more of an answer is not read; a hundred orders have room in it."""

LONGEST_WAIT = timedelta(hours=1)
"""A wait that a provider asks for is taken at its word up to here."""

SHORTEST_HIDDEN = 6
"""A shorter text is no secret, and taking it out would take words apart."""

_LATER = frozenset((408, 425, 429))

Fetch = Callable[[Request], Awaitable[Reply]]
"""Sends a request and gives the reply, always, within its time and size limits."""


class TooMuch(Exception):
    """The provider cannot answer so many orders at once, or one of them is at fault."""


Ask = Callable[[Sequence[Asked]], Awaitable[Sequence[Theirs] | Unanswered]]
"""Asks for these at once. Raises TooMuch."""


async def halved(asked: Sequence[Asked], ask: Ask) -> Sequence[Theirs] | Unanswered:
    """What a provider says of these, asked in smaller numbers where all at once is too much.

    One that alone is too much is not known there.
    """
    try:
        return await ask(asked)
    except TooMuch:
        if len(asked) <= 1:
            return ()
    found: list[Theirs] = []
    middle = len(asked) // 2
    for half in (asked[:middle], asked[middle:]):
        told = await halved(half, ask)
        if isinstance(told, Unanswered):
            return told
        found += told
    return found


def failed(reply: Reply, *, secrets: Sequence[str]) -> Unanswered:
    """What an exchange that came to no reply is."""
    why = f"{reply.failure}: {reply.detail}" if reply.detail else str(reply.failure)
    for secret in secrets:
        if len(secret) < SHORTEST_HIDDEN:
            continue
        why = why.replace(secret, "[redacted]")
    return Unanswered(why, is_final=reply.failure is Failure.BLOCKED)


def refused(reply: Reply, *, now: datetime) -> Unanswered:
    """What a reply whose status is no success is."""
    wait = read_retry_after(reply.header("retry-after"), now=now)
    if wait is not None:
        wait = min(max(wait, timedelta(0)), LONGEST_WAIT)
    is_final = 400 <= reply.status < 500 and reply.status not in _LATER
    return Unanswered(f"HTTP {reply.status}", wait=wait, is_final=is_final)
