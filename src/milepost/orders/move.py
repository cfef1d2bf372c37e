"""Decides what one update does to one order; the only place where a state changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from milepost.orders.corrections import TOLD_BEFORE, remembering, told_before
from milepost.orders.events import EventType, Move, OrderEvent, Update, Verdict
from milepost.orders.evidence import (
    Known,
    corrects,
    is_correcting,
    known_of,
    known_of_parcel,
    meant,
    numbers_later,
    older,
    older_beside,
    untold,
    with_facts,
)
from milepost.orders.lifecycle import (
    CARRIER,
    ENDS,
    HARD_ENDS,
    MOVING,
    REASONS,
    SOFT_ENDS,
    Edge,
    EdgeClass,
    Reason,
    State,
    passed_over,
    way_to,
)
from milepost.orders.model import Order, Parcel, least_advanced, rolled_up
from milepost.orders.naming import adopting, parcels_named

MOST_PARCELS = 500

OTHERWISE = "its source says otherwise now"
"""The note of a correction that its source did not call one."""

ERASED = "the order's personal data was erased; it takes nothing more"


class _Judgement(msgspec.Struct, frozen=True, gc=False):
    """What an update means for one thing that has a state: an order or a parcel."""

    verdict: Verdict
    why: str = ""
    edge: Edge | None = None
    via: tuple[State, ...] = ()


# Where the table has no direct way, an order goes through one state that a parcel of it was in:
# the last one was delivered after another came back, so that on the whole the order returned; one
# moves on although the order had ended; the last that was on its way back was delivered after all.
_THROUGH: tuple[tuple[frozenset[State], State, frozenset[State]], ...] = (
    (frozenset(State), State.RETURNING, frozenset((State.RETURNED,))),
    (
        frozenset((State.UNTRACKED, State.EXPIRED)),
        State.IN_TRANSIT,
        frozenset((*MOVING, State.UNDELIVERABLE, State.EXPIRED)),
    ),
    (frozenset((State.RETURNING,)), State.EXPIRED, frozenset((State.DELIVERED,))),
)

_BEHIND = frozenset((State.SHIPPED, State.INFO_RECEIVED))
_ON_THE_WAY = frozenset((*MOVING, State.UNDELIVERABLE, State.RETURNING))

_DUPLICATE = _Judgement(Verdict.DUPLICATE, "the same state and the same facts are known")
_EARLIER = _Judgement(Verdict.DUPLICATE, "an earlier scan, which its source tells again")
_NEW_FACTS = _Judgement(Verdict.APPLIED, "new facts")


def move(order: Order, update: Update, *, now: datetime) -> Move:
    """The order after this update, the event that happened, and the verdict.

    Applying the same update twice changes nothing the second time. Nothing is raised: an update
    that may not be applied comes back with its verdict and the order as it was.
    """
    if order.erased_at is not None:
        return Move(order, None, Verdict.ILLEGAL, ERASED)
    if told_before(order, update):
        return Move(order, None, Verdict.DUPLICATE, TOLD_BEFORE)
    adopted = adopting(order, update)
    if adopted is order:
        return _move(order, update, now=now)
    moved = _move(adopted, update, now=now)
    return moved if moved.event is not None else msgspec.structs.replace(moved, order=order)


def _move(order: Order, update: Update, *, now: datetime) -> Move:
    at = update.occurred_at or now
    target = order.state if update.state is None else update.state
    if update.reason is not None and update.reason not in REASONS.get(target, ()):
        return Move(order, None, Verdict.ILLEGAL, f"{target} takes no reason {update.reason}")
    named = parcels_named(order, update)
    if len(order.parcels) + sum(p not in order.parcels for p in named) > MOST_PARCELS:
        return Move(order, None, Verdict.ILLEGAL, f"an order has at most {MOST_PARCELS} parcels")
    if update.state is not None and target in CARRIER:
        return _carrier_word(order, update, named, target, at=at, now=now)
    return _order_word(order, update, named, target, at=at, now=now)


def _judge(
    update: Update,
    *,
    target: State,
    known: Known,
    at: datetime,
) -> _Judgement:
    """Whether the step is newer and legal; the order of evidence is that of the lifecycle."""
    here = known.state
    if not is_correcting(update):
        stale = older(update, target, known, at=at)
        if stale and update.past:
            return _EARLIER
        if stale:
            return _Judgement(Verdict.STALE, stale)
    if here is target:
        return _NEW_FACTS
    edge = way_to(here, target, correction=corrects(update, known, at=at))
    if edge is not None:
        return _Judgement(Verdict.APPLIED, edge.why, edge)
    if (passed := untold(update, target, known, at=at)) is not None:
        via, edge = passed
        why = f"by way of {' and '.join(via)}: {edge.why}"
        return _Judgement(Verdict.APPLIED, why, edge, via)
    if way_to(here, target, correction=True) is not None:
        why = f"{here} → {target} is a correction: it needs a trusted source and a note"
        return _Judgement(Verdict.ILLEGAL, why)
    return _Judgement(Verdict.ILLEGAL, f"there is no way from {here} to {target}")


def _order_word(
    order: Order,
    update: Update,
    named: tuple[Parcel, ...],
    target: State,
    *,
    at: datetime,
    now: datetime,
) -> Move:
    """An update that names no carrier state: one of the order itself, or facts alone."""
    told = {p.parcel: with_facts(p, update) for p in named}
    target, reason = meant(update, target, known_of(order))
    reason = reason or (order.reason if target is order.state else None)
    parcels = _replaced(order.parcels, told, update, now=now)
    same = target is order.state and reason is order.reason
    same = same and not _flags(order, update) and parcels == order.parcels
    if same and not numbers_later(update, known_of(order)):
        return Move(order, None, _DUPLICATE.verdict, _DUPLICATE.why)
    known = known_of(order)
    if update.state is None and update.reason is None:
        known = msgspec.structs.replace(known, at=None)
    judgement = _judge(update, target=target, known=known, at=at)
    if judgement.verdict is not Verdict.APPLIED:
        return Move(order, None, judgement.verdict, judgement.why)
    correcting = corrects(update, known, at=at)
    if target in CARRIER and _follow(order, parcels, correcting=correcting) is None:
        return Move(order, None, Verdict.ILLEGAL, f"a new parcel would reopen a {target} order")
    if order.state in CARRIER and target not in CARRIER:
        parcels = tuple(
            msgspec.structs.replace(
                p, state=None, state_at=None, source_sequence=None, told_by=None, precedence=0
            )
            for p in parcels
        )
    moved = _moved(order, update, target, reason=reason, parcels=parcels, at=at, now=now)
    only = named[0].parcel if len(named) == 1 else None
    corrected = _is_correction(judgement.edge)
    event = _event(order, moved, update, parcel=only, corrected=corrected, at=at, now=now)
    if judgement.via:
        event = msgspec.structs.replace(event, skipped=judgement.via)
    return Move(moved, event, Verdict.APPLIED, judgement.why)


def _flags(order: Order, update: Update) -> bool:
    """Whether the update sets or takes back that an edit is being taken in."""
    return update.updating is not None and update.updating != order.updating


def _is_correction(edge: Edge | None) -> bool:
    return edge is not None and edge.edge_class is EdgeClass.CORRECTION


def _carrier_word(
    order: Order,
    update: Update,
    named: tuple[Parcel, ...],
    target: State,
    *,
    at: datetime,
    now: datetime,
) -> Move:
    """An update with a carrier's state: parcels move, and the order follows the least of them."""
    if target is State.EXPIRED and all(p.state is State.UNTRACKED for p in named):
        over = _time_is_over(order, update, named, at=at, now=now)
        if over is not None:
            return over
    with_carrier = any(p.state is not None for p in order.parcels)
    judged: dict[str, _Judgement] = {}
    told: dict[str, Parcel] = {}
    for parcel in (*named, *_others_of(order, update, named)):
        known = known_of_parcel(order, parcel, with_carrier=with_carrier)
        new = parcel not in order.parcels
        # What is new beside others is where a word about them all takes the order.
        goal, _ = meant(update, target, known_of(order) if new and update.whole else known)
        moving = parcel.state is not goal
        richer = with_facts(parcel, update, moving=moving) if parcel in named else parcel
        judgement = _judge_parcel(order, update, parcel, richer, goal, known=known, at=at)
        if new and (stale := older_beside(order, update)):
            judgement = _Judgement(Verdict.STALE, stale)
        judged[parcel.parcel] = judgement
        if judgement.verdict is Verdict.APPLIED:
            again = parcel.state is goal and numbers_later(update, known)
            told[parcel.parcel] = _at_state(richer, update, goal, again=again, at=at)
    if not told:
        repeated = _DUPLICATE in judged.values()
        judgement = _DUPLICATE if repeated else judged[least_advanced(named).parcel]
        return Move(order, None, judgement.verdict, judgement.why)
    parcels = _replaced(order.parcels, told, update, now=now)
    correcting = update.correction and corrects(update, known_of(order), at=at)
    correcting = correcting or any(_is_correction(j.edge) for j in judged.values())
    step = _passed(order, update, parcels, at=at) if any(j.via for j in judged.values()) else None
    step = step or _follow(order, parcels, correcting=correcting)
    if step is None:
        why = f"with this parcel the order would leave {order.state}"
        return Move(order, None, Verdict.ILLEGAL, why)
    goal, skipped, edge = step
    moved = _moved(order, update, goal, reason=None, parcels=parcels, at=at, now=now)
    only = next(iter(told.values())) if len(told) == 1 else None
    name = only.parcel if only else None
    corrected = any(_is_correction(e) for e in (edge, *(j.edge for j in judged.values())))
    event = msgspec.structs.replace(
        _event(order, moved, update, parcel=name, corrected=corrected, at=at, now=now),
        parcel_state=target if only is None else only.state,
    )
    if skipped:
        event = msgspec.structs.replace(event, skipped=skipped)
    why = next(j.why for j in judged.values() if j.verdict is Verdict.APPLIED)
    return Move(moved, event, Verdict.APPLIED, why)


