"""The sandbox: a scenario is chosen, played to a receiver or through the hub, and watched.

It sends to nobody but the account's own endpoints; what it sends is what the hub would.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from milepost.clocks import ClockView, read_span
from milepost.contracts import ROOMS
from milepost.dashboard.page import Events, Flash, Gone, Page, Result, Shown, View
from milepost.dashboard.plays import (
    MOST_ORDERS,
    MOST_REQUESTS,
    AlreadyPlaying,
    Play,
    begin,
    play_of,
    stop,
    to_receiver,
)
from milepost.dashboard.plays_hub import through_hub
from milepost.delivery.model import Endpoint, Operational
from milepost.errors import InvalidInput, MilepostError, UnknownRecord
from milepost.people import Right
from milepost.rehearsal.chance import signing_secret, start_of
from milepost.rehearsal.chaos import USUAL_RATE, WHAT_IT_DOES, Chaos, Word, read_chaos
from milepost.rehearsal.scenarios import SCENARIOS, find
from milepost.rehearsal.sends import endpoint_at
from milepost.rehearsal.tellings import OF_UPDATES

PLACE = "/sandbox"
TEMPLATE = "sandbox/show.html"
PARTS = ("status", "lines", "requests", "exact", "report")
LOOKS_EVERY_S = 1.0
AT_LEAST_S = 0.15
"""So long it waits between two looks, however much happens."""

HUB, SHOW = "hub", "show:"
STORE, STORE_TITLE = "rehearsal", "Rehearsals"
LARGEST_SEED = 10**9
_NEEDED: Mapping[str, bytes] = MappingProxyType({"withings": b'{"customer_id":"4711"}'})
"""Options that a receiver that is not there cannot do without."""

SPEEDS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "watch": ("one a second", 1.0),
        "brisk": ("five a second", 0.2),
        "max": ("as fast as it is answered", 0.0),
    }
)
CLOCK_STEPS = ("1h", "1d", "3d", "45d")
FIELDS = ("scenario", "to", "speed", "seed", "orders", "chaos", "by")


class Wanted(msgspec.Struct, frozen=True):
    """What the form asks for; `to` is an endpoint's id, `hub`, or `show:` and a contract."""

    scenario: str
    to: str
    seed: Annotated[int, Meta(ge=0, le=LARGEST_SEED)] | None = None
    orders: Annotated[int, Meta(ge=1, le=MOST_ORDERS)] = 1
    speed: str = "watch"


class Move(msgspec.Struct, frozen=True):
    """How far the test clock is to go."""

    by: str


async def show(view: View) -> Result:
    if view.account is None:
        return Shown(TEMPLATE, {"account": None})
    return Shown(TEMPLATE, await _context(view))


