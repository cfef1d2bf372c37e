"""A rehearsal through the hub itself: its orders and updates are decided on and told like any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from milepost.dashboard.plays import MOST_REQUESTS, Play, Row, life_steps
from milepost.errors import InvalidInput
from milepost.intake import Intake, OrderInput, OrderOutcome, UpdateInput
from milepost.orders.events import Verdict
from milepost.ports import OrderRef
from milepost.rehearsal.chaos import Chaos, Planned
from milepost.rehearsal.lives import lives
from milepost.rehearsal.tellings import Telling, planned_tellings

_TAKEN = frozenset((Verdict.APPLIED, Verdict.DUPLICATE))


def through_hub(
    play: Play,
    *,
    intake: Intake,
    store: str,
    orders: int,
    chaos: Chaos,
    start: datetime,
    every_s: float,
) -> Callable[[], Awaitable[None]]:
    """What tells the hub, which has this store of the account; `every_s` between two of them.

    Raises InvalidInput when that would be too much.
    """
    lived = lives(play.scenario, orders=orders, seed=play.seed, start=start)
    planned = planned_tellings(lived, chaos=chaos, seed=play.seed)
    if len(planned) > MOST_REQUESTS:
        raise InvalidInput(field="orders", expected=f"fewer: at most {MOST_REQUESTS} updates")
    play.expected = len(planned)
    play.steps.update(life_steps(lived))

    async def playing() -> None:
        for number, one in enumerate(planned, 1):
            row = _row(number, one)
            play.rows.append(row)
            play.changed()
            if one.lost:
                row.result = "not told"
                play.mark(row.order_key, one.item.name, "lost")
            else:
                await asyncio.sleep(every_s)
                await _tell(play, row, one.item, intake=intake, store=store)
            play.changed()

    return playing


def _row(number: int, one: Planned[Telling]) -> Row:
    happening = one.item.happening
    order = happening.after
    told = order.content if happening.update is None else happening.update
    said = [] if one.kind.value == "first" else [one.kind.value]
    said += ["overtaken"] if one.reordered else []
    said += ["late"] if one.delayed else []
    return Row(
        number,
        one.at,
        order.order_key,
        order.state.value,
        sent=msgspec.json.format(msgspec.json.encode(told), indent=2).decode(),
        remarks=", ".join(said),
    )


async def _tell(play: Play, row: Row, telling: Telling, *, intake: Intake, store: str) -> None:
    happening = telling.happening
    key = happening.after.order_key
    if happening.update is None:
        wanted = OrderInput(
            store,
            key,
            happening.after.content,
            source="rehearsal",
            occurred_at=happening.at,
        )
        (done,) = await intake.orders(play.account_id, [wanted])
        row.result = done.outcome.value
        row.good = done.outcome is not OrderOutcome.REFUSED
        row.answer = "" if done.refusal is None else str(done.refusal)
        order = done.order
    else:
        ref = OrderRef(play.account_id, store=store, order_key=key)
        (decided,) = await intake.updates(play.account_id, [UpdateInput(ref, happening.update)])
        row.result = decided.verdict.value
        row.good = decided.verdict in _TAKEN
        row.answer = decided.why
        order = decided.order
    row.order_id = None if order is None else order.order_id
    play.mark(key, telling.name, "told" if row.good else "refused")
