"""Our order beside what a provider answers of it: what differs, and the updates that mend it.

Both are looked at in the provider's words. Where both show the same words nothing differs, whatever
finer state ours is in; and what the provider does not tell is no difference either, so that a
poorer answer never takes anything away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from milepost.contracts.contract import Contract, Reading, Words
from milepost.errors import InvalidInput
from milepost.orders.events import Update
from milepost.orders.lifecycle import ENDS, RANK, State, way_to
from milepost.orders.model import Order, Parcel

LONGEST_WORD, LONGEST_NAME, LONGEST_URL = 200, 255, 2_048
MOST_PACKAGES = 100
"""Of one answer so many packages are read, the first that it tells."""

TOO_EARLY = timedelta(minutes=5)
"""A provider's time that is further ahead of ours than this is not believed."""


class Kind(StrEnum):
    """How an order of ours and a provider's differ."""

    STATE = "state"
    TRACKING = "tracking"
    UNKNOWN_THERE = "unknown_there"
    UNKNOWN_HERE = "unknown_here"
    UNMAPPED = "unmapped"


class Package(msgspec.Struct, frozen=True, gc=False):
    """A parcel as a provider tells it; None is what it does not say."""

    tracking_number: str | None = None
    tracking_url: str | None = None
    carrier: str | None = None
    carrier_service: str | None = None