def _time_is_over(
    order: Order, update: Update, named: tuple[Parcel, ...], *, at: datetime, now: datetime
) -> Move | None:
    """Ends an order that waits beside parcels without tracking, when these are said to expire.

    The parcels stay where they are: the table has no way from untracked to expired. The order has
    one, and without it would wait for ever, once all its other parcels have ended. None where the
    order has ended already, or another parcel is still on its way.
    """
    told = {p.parcel: with_facts(p, update) for p in named}
    parcels = _replaced(order.parcels, told, update, now=now)
    if order.state is State.EXPIRED and parcels == order.parcels and not _flags(order, update):
        return Move(order, None, _DUPLICATE.verdict, _DUPLICATE.why)
    if order.state in ENDS or any(p.state not in ENDS for p in order.parcels):
        return None
    judgement = _judge(update, target=State.EXPIRED, known=known_of(order), at=at)
    if judgement.verdict is not Verdict.APPLIED:
        return Move(order, None, judgement.verdict, judgement.why)
    moved = _moved(order, update, State.EXPIRED, reason=None, parcels=parcels, at=at, now=now)
    only = named[0].parcel if len(named) == 1 else None
    event = _event(order, moved, update, parcel=only, corrected=False, at=at, now=now)
    return Move(moved, event, Verdict.APPLIED, judgement.why)


