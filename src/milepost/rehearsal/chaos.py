"""What goes wrong on purpose: a plan that is made of the seed and of what there is to send; pure.

Whether something is hit is drawn from the seed, the word and the name of what is sent, so that a
word more or less changes nothing of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import msgspec

from milepost.delivery.retry import Schedule
from milepost.errors import InvalidInput
from milepost.rehearsal.chance import chance


class Word(StrEnum):
    """A kind of misfortune, as it is asked for."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DROP = "drop"
    LOSE = "lose"
    DELAY = "delay"
    ERROR = "error"


WHAT_IT_DOES: Mapping[Word, str] = MappingProxyType(
    {
        Word.DUPLICATE: "comes twice under one id: at once, or later as if its answer was lost",
        Word.REORDER: "the next one of the same order overtakes it",
        Word.DROP: "does not arrive the first time, and comes with the retry",
        Word.LOSE: "never arrives: the receiver sees a gap",
        Word.DELAY: "comes up to half an hour late, and so does what follows it in its order",
        Word.ERROR: "is tried again as if the answer had been this status",
    }
)
USUAL_RATE: Mapping[Word, float] = MappingProxyType(
    {
        Word.DUPLICATE: 0.2,
        Word.REORDER: 0.15,
        Word.DROP: 0.1,
        Word.LOSE: 0.05,
        Word.DELAY: 0.2,
        Word.ERROR: 0.1,
    }
)
LATEST = timedelta(minutes=30)
_SOONEST = timedelta(minutes=1)
_OVERTAKEN_BY = timedelta(seconds=1)
_GONE = 410


class Chaos(msgspec.Struct, frozen=True):
    """How often what goes wrong, by word; `status` is what is acted on instead of the answer."""

    rates: Mapping[Word, float] = {}
    status: int | None = None


class Kind(StrEnum):
    """Why something is sent: it is due, it is tried again, or it comes once more than it should."""

    FIRST = "first"
    RETRY = "retry"
    DUPLICATE = "duplicate"


class Item(Protocol):
    """Something to send: when, in which lane, and under which name."""

    @property
    def at(self) -> datetime: ...
    @property
    def lane(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Generic[T]):
    """One sending of the plan, at a time of the rehearsal's own clock.

    `lost`: nothing is sent, though the sender believes so. `pretended` is the status that is acted
    on instead of the answer. `free`: it does not wait for those before it in its lane. `last`: the
    plan has no retry of it.
    """

    at: datetime
    item: T
    attempt: int = 1
    kind: Kind = Kind.FIRST
    lost: bool = False
    pretended: int | None = None
    reordered: bool = False
    delayed: bool = False
    free: bool = False
    last: bool = True


def read_chaos(text: str, *, allowed: Sequence[Word] = tuple(Word)) -> Chaos:
    """What `duplicate,reorder=0.3,error=500:0.1` asks for. Raises InvalidInput."""
    rates: dict[Word, float] = {}
    status: int | None = None
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        word = _word(name, allowed=allowed)
        if word is Word.ERROR:
            code, _, value = value.partition(":")
            status = _status(code)
        rates[word] = _rate(value, word=word)
    return Chaos(rates, status)


def _word(name: str, *, allowed: Sequence[Word]) -> Word:
    for word in allowed:
        if word.value == name:
            return word
    names = ", ".join(f"{word}=CODE" if word is Word.ERROR else word.value for word in allowed)
    raise InvalidInput(field="--chaos", expected=f"words of {names}, and not {name[:40]}")


def _status(code: str) -> int:
    if code.isascii() and code.isdigit() and 300 <= int(code[:4]) <= 599 and int(code) != _GONE:
        return int(code)
    expected = "a status from 300 to 599 such as error=500, but 410, which ends all sending"
    raise InvalidInput(field="--chaos error", expected=expected)


def _rate(text: str, *, word: Word) -> float:
    if not text:
        return USUAL_RATE[word]
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if 0 < rate <= 1:
        return rate
    raise InvalidInput(field=f"--chaos {word}", expected="a rate above 0 and at most 1")


def plan(
    items: Sequence[T],
    *,
    chaos: Chaos,
    seed: int,
    schedule: Schedule,
    spared: Collection[str] = (),
) -> list[Planned[T]]:
    """Everything that is sent, in order, with what goes wrong; `schedule` says when it is retried.

    Each word that is asked for hits at least once where it can. But for what is reordered, sent
    again later or lost, what is sent of one order keeps its order. What is `spared`, by its name,
    is not hit.
    """
    lanes: dict[str, list[T]] = {}
    for item in items:
        lanes.setdefault(item.lane, []).append(item)
    hits = _hits(lanes, chaos=chaos, seed=seed, spared=spared)
    planned: list[Planned[T]] = []
    for lane in lanes.values():
        planned += _lane(lane, hits=hits, chaos=chaos, seed=seed, schedule=schedule)
    place = {item.name: number for number, item in enumerate(items)}
    return sorted(planned, key=lambda one: (one.at, place[one.item.name], one.attempt))