async def _context(
    view: View, *, form: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> dict[str, Any]:
    endpoints = await _endpoints(view)
    clock = await view.hub.clocks.show(view.account_id) if _is_sandbox(view) else None
    play = play_of(view.account_id)
    given = {**_form_of(view, play=play, endpoints=endpoints), **(form or {})}
    return {
        "account": view.account,
        "endpoints": endpoints,
        "receivers": _receivers(view, endpoints),
        "scenarios": SCENARIOS.values(),
        "chaos": [(word.value, WHAT_IT_DOES[word], USUAL_RATE[word]) for word in Word],
        "chosen_chaos": given.get("chaos", "").split(","),
        "speeds": [(name, text) for name, (text, _) in SPEEDS.items()],
        "most_orders": MOST_ORDERS,
        "most_requests": MOST_REQUESTS,
        "form": given,
        "errors": {**dict.fromkeys(FIELDS, ""), **(errors or {})},
        "refused": bool(errors),
        "clock": clock,
        "moving": view.account_id in _MOVES,
        "stuck": _STUCK.get(view.account_id, ""),
        "clock_steps": CLOCK_STEPS,
        **watched(view, play),
    }


def _form_of(view: View, *, play: Play | None, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """What the form shows at first: what the link says, what was played last, or what is usual."""
    first = endpoints[0].endpoint_id if endpoints else f"{SHOW}standard"
    usual = {"scenario": "door_to_door", "to": first, "orders": "1", "speed": "brisk"}
    if play is not None:
        usual |= {"scenario": play.scenario.name, "to": play.where, "chaos": play.chaos}
    given = {name: view.query[name] for name in ("scenario", "to", "seed") if name in view.query}
    return {"seed": "", "chaos": "", **usual, **given}


def watched(view: View, play: Play | None) -> dict[str, Any]:
    """What the live parts show: the play, and of its requests the one that is looked at."""
    chosen = None
    wanted = view.query.get("request", "")
    if play is not None and play.rows:
        number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
        pinned = [row for row in play.rows if row.number == number]
        chosen = pinned[0] if pinned else play.rows[-1]
    return {
        "play": play,
        "chosen": chosen,
        "pinned": bool(chosen and wanted == str(chosen.number)),
        "live": f"{PLACE}/events" + (f"?request={wanted}" if wanted.isdigit() else ""),
    }


async def live(view: View) -> Result:
    return Events(_events(view))


async def _events(view: View) -> AsyncIterator[tuple[str, str]]:
    sent: dict[str, str] = {}
    while True:
        play = play_of(view.account_id)
        context = {"account": view.account, **watched(view, play)}
        for part in PARTS:
            text = view.render(TEMPLATE, context, part=part)
            if sent.get(part) != text:
                sent[part] = text
                yield part, text
        await asyncio.sleep(AT_LEAST_S)
        if play is None:
            await asyncio.sleep(LOOKS_EVERY_S)
        else:
            await play.wait(LOOKS_EVERY_S)


async def _endpoints(view: View) -> Sequence[Endpoint]:
    """The account's endpoints that are told of orders at all."""
    found = await view.hub.store.endpoints(view.account_id)
    return [one for one in found if one.operational is not Operational.ONLY]


def _is_sandbox(view: View) -> bool:
    return view.account is not None and view.account.sandbox


def _receivers(view: View, endpoints: Sequence[Endpoint]) -> list[tuple[str, str]]:
    found = [
        (one.endpoint_id, f"{one.description or one.url} · {one.contract}") for one in endpoints
    ]
    if _is_sandbox(view):
        found.append((HUB, "through the hub: orders of this sandbox account"))
    found += [(f"{SHOW}{room.name}", f"nobody: only show · {room.name}") for room in ROOMS.values()]
    return found


# playing


async def play(view: View) -> Result:
    form = {**view.form, "chaos": ",".join(view.fields.get("chaos", ()))}
    try:
        await _begin(view, view.read_form(Wanted), chaos=form["chaos"])
    except InvalidInput as error:
        field = error.field.removeprefix("--").split(" ", maxsplit=1)[0].lower()
        context = await _context(view, form=form, errors={field: error.expected})
        return Shown(TEMPLATE, context, 422)
    except AlreadyPlaying as error:
        return Gone(PLACE, Flash(error.summary, "problem"))
    return Gone(PLACE)


async def _begin(view: View, wanted: Wanted, *, chaos: str) -> None:
    """Raises InvalidInput, AlreadyPlaying, and UnknownRecord for an endpoint of somebody else."""
    scenario = find(wanted.scenario)
    if wanted.speed not in SPEEDS:
        raise InvalidInput(field="speed", expected=f"one of {', '.join(SPEEDS)}")
    seed = secrets.randbelow(LARGEST_SEED) if wanted.seed is None else wanted.seed
    through = wanted.to == HUB
    asked = read_chaos(
        ",".join("error=500" if word == "error" else word for word in chaos.split(",")),
        allowed=OF_UPDATES if through else tuple(Word),
    )
    started = Play(
        account_id=view.account_id,
        scenario=scenario,
        seed=seed,
        where=wanted.to,
        where_shown="through the hub",
        contract="",
        chaos=chaos,
        began_at=view.now,
    )
    make = _through_hub if through else _to_receiver
    playing = await make(view, started, wanted, asked)
    begin(started, playing, stopping=view.stopping)


async def _to_receiver(
    view: View, started: Play, wanted: Wanted, chaos: Chaos
) -> Callable[[], Awaitable[None]]:
    shown_only = wanted.to.startswith(SHOW)
    start = start_of(started.seed)
    if shown_only:
        endpoint = _nobody(wanted.to.removeprefix(SHOW), seed=started.seed)
    else:
        # By the account, so that nobody names an endpoint of somebody else.
        endpoint = await view.hub.store.endpoint(view.account_id, wanted.to)
    started.contract = endpoint.contract
    named = endpoint.description or endpoint.url
    started.where_shown = "shown to nobody else" if shown_only else f"to {named}"
    return to_receiver(
        started,
        endpoint=endpoint,
        orders=wanted.orders,
        chaos=chaos,
        start=start,
        post=None if shown_only else view.hub.post,
        every_s=SPEEDS[wanted.speed][1],
    )


def _nobody(contract: str, *, seed: int) -> Endpoint:
    """A receiver that is nowhere, in this contract. Raises InvalidInput."""
    room = ROOMS.get(contract)
    if room is None:
        raise InvalidInput(field="to", expected="an endpoint, or a contract to be shown")
    credentials = {"username": "milepost", "password": "rehearsal"}
    return endpoint_at(
        "https://receiver.example/notifications",
        room=room,
        seed=seed,
        start=start_of(seed),
        secrets=(signing_secret(seed),),
        credentials=msgspec.json.encode(credentials) if room.name == "shipmonk" else b"{}",
        options=_NEEDED.get(room.name, b"{}"),
    )


async def _through_hub(
    view: View, started: Play, wanted: Wanted, chaos: Chaos
) -> Callable[[], Awaitable[None]]:
    if not _is_sandbox(view):
        raise InvalidInput(field="to", expected="an endpoint: this account is no sandbox")
    await view.hub.operations.put_store(view.account_id, STORE, name=STORE_TITLE)
    started.contract = "hub"
    return through_hub(
        started,
        intake=view.hub.intake,
        store=STORE,
        orders=wanted.orders,
        chaos=chaos,
        start=start_of(started.seed),
        every_s=SPEEDS[wanted.speed][1],
    )


async def stop_play(view: View) -> Result:
    said = "Stopped." if stop(view.account_id) else "Nothing was being played."
    return Gone(PLACE, Flash(said, "note"))


# the test clock

_MOVES: dict[str, asyncio.Task[None]] = {}
_STUCK: dict[str, str] = {}
"""Why the last move of an account's clock did not come to its end."""


async def move_clock(view: View) -> Result:
    """Goes there step by step in the background, as `milepost clock advance` does."""
    account_id, clocks = view.account_id, view.hub.clocks
    if not _is_sandbox(view):
        raise UnknownRecord
    if account_id in _MOVES:
        return Gone(PLACE, Flash("The clock is on its way already.", "problem"))
    try:
        goal = await clocks.goal(account_id, by=read_span(view.read_form(Move).by))
    except InvalidInput as error:
        context = await _context(view, errors={error.field: error.expected})
        return Shown(TEMPLATE, context, 422)

    async def move() -> None:
        playing = asyncio.ensure_future(clocks.play(account_id, to=goal))
        end = asyncio.ensure_future(view.stopping.wait())
        try:
            await asyncio.wait((playing, end), return_when=asyncio.FIRST_COMPLETED)
            error = playing.exception() if playing.done() else None
            if isinstance(error, MilepostError):
                _STUCK[account_id] = f"{error.summary} {error.detail}".strip()
        finally:
            _MOVES.pop(account_id, None)
            playing.cancel()
            end.cancel()
            await asyncio.gather(playing, end, return_exceptions=True)

    _STUCK.pop(account_id, None)
    _MOVES[account_id] = asyncio.create_task(move())
    return Gone(PLACE, Flash("The clock is on its way.", "note"))


async def step_clock(view: View) -> Result:
    """Goes to what comes due next, and no further."""
    if not _is_sandbox(view):
        raise UnknownRecord
    clocks, account_id = view.hub.clocks, view.account_id
    known: ClockView = await clocks.show(account_id)
    if known.next_due_at is None:
        return Gone(PLACE, Flash("Nothing waits for a time.", "note"))
    await clocks.step(account_id, to=known.next_due_at)
    return Gone(PLACE, Flash("The clock has moved to what was due next."))


CHANGE = Right.CHANGE
PAGES = (
    Page(path=PLACE, act=show, place=PLACE),
    Page(path=PLACE + "/events", act=live, place=PLACE),
    Page(path=PLACE + "/play", act=play, method="POST", right=CHANGE, place=PLACE),
    Page(path=PLACE + "/stop", act=stop_play, method="POST", right=CHANGE, place=PLACE),
    Page(path=PLACE + "/clock", act=move_clock, method="POST", right=CHANGE, place=PLACE),
    Page(path=PLACE + "/clock/next", act=step_clock, method="POST", right=CHANGE, place=PLACE),
)
