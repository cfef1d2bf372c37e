"""The rooms' tables as Markdown, for documents that then cannot differ from what is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, permutations

from milepost.contracts.contract import Contract, Words
from milepost.delivery.retry import Schedule
from milepost.orders.lifecycle import REASONS, Reason, State
from milepost.orders.model import Order, OrderContent

NO_CHANGE = "no change"
_BEFORE = (State.VERIFIED, State.PACKED)
"""Two states that every contract shows differently: what shows both alike shows no change."""
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def mapping_table(rooms: Mapping[str, Contract]) -> str:
    """What each provider's contract shows of each state."""
    providers = [room for room in rooms.values() if not room.shows_others]
    rows = [
        (_named(state, reason), *(_shown(room, state, reason) for room in providers))
        for state, reason in states()
    ]
    return _table(("state", *(room.title for room in providers)), rows)


def statuses_table(room: Contract) -> str:
    """Each word of a contract: whether it is notified, what it reads as and what shows it."""
    rows = [
        (
            f"`{word}`",
            "yes" if word in room.sends else "no",
            _reading(room, word),
            ", ".join(_named(*pair) for pair in states() if word in _values(room, *pair)),
        )
        for word in room.statuses
    ]
    return _table(("value", "notified", "read as", "shown for"), rows)


def merges_table(origin: Contract, target: Contract) -> str:
    """Which words of one contract look the same in the other, after going through Milepost."""
    ends: dict[str, list[str]] = {}
    for word in origin.statuses:
        order = _read(origin, word)
        shown = NO_CHANGE if order is None else _shown(target, order.state, order.reason)
        ends.setdefault(shown, []).append(f"`{word}`")
    rows = [(shown, ", ".join(words)) for shown, words in ends.items()]
    return _table((target.title, f"{origin.title}: what ends there"), rows)


def mapping_page(rooms: Mapping[str, Contract]) -> str:
    """What each state becomes in the providers' words and what is lost between them, as a page."""
    providers = [room for room in rooms.values() if not room.shows_others]
    parts = ["# The mapping between the contracts", mapping_table(rooms).strip()]
    for origin, target in permutations(providers, 2):
        parts += [f"## From {origin.title} to {target.title}", merges_table(origin, target).strip()]
    return "\n\n".join(parts) + "\n"


def schedules_table(room: Contract) -> str:
    """The schedules of a contract, the default first, each with its published source."""
    rows = [
        (f"`{s.name}`", str(s.attempts), _waits(s), span(sum(s.waits_s)), s.source)
        for s in room.schedules
    ]
    return _table(("name", "attempts", "waits", "in all", "source"), rows)


def states() -> Iterator[tuple[State, Reason | None]]:
    """Every state, and those that take a reason with each of their reasons."""
    for state in State:
        yield state, None
        yield from ((state, reason) for reason in Reason if reason in REASONS.get(state, ()))


def example(
    state: State,
    reason: Reason | None = None,
    *,
    previous_state: State | None = None,
    updating: bool = False,
) -> Order:
    """An order of which no more is known than its state."""
    return Order(
        account_id="",
        order_id="",
        store="",
        order_key="",
        state=state,
        state_at=_ANY_TIME,
        sequence=1,
        created_at=_ANY_TIME,
        updated_at=_ANY_TIME,
        content=OrderContent(),
        reason=reason,
        previous_state=previous_state,
        updating=updating,
    )


def span(seconds: int) -> str:
    """A number of seconds in its two largest units."""
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _waits(schedule: Schedule) -> str:
    spreads = schedule.spreads_s or (0,) * len(schedule.waits_s)
    waits = [
        span(wait) + (f" + up to {span(spread)}" if spread else "")
        for wait, spread in zip(schedule.waits_s, spreads, strict=True)
    ]
    runs = [(wait, len(list(same))) for wait, same in groupby(waits)]
    return ", ".join(f"{count} × {wait}" if count > 1 else wait for wait, count in runs)


def _named(state: State, reason: Reason | None) -> str:
    return f"{state} ({reason})" if reason else state.value


def _shown(room: Contract, state: State, reason: Reason | None) -> str:
    seen = {_said(room.words(example(state, reason, previous_state=before))) for before in _BEFORE}
    return seen.pop() if len(seen) == 1 else NO_CHANGE


def _values(room: Contract, state: State, reason: Reason | None) -> Iterable[str | None]:
    if _shown(room, state, reason) == NO_CHANGE:
        return ()
    return room.words(example(state, reason)).values()


def _said(words: Words) -> str:
    return " / ".join(f"`{word}`" for word in words.values() if word is not None)


def _reading(room: Contract, word: str) -> str:
    order = _read(room, word)
    return "a flag over the state" if order is None else _named(order.state, order.reason)


def _read(room: Contract, word: str) -> Order | None:
    """The order that a word is read as; None where it says only that an edit is taken in."""
    orders = (*(example(*pair) for pair in states()), example(State.SUBMITTED, updating=True))
    said = next(words for order in orders if word in (words := room.words(order)).values())
    reading = room.reads(said)
    return None if reading.state is None else example(reading.state, reading.reason)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
