"""Which lanes this process holds, and until when a request of each may be begun; pure.

Others take a lane over when its lease has run out. A process that was stopped for longer than that
wakes up with heads in its memory which somebody else may have sent meanwhile, and others after
them. So a head goes out only while its lease is certain to last for the whole request.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from milepost.delivery.model import Claimed

Lane = tuple[str, str]
"""An endpoint's id and an order's."""


class Term(msgspec.Struct, frozen=True, gc=False):
    """The last moment at which a request may be begun without asking whose the lane is.

    `at` is by the time of day, by which others judge leases; `at_s` are seconds of a clock that
    never goes back and counts while the machine sleeps.
    """

    at: datetime
    at_s: float


class Holding:
    """The lanes that are held in memory, each with one delivery and its term."""

    def __init__(self) -> None:
        self._held: dict[Lane, tuple[Claimed, Term]] = {}
        self._later: dict[Lane, tuple[Claimed, Term]] = {}

    def take(self, claimed: Claimed, term: Term) -> bool:
        """Whether this is to be sent; not if its lane has a delivery here already.

        If that is the same one, its lease was given anew. Any other waits for `leave`: two of one
        lane at a time would overtake each other.
        """
        lane = (claimed.endpoint.endpoint_id, claimed.order_id)
        here = self._held.get(lane)
        if here is None:
            self._held[lane] = (claimed, term)
            return True
        if _same(here[0], claimed):
            self._held[lane] = (here[0], term)
        else:
            self._later[lane] = (claimed, term)
        return False

    def sure(self, claimed: Claimed, *, now: datetime, now_s: float) -> bool:
        """Whether the lane is ours for as long as a request that is begun now may take."""
        term = self._held[claimed.endpoint.endpoint_id, claimed.order_id][1]
        return now <= term.at and now_s <= term.at_s

    def prolong(self, claimed: Claimed, term: Term) -> None:
        """The lane was found to be ours still, with this at its head."""
        self._held[claimed.endpoint.endpoint_id, claimed.order_id] = (claimed, term)

    def leave(self, claimed: Claimed) -> Claimed | None:
        """Lets go of what was settled or lost; what was claimed of its lane meanwhile, if any.

        That is held from now on.
        """
        lane = (claimed.endpoint.endpoint_id, claimed.order_id)
        later = self._later.pop(lane, None) if self._later else None
        if later is None:
            del self._held[lane]
            return None
        self._held[lane] = later
        return later[0]


def _same(here: Claimed, claimed: Claimed) -> bool:
    """Whether both are the same attempt of the same delivery."""
    return (here.sequence, here.attempts, here.replay) == (
        claimed.sequence,
        claimed.attempts,
        claimed.replay,
    )
