"""The routes of an account's clock: what it shows, and moving that of a sandbox forward."""

from __future__ import annotations

import msgspec

from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.clocks import ClockView, read_span
from milepost.errors import InvalidInput, NoSandbox
from milepost.orders.model import Moment, Name


class ClockMove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a clock is moved: `by` a length of time such as 3d or 1d12h, or `to` a time.

    With `step` it goes no further than to what comes due next, and not at all while something is
    under way; that is asked again, `to` the same time, until `now` has come to it.
    """

    by: Name | None = None
    to: Moment | None = None
    step: bool = False


async def show_clock(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.clocks.show(call.account_id))


async def advance_clock(call: Call[Nothing, ClockMove]) -> Answer:
    clocks, wanted = call.hub.clocks, call.body
    if wanted.step and wanted.to is None:
        raise InvalidInput(field="to", expected="the time that the steps lead to")
    by = None if wanted.by is None else read_span(wanted.by)
    goal = await clocks.goal(call.account_id, by=by, to=wanted.to)
    move = clocks.step if wanted.step else clocks.jump
    return Answer(await move(call.account_id, to=goal))


ROUTES = (
    Route(
        method="GET",
        path="/v1/clock",
        act=show_clock,
        name="showClock",
        summary="Read the time of the account, and in a sandbox what comes due next.",
        tag="clock",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ClockView},
    ),
    Route(
        method="POST",
        path="/v1/clock/advance",
        act=advance_clock,
        name="advanceClock",
        summary="Move the clock of a sandbox account forward, at once or step by step.",
        tag="clock",
        query=Nothing,
        body=ClockMove,
        answers={Status.OK: ClockView},
        problems=(InvalidInput, NoSandbox),
    ),
)