def _judge_parcel(
    order: Order,
    update: Update,
    parcel: Parcel,
    richer: Parcel,
    target: State,
    *,
    known: Known,
    at: datetime,
) -> _Judgement:
    """What the update means for one parcel."""
    same = parcel.state is target and richer == parcel and not _flags(order, update)
    if same and not numbers_later(update, known):
        return _DUPLICATE
    return _judge(update, target=target, known=known, at=at)


def _others_of(order: Order, update: Update, named: tuple[Parcel, ...]) -> Iterator[Parcel]:
    """The parcels that a word about the whole order moves beside those that its facts name.

    Only what its own source said of them, or nobody: another source that follows a parcel by
    itself knows better.
    """
    if update.whole:
        for parcel in order.parcels:
            own = parcel.state is None or parcel.told_by == update.teller
            if own and parcel not in named:
                yield parcel


def _follow(
    order: Order, parcels: tuple[Parcel, ...], *, correcting: bool
) -> tuple[State, tuple[State, ...], Edge | None] | None:
    """Where the order goes with these parcels, what it passes and by which edge; None: it may not.

    An order that is on its way stays where it is when a new parcel is behind it: the table has no
    way back to shipped, and the parcel's own line tells. An order that has ended for good must be
    corrected.
    """
    goal = rolled_up(parcels) or order.state
    if order.state in SOFT_ENDS and goal in _BEHIND:
        # A late scan reopens the order even beside a parcel that it cannot go back to.
        goal = rolled_up(tuple(p for p in parcels if p.state in _ON_THE_WAY)) or goal
    if goal is order.state:
        return goal, (), None
    edge = way_to(order.state, goal, correction=correcting)
    if edge is not None:
        return goal, (), edge
    for origins, via, goals in _THROUGH:
        onward = way_to(order.state, via)
        if order.state in origins and goal in goals and onward is not None:
            return goal, (via,), onward
    if order.state in HARD_ENDS or order.state is State.DELIVERED or order.state not in CARRIER:
        return None
    return order.state, (), None


