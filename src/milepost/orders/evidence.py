"""What one update is worth beside what is known: which is newer, and whose word stands."""

from __future__ import annotations

from datetime import datetime

import msgspec

from milepost.orders.events import Update
from milepost.orders.lifecycle import (
    CARRIER,
    ENDS,
    MAIN_LINE,
    RANK,
    Edge,
    Reason,
    State,
    way_to,
)
from milepost.orders.model import Order, Parcel, ParcelDetails

_FACTS = ("carrier", "carrier_service", "tracking_number", "tracking_url")


class Known(msgspec.Struct, frozen=True, gc=False):
    """Where something is, since when, and who said so; `at` is None while nothing was said."""

    state: State
    reason: Reason | None
    at: datetime | None
    sequence: int | None
    told_by: str | None
    precedence: int


def known_of(order: Order) -> Known:
    """What is known of an order as a whole."""
    return Known(
        order.state,
        order.reason,
        order.known_at,
        order.source_sequence,
        order.told_by,
        order.precedence,
    )


def known_of_parcel(order: Order, parcel: Parcel, *, with_carrier: bool) -> Known:
    """The same for one parcel; until a carrier has any, each is where the order is."""
    if not with_carrier:
        return known_of(order)
    return Known(
        parcel.state or State.SHIPPED,
        None,
        parcel.state_at,
        parcel.source_sequence,
        parcel.told_by,
        parcel.precedence,
    )


def meant(update: Update, target: State, known: Known) -> tuple[State, Reason | None]:
    """Which of the states that the source's word stands for it means of what is here.

    A coarse word never takes back a finer one that it stands for as well; and where its usual
    state cannot be reached, another that it stands for is what happened.
    """
    usual = (target, update.reason)
    here = known.state
    if not update.covers or here is target:
        return usual
    if (here, known.reason) in update.covers and not _is_behind(here, target):
        return here, known.reason
    if way_to(here, target) is not None:
        return usual
    for state, reason in update.covers:
        alike = (state in CARRIER) is (target in CARRIER) and not _is_behind(state, target)
        if alike and (way_to(here, state) or (state is here and reason is not None)):
            return state, reason
    return usual


def _is_behind(state: State, target: State) -> bool:
    """Whether it comes before the other on the main line, where both are on it."""
    return RANK.get(state, len(MAIN_LINE)) < RANK.get(target, -1)


def is_correcting(update: Update) -> bool:
    """Whether the update is a correction, which may tell of an earlier time than what is known."""
    return _asks_to_correct(update) and not update.current


def corrects(update: Update, known: Known, *, at: datetime) -> bool:
    """Whether the update may take an edge of the correction class from here.

    A current word of a trusted source needs not ask for it: it takes back what this source said,
    or one of lower precedence, where it is evidently the later word.
    """
    if not update.current:
        return _asks_to_correct(update)
    return update.trusted and _is_later_word(update, known, at=at)


def untold(
    update: Update, target: State, known: Known, *, at: datetime
) -> tuple[tuple[State, ...], Edge] | None:
    """The states that a current word's order must have passed, and the edge from there; or None.

    What a carrier has was shipped, told or not. Between any two others something is only made out
    where the word is evidently the later one, as a late one would turn things back.
    """
    here = known.state
    if not update.current or here is target or way_to(here, target, correction=True):
        return None
    shipped = target in CARRIER and here not in CARRIER
    between = _BETWEEN if _is_later_word(update, known, at=at) else ()
    for via in (State.SHIPPED, *between) if shipped else between:
        edge = way_to(via, target)
        if edge is not None and way_to(here, via) is not None:
            return (via,), edge
    back = way_to(State.RETURNING, target)
    if shipped and target is State.RETURNED and back and way_to(here, State.SHIPPED):
        return (State.SHIPPED, State.RETURNING), back
    return None


def numbers_later(update: Update, known: Known) -> bool:
    """Whether a word says again what is known and skips numbers of its source on the way.

    It has to be remembered: what comes late of those between is older.
    """
    later = update.current and _is_numbered(update, known)
    return later and _sequence_of(update) > (known.sequence or 0) + 1