def _hits(
    lanes: Mapping[str, Sequence[T]], *, chaos: Chaos, seed: int, spared: Collection[str]
) -> Mapping[Word, frozenset[str]]:
    """The names that each word hits; of what would happen to the first sending, one thing alone."""
    everything = [item.name for lane in lanes.values() for item in lane if item.name not in spared]
    hits = {Word.LOSE: _hit(everything, word=Word.LOSE, chaos=chaos, seed=seed)}
    overtaken = [
        item.name
        for lane in lanes.values()
        for item, following in pairwise(lane)
        if item.name not in spared and following.name not in hits[Word.LOSE]
    ]
    taken = set(hits[Word.LOSE])
    for word, there in (
        (Word.DROP, everything),
        (Word.ERROR, everything),
        (Word.REORDER, overtaken),
    ):
        hits[word] = _hit([n for n in there if n not in taken], word=word, chaos=chaos, seed=seed)
        taken |= hits[word]
    for word, there in (
        (Word.DUPLICATE, [name for name in everything if name not in hits[Word.LOSE]]),
        (Word.DELAY, everything),
    ):
        hits[word] = _hit(there, word=word, chaos=chaos, seed=seed)
    return hits


def _hit(names: Sequence[str], *, word: Word, chaos: Chaos, seed: int) -> frozenset[str]:
    rate = chaos.rates.get(word)
    if rate is None or not names:
        return frozenset()
    drawn = {name: chance(seed, word, name) for name in names}
    least = min(drawn, key=drawn.__getitem__)
    return frozenset((least, *(name for name, value in drawn.items() if value < rate)))


def _lane(
    lane: Sequence[T],
    *,
    hits: Mapping[Word, frozenset[str]],
    chaos: Chaos,
    seed: int,
    schedule: Schedule,
) -> list[Planned[T]]:
    groups: list[list[Planned[T]]] = []
    free_at = lane[0].at
    for item in lane:
        at = max(item.at, free_at)
        delayed = item.name in hits[Word.DELAY]
        if delayed:
            at += _wait(seed, "how late", item.name)
        first = Planned(at=at, item=item, delayed=delayed)
        group = _tried(first, hits=hits, chaos=chaos, seed=seed, schedule=schedule)
        free_at = group[-1].at
        if item.name in hits[Word.DUPLICATE]:
            group.append(_again(group[-1], seed=seed))
        groups.append(group)
    # From the end: what is overtaken by what is overtaken itself comes after both.
    for group, following in reversed(list(pairwise(groups))):
        if group[0].item.name in hits[Word.REORDER]:
            first = next(one for one in following if not one.lost)
            overtaken_at = first.at + _OVERTAKEN_BY
            behind = overtaken_at - group[0].at
            group[:] = [
                replace(one, at=one.at + behind, free=True, reordered=one.kind is Kind.FIRST)
                for one in group
            ]
    return [one for group in groups for one in group]


def _tried(
    first: Planned[T],
    *,
    hits: Mapping[Word, frozenset[str]],
    chaos: Chaos,
    seed: int,
    schedule: Schedule,
) -> list[Planned[T]]:
    """The first sending, and the retry where the plan itself makes it fail."""
    name = first.item.name
    if name in hits[Word.LOSE]:
        return [replace(first, lost=True)]
    dropped = name in hits[Word.DROP]
    if not dropped and name not in hits[Word.ERROR]:
        return [first]
    wait_s = schedule.wait_s(1, chance=chance(seed, "retry", name))
    failed = replace(first, lost=dropped, pretended=None if dropped else chaos.status, last=False)
    at = first.at + timedelta(seconds=wait_s)
    return [failed, replace(first, at=at, attempt=2, kind=Kind.RETRY, delayed=False)]


def _again(before: Planned[T], *, seed: int) -> Planned[T]:
    """The same once more: the very request at once, or as another attempt some time later."""
    copy = replace(before, kind=Kind.DUPLICATE, delayed=False, free=True)
    if chance(seed, "at once", before.item.name) < 0.5:
        return copy
    later = before.at + _wait(seed, "how much later", before.item.name)
    return replace(copy, at=later, attempt=before.attempt + 1)


def _wait(seed: int, what: str, name: str) -> timedelta:
    seconds = chance(seed, what, name) * (LATEST - _SOONEST).total_seconds()
    return _SOONEST + timedelta(seconds=int(seconds))