def _passed(
    order: Order, update: Update, parcels: tuple[Parcel, ...], *, at: datetime
) -> tuple[State, tuple[State, ...], Edge | None] | None:
    """Where a current word takes an order that is with no carrier yet, as `_follow` has it."""
    goal = rolled_up(parcels) or order.state
    passed = untold(update, goal, known_of(order), at=at)
    return None if passed is None else (goal, *passed)


def _at_state(
    parcel: Parcel, update: Update, target: State, *, again: bool, at: datetime
) -> Parcel:
    if parcel.state is target:
        if again:
            return msgspec.structs.replace(parcel, source_sequence=update.source_sequence)
        return parcel
    return msgspec.structs.replace(
        parcel,
        state=target,
        state_at=at,
        source_sequence=update.source_sequence,
        told_by=update.teller,
        precedence=update.precedence,
    )


def _replaced(
    parcels: tuple[Parcel, ...], told: dict[str, Parcel], update: Update, *, now: datetime
) -> tuple[Parcel, ...]:
    known = {p.parcel for p in parcels}
    return (
        *(told.get(p.parcel, p) for p in parcels),
        *(
            msgspec.structs.replace(
                p, created_at=now, told_by=update.teller, precedence=update.precedence
            )
            for name, p in told.items()
            if name not in known
        ),
    )


def _moved(
    order: Order,
    update: Update,
    target: State,
    *,
    reason: Reason | None,
    parcels: tuple[Parcel, ...],
    at: datetime,
    now: datetime,
) -> Order:
    changed = target is not order.state or reason is not order.reason
    number = order.source_sequence
    if changed or numbers_later(update, known_of(order)):
        number = update.source_sequence
    shipped_at = order.shipped_at
    if target in CARRIER:
        shipped_at = shipped_at or at
    elif order.state in CARRIER:
        shipped_at = None
    return msgspec.structs.replace(
        order,
        state=target,
        reason=reason,
        previous_state=order.state if target is not order.state else order.previous_state,
        state_at=at if changed else order.state_at,
        source_sequence=number,
        told_by=update.teller if changed else order.told_by,
        precedence=update.precedence if changed else order.precedence,
        sequence=order.sequence + 1,
        updated_at=now,
        shipped_at=shipped_at,
        parcels=parcels,
        updating=order.updating if update.updating is None else update.updating,
        corrections=remembering(order, update),
    )


def _event(
    before: Order,
    after: Order,
    update: Update,
    *,
    parcel: str | None,
    corrected: bool,
    at: datetime,
    now: datetime,
) -> OrderEvent:
    changed = after.state is not before.state or after.reason is not before.reason
    return OrderEvent(
        account_id=after.account_id,
        order_id=after.order_id,
        sequence=after.sequence,
        type=EventType.STATE_CHANGED if changed else EventType.UPDATED,
        state=after.state,
        previous_state=before.state,
        reason=after.reason,
        source=update.source,
        raw=update.raw,
        occurred_at=at,
        received_at=now,
        parcel=parcel,
        skipped=passed_over(before.state, after.state),
        correction=corrected,
        note=OTHERWISE if corrected and not update.note else update.note,
    )