def older_beside(order: Order, update: Update) -> str:
    """Why a word that would make a new parcel is older than what its source has told since."""
    if not update.current:
        return ""
    told, known_at = update.source_sequence, order.known_at
    if told is not None:
        numbers = [(p.told_by, p.source_sequence or 0) for p in order.parcels]
        numbers.append((order.told_by, order.source_sequence or 0))
        latest = max((number for source, number in numbers if source == update.source), default=0)
        return f"{update.source}'s sequence {told} is before its {latest}" * (told < latest)
    if update.whole and update.occurred_at is not None and known_at is not None:
        why = f"it happened at {update.occurred_at.isoformat()}, before {known_at.isoformat()}"
        return why * (update.occurred_at < known_at)
    return ""


_BETWEEN = tuple(state for state in (*MAIN_LINE, *State) if state not in ENDS)


def _asks_to_correct(update: Update) -> bool:
    return update.correction and update.trusted and bool(update.note and update.note.strip())


def _is_later_word(update: Update, known: Known, *, at: datetime) -> bool:
    """Whether a source goes on from its own word, or overrules one of lower precedence."""
    if known.at is None:
        return True
    own = update.teller == known.told_by
    if not own and update.precedence <= known.precedence:
        return False
    if _is_numbered(update, known):
        return _sequence_of(update) > (known.sequence or 0)
    if update.occurred_at is None:
        return False
    return at > known.at or (at == known.at and not own)


def older(update: Update, target: State, known: Known, *, at: datetime) -> str:
    """Why the update is older than what is known, or nothing when it is not.

    The order of evidence is that of the lifecycle.
    """
    if known.at is None:
        return ""
    numbered = _is_numbered(update, known)
    if at != known.at and not (numbered and (update.occurred_at is None or update.current)):
        return "" if at > known.at else _happened_before(known, at=at)
    if numbered:
        told = _sequence_of(update)
        late = told < (known.sequence or 0)
        return f"{update.source}'s sequence {told} is before its {known.sequence}" if late else ""
    if target is known.state:
        return ""
    others = known.told_by is not None and known.told_by != update.teller
    if others and update.precedence != known.precedence:
        why = f"of the same moment {known.told_by} says {known.state}, and goes before"
        return f"{why} {update.source}" * (update.precedence < known.precedence)
    here = known.state
    if _is_behind(target, here) and not way_to(here, target):
        return f"at the same time, {target} comes before {here} on the main line{_told_by(known)}"
    return ""


def _happened_before(known: Known, *, at: datetime) -> str:
    since = "" if known.at is None else known.at.isoformat()
    return f"it happened at {at.isoformat()}, before {since}{_told_by(known)}"


def _told_by(known: Known) -> str:
    return f", which {known.told_by} told" if known.told_by else ""


def _is_numbered(update: Update, known: Known) -> bool:
    """Whether numbers tell the two apart: only those of one source can be compared."""
    told = update.source_sequence
    return (
        told is not None
        and known.sequence is not None
        and told != known.sequence
        and update.teller == known.told_by
    )


def _sequence_of(update: Update) -> int:
    return update.source_sequence or 0


def with_facts(parcel: Parcel, update: Update, *, moving: bool = False) -> Parcel:
    """The parcel with all that the update adds; a poorer update never erases a richer fact.

    What is known and told differently is replaced, but not by a source of lower precedence than
    the one that told the parcel's state, unless that moves on with it (`moving`), or it says that
    it happened later.
    """
    outranked = (
        update.precedence < parcel.precedence and not moving and not _is_later(update, parcel)
    )
    facts = {
        name: told
        for name in _FACTS
        if (told := getattr(update, name)) is not None
        and told != (known := getattr(parcel, name))
        and not (outranked and known is not None)
    }
    if update.details is not None:
        details = _merged_details(parcel.details, update.details, outranked=outranked)
        if details != parcel.details:
            return msgspec.structs.replace(parcel, details=details, **facts)
    return msgspec.structs.replace(parcel, **facts) if facts else parcel


def _is_later(update: Update, parcel: Parcel) -> bool:
    at, known_at = update.occurred_at, parcel.state_at
    return at is not None and known_at is not None and at > known_at


def _merged_details(
    known: ParcelDetails | None, told: ParcelDetails, *, outranked: bool
) -> ParcelDetails:
    if known is None:
        return told
    first, second = (known, told) if outranked else (told, known)
    return ParcelDetails(
        number=first.number if first.number is not None else second.number,
        weight=first.weight or second.weight,
        items=first.items or second.items,
        extensions={**second.extensions, **first.extensions},
    )