class Theirs(msgspec.Struct, frozen=True, gc=False):
    """An order as a provider answers it, in its own words.

    `stores` are the provider's id and name of its store, where it says them; `told_at` is when it
    last changed by the provider's clock, None where it says no time.
    """

    order_key: str
    words: Words
    packages: tuple[Package, ...] = ()
    stores: tuple[str, ...] = ()
    told_at: datetime | None = None

    @property
    def word(self) -> str:
        """Its words as one text."""
        return said(self.words)


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing in which the two differ: what ours shows, what theirs does.

    `parcel` names the tracking number that it is about. `mend` is the update that would bring ours
    to theirs, without its source; None where nothing can.
    """

    kind: Kind
    ours: str = ""
    theirs: str = ""
    parcel: str = ""
    why: str = ""
    mend: Update | None = None


def said(words: Words) -> str:
    """Words as one text, for people."""
    return " / ".join(_plain(word) for word in words.values() if word)


def compare(
    contract: Contract, order: Order, theirs: Theirs, *, asked_at: datetime, trusted: bool
) -> tuple[Difference, ...]:
    """What differs, facts before the state, which is the order in which they are mended.

    `asked_at` is when the provider was asked. A word that would lead backwards becomes a correction
    where the source is `trusted`, and else an update that the lifecycle refuses.
    """
    found = list(_tracking(order, theirs))
    state = _state(contract, order, theirs, asked_at=asked_at, trusted=trusted)
    return (*found, state) if state is not None else tuple(found)


def unknown_there(order: Order, contract: Contract) -> Difference:
    """The difference of an order that the provider does not know."""
    return Difference(Kind.UNKNOWN_THERE, ours=said(contract.words(order)))


def unknown_here(theirs: Theirs) -> Difference:
    """The difference of an order that the provider has and we have not."""
    return Difference(Kind.UNKNOWN_HERE, theirs=theirs.word)


# the state


def _state(
    contract: Contract, order: Order, theirs: Theirs, *, asked_at: datetime, trusted: bool
) -> Difference | None:
    ours = contract.words(order)
    told = {name: word for name, word in theirs.words.items() if word and name in ours}
    if all(_plain(word) == ours[name] for name, word in told.items()):
        return None
    shown = Difference(Kind.STATE, said(ours), theirs.word)
    try:
        reading = contract.reads(theirs.words)
    except InvalidInput as error:
        why = f"{error.field}: no meaning is known of it"
        return msgspec.structs.replace(shown, kind=Kind.UNMAPPED, why=why)
    if contract.words(_as_read(order, reading)) == ours:
        # Another spelling of the same.
        return None
    mend = _step(order, reading, theirs, asked_at=asked_at, trusted=trusted)
    return msgspec.structs.replace(shown, mend=mend)


def _as_read(order: Order, reading: Reading) -> Order:
    return msgspec.structs.replace(
        order,
        state=reading.state or order.state,
        reason=reading.reason,
        updating=reading.updating,
    )


def _step(
    order: Order, reading: Reading, theirs: Theirs, *, asked_at: datetime, trusted: bool
) -> Update:
    target = reading.state
    update = Update(
        source="",
        state=target,
        reason=reading.reason,
        occurred_at=_moment(order, target, theirs.told_at, asked_at=asked_at),
        raw=theirs.word[:LONGEST_WORD],
        updating=reading.updating if reading.updating or order.updating else None,
        trusted=trusted,
    )
    if not trusted or target is None or not _leads_back(order.state, target):
        return update
    note = f"the provider shows {theirs.word[:LONGEST_WORD]}"
    return msgspec.structs.replace(update, correction=True, note=note)


def _leads_back(here: State, target: State) -> bool:
    return way_to(here, target) is None and way_to(here, target, correction=True) is not None


def _moment(
    order: Order, target: State | None, told_at: datetime | None, *, asked_at: datetime
) -> datetime:
    """When the provider's word counts from.

    What leads forward counts from the moment of asking: it is so by then, whatever the provider's
    clock says. What does not counts from the provider's own time, so that it cannot undo what
    somebody else has told since.
    """
    if told_at is None or told_at > asked_at + TOO_EARLY:
        return asked_at
    forward = target is not None and _is_forward(order.state, target)
    return asked_at if forward else told_at


def _is_forward(here: State, target: State) -> bool:
    if way_to(here, target) is None:
        return False
    if target in ENDS:
        return here not in ENDS
    return RANK.get(target, -1) > RANK.get(here, len(RANK))


# parcels


def _tracking(order: Order, theirs: Theirs) -> Iterator[Difference]:
    packages = [one for one in theirs.packages if one.tracking_number]
    bare = [one for one in theirs.packages if not one.tracking_number]
    unclaimed = [p for p in order.parcels if p.tracking_number is None]
    known = {p.tracking_number: p for p in order.parcels if p.tracking_number}
    relabeled = _relabeled(order, packages)
    for package in packages:
        parcel = known.get(package.tracking_number or "") or relabeled
        if parcel is None and unclaimed:
            parcel = unclaimed.pop(0)
        difference = _of_package(parcel, package)
        if difference is not None:
            yield difference
    if not packages and len(bare) == 1 and len(order.parcels) <= 1:
        difference = _of_package(order.parcels[0] if order.parcels else None, bare[0])
        if difference is not None:
            yield difference


def _relabeled(order: Order, packages: Sequence[Package]) -> Parcel | None:
    """The only parcel, where the provider has one as well and gives it another number."""
    if len(order.parcels) == 1 == len(packages) and order.parcels[0].tracking_number is not None:
        return order.parcels[0]
    return None


def _of_package(parcel: Parcel | None, package: Package) -> Difference | None:
    facts: dict[str, str] = {}
    for name in Package.__struct_fields__:
        told = getattr(package, name)
        if told and not _alike(told, None if parcel is None else getattr(parcel, name)):
            facts[name] = told
    if not facts:
        return None
    ours = None if parcel is None else _shown(parcel)
    # A parcel is named by its own name, so that another number relabels it and adds none.
    named = Update(source="", parcel=None if parcel is None else parcel.parcel)
    return Difference(
        Kind.TRACKING,
        ours=ours or "",
        theirs=_shown(package),
        parcel=package.tracking_number or "",
        mend=msgspec.structs.replace(named, **facts),
    )


def _alike(told: str, known: str | None) -> bool:
    return known is not None and told.casefold() == known.casefold()


def _shown(one: Parcel | Package) -> str:
    parts = (one.carrier, one.carrier_service, one.tracking_number)
    return " ".join(part for part in parts if part)


def _plain(word: str) -> str:
    return " ".join(word.split())


# reading what a provider answers, of which nothing is trusted


def decoded(raw: bytes) -> object:
    """The JSON of an answer. Raises InvalidInput."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(field="", expected="an answer in JSON") from None


def member(value: object, name: str) -> object:
    """A member of a JSON object; None where there is none."""
    return value.get(name) if isinstance(value, dict) else None


def text(value: object, *, most: int = LONGEST_NAME) -> str | None:
    """A text or a whole number as text; None for all else, and for what is empty or too long."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    found = _plain(str(value))
    return found if found and len(found) <= most and "\0" not in found else None


def items(value: object) -> Sequence[object]:
    """The items of a JSON array; none for all else."""
    return value if isinstance(value, list) else ()
