"""Plays a plan to a receiver, one request after the other, and tells what came back."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from milepost.contracts import ROOMS, Contract
from milepost.delivery.model import Reply, Request
from milepost.delivery.outcome import outcome_of
from milepost.rehearsal.chance import chance
from milepost.rehearsal.chaos import Kind, Planned
from milepost.rehearsal.report import Asked
from milepost.rehearsal.sends import Send, request_of

ATTEMPTS = 3
"""How often a notification is tried that the receiver does not take."""

Ask = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time goes by: `speed` seconds of the rehearsal in one of ours, None without waiting.

    `frozen` signs at the rehearsal's own time, so that every byte is the same again.
    """

    speed: float | None = None
    frozen: bool = False


class Player:
    """Sends what is planned in its order; what the receiver refuses is tried again as planned.

    A lane waits for its retries, as it does in the hub; at most `attempts` are made.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        seed: int,
        pace: Pace,
        attempts: int = ATTEMPTS,
        told: Callable[[Asked], None] = lambda _asked: None,
        sent: Callable[[int, Request], None] = lambda _number, _request: None,
    ) -> None:
        self._ask = ask
        self._seed = seed
        self._pace = pace
        self._attempts = attempts
        self._told = told
        self._sent = sent

    async def play(self, planned: Sequence[Planned[Send]]) -> list[Asked]:
        """Everything that was asked, in the order it was."""
        waiting = [(one.at, place, one) for place, one in enumerate(planned)]
        heapq.heapify(waiting)
        held_until: dict[str, datetime] = {}
        asked: list[Asked] = []
        began = time.monotonic()
        while waiting:
            at, place, one = heapq.heappop(waiting)
            held = held_until.get(one.item.lane, at)
            if at < held and not one.free:
                heapq.heappush(waiting, (held, place, replace(one, at=held)))
                continue
            await self._wait(at - planned[0].at, since=began)
            result = await self._one(one, number=len(asked) + 1)
            asked.append(result)
            self._told(result)
            again = self._retry(one, result)
            if again is not None:
                held_until[one.item.lane] = again.at
                heapq.heappush(waiting, (again.at, place, again))
        return asked

    async def _wait(self, virtual: timedelta, *, since: float) -> None:
        if self._pace.speed is not None:
            due = since + virtual.total_seconds() / self._pace.speed
            await asyncio.sleep(max(due - time.monotonic(), 0))

    async def _one(self, one: Planned[Send], *, number: int) -> Asked:
        claimed = one.item.claimed
        told = Asked(
            number=number,
            at=one.at,
            order_key=one.item.order_key,
            sequence=claimed.sequence,
            status=one.item.status,
            delivery_id=claimed.delivery_id,
            attempt=one.attempt,
            kind=one.kind,
            lost=one.lost,
            reordered=one.reordered,
            delayed=one.delayed,
            pretended=one.pretended,
            answered=None,
            outcome=None,
            ms=None,
        )
        if one.lost:
            return told
        timestamp = int(one.at.timestamp() if self._pace.frozen else time.time())
        request = request_of(claimed, attempt=one.attempt, timestamp=timestamp)
        self._sent(number, request)
        reply = await self._ask(request)
        return msgspec.structs.replace(
            told,
            answered=reply.status or None,
            outcome=outcome_of(reply, received=_room_of(one).received),
            ms=round(reply.duration_ms, 1),
            detail=reply.detail,
        )

    def _retry(self, one: Planned[Send], result: Asked) -> Planned[Send] | None:
        """The next attempt of what the receiver did not take, if there is one."""
        over = one.lost or not one.last or one.kind is Kind.DUPLICATE
        if over or result.acknowledged or one.attempt >= self._attempts:
            return None
        schedule = _room_of(one).schedules[0]
        drawn = chance(self._seed, "retry", one.item.name, one.attempt)
        wait_s = schedule.wait_s(one.attempt, chance=drawn)
        at = one.at + timedelta(seconds=wait_s)
        return replace(one, at=at, attempt=one.attempt + 1, kind=Kind.RETRY, delayed=False)


def _room_of(one: Planned[Send]) -> Contract:
    return ROOMS[one.item.claimed.endpoint.contract]
