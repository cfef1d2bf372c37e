"""Rehearsals that are played from the page: one at a time for an account, bounded, and watched.

A play lives in the memory of the process that plays it. It sends to an endpoint of the account the
very requests that the hub would send, tells the hub of orders as a source would, or sends nothing
and only shows the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec

from milepost.contracts import ROOMS
from milepost.delivery.model import Endpoint, EndpointState, Operational, Reply, Request
from milepost.errors import InvalidInput, MilepostError
from milepost.insights.sent import HIDDEN
from milepost.logs import logger
from milepost.ports import Post
from milepost.rehearsal.chaos import Chaos, plan
from milepost.rehearsal.lives import Life, lives
from milepost.rehearsal.player import Pace, Player
from milepost.rehearsal.report import Asked, Report, report
from milepost.rehearsal.scenarios import Scenario
from milepost.rehearsal.sends import sends_of
from milepost.waiting import woken

MOST_REQUESTS = 200
MOST_ORDERS = 5
MOST_PLAYING = 8
"""So many are played at once in one process, of all accounts."""

MOST_KEPT = 50
LONGEST_SHOWN = 64 * 1024
"""So many characters of a body are shown."""

_log = logger("pages")


class Standing(StrEnum):
    """How a play stands."""

    PLAYING = "playing"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class AlreadyPlaying(MilepostError):
    """A rehearsal is being played; stop it, or wait for its end."""


@dataclass(slots=True)
class Row:
    """One thing that was sent or told: as it went, and what came back.

    `good` is None as long as nothing came back, and where nothing was sent.
    """

    number: int
    at: datetime
    order_key: str
    word: str
    sent: str = ""
    remarks: str = ""
    result: str = ""
    good: bool | None = None
    ms: float | None = None
    answer: str = ""
    order_id: str | None = None


@dataclass(slots=True)
class Step:
    """A step in the life of an order: ahead, told, refused or lost."""

    word: str
    name: str
    standing: str = "ahead"


@dataclass(slots=True)
class Play:
    """A play as it is watched; `where` is what the form says, `where_shown` what people read."""

    account_id: str
    scenario: Scenario
    seed: int
    where: str
    where_shown: str
    contract: str
    chaos: str
    began_at: datetime
    rows: list[Row] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)
    expected: int = 0
    standing: Standing = Standing.PLAYING
    why: str = ""
    report: Report | None = None
    version: int = 0
    task: asyncio.Task[None] | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Wakes whoever watches."""
        self.version += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Returns when something has changed, or after so many seconds."""
        await woken(self._moved, within_s=seconds)

    @property
    def playing(self) -> bool:
        return self.standing is Standing.PLAYING

    @property
    def lines(self) -> Sequence[tuple[str, Sequence[Step]]]:
        """The life line of each order."""
        return list(self.steps.items())

    def mark(self, order_key: str, name: str, standing: str) -> None:
        """Says how a step stands; one that was taken stays so."""
        for step in self.steps.get(order_key, ()):
            if step.name == name and step.standing != "told":
                step.standing = standing


_PLAYS: dict[str, Play] = {}


def play_of(account_id: str) -> Play | None:
    """The last play of this account, if this process still has it."""
    return _PLAYS.get(account_id)


def stop(account_id: str) -> bool:
    """Ends what is being played; whether anything was."""
    play = _PLAYS.get(account_id)
    if play is None or not play.playing or play.task is None:
        return False
    play.task.cancel()
    return True


def begin(play: Play, playing: Callable[[], Awaitable[None]], *, stopping: asyncio.Event) -> None:
    """Plays it in the background until it is over, stopped, or the hub stops.

    Raises AlreadyPlaying where the account, or this process, has enough to play.
    """
    known = _PLAYS.get(play.account_id)
    under_way = sum(one.playing for one in _PLAYS.values())
    if (known is not None and known.playing) or under_way >= MOST_PLAYING:
        raise AlreadyPlaying
    over = [name for name, one in _PLAYS.items() if not one.playing]
    for name in over[: max(0, len(_PLAYS) - MOST_KEPT + 1)]:
        del _PLAYS[name]
    # The last one stands last, so that the oldest goes first.
    _PLAYS.pop(play.account_id, None)
    _PLAYS[play.account_id] = play
    play.task = asyncio.create_task(_run(play, playing, stopping=stopping))


async def _run(
    play: Play, playing: Callable[[], Awaitable[None]], *, stopping: asyncio.Event
) -> None:
    work = asyncio.ensure_future(playing())
    end = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            play.standing = Standing.DONE
        else:
            play.standing = Standing.STOPPED
    except asyncio.CancelledError:
        play.standing = Standing.STOPPED
    except MilepostError as error:
        play.standing, play.why = Standing.FAILED, f"{error.summary} {error.detail}".strip()
    except Exception as error:  # noqa: BLE001 - whoever watches is told, and the log has it
        play.standing, play.why = Standing.FAILED, "Something went wrong; the log says what."
        _log.error("play failed", exc_info=error)
    finally:
        work.cancel()
        end.cancel()
        await asyncio.gather(work, end, return_exceptions=True)
        play.changed()


# to a receiver


def rehearsed(endpoint: Endpoint) -> Endpoint:
    """An endpoint as a rehearsal sends to it: whatever its store or its pause, by its own words."""
    return msgspec.structs.replace(
        endpoint, stores=None, state=EndpointState.ACTIVE, operational=Operational.NONE
    )


def to_receiver(
    play: Play,
    *,
    endpoint: Endpoint,
    orders: int,
    chaos: Chaos,
    start: datetime,
    post: Post | None,
    every_s: float,
) -> Callable[[], Awaitable[None]]:
    """What plays to a receiver; without `post` nothing is sent, and every request is shown.

    `every_s` is how long it waits between two requests. Raises InvalidInput when nothing would be
    sent, or too much.
    """
    lived = lives(play.scenario, orders=orders, seed=play.seed, start=start)
    due = sends_of(lived, endpoint=rehearsed(endpoint), start=start)
    room = ROOMS[endpoint.contract]
    planned = plan(due, chaos=chaos, seed=play.seed, schedule=room.schedules[0])
    if not planned:
        raise InvalidInput(field="to", expected="an endpoint that is told of any step of it")
    if len(planned) > MOST_REQUESTS:
        raise InvalidInput(field="orders", expected=f"fewer: at most {MOST_REQUESTS} requests")
    play.expected = len(planned)
    for send in due:
        play.steps.setdefault(send.order_key, []).append(Step(send.status, send.name))
    pace = _Paced(play, post=post, every_s=max(every_s, _least_wait_s(endpoint)))

    async def playing() -> None:
        player = Player(
            pace.ask,
            seed=play.seed,
            pace=Pace(),
            told=lambda asked: _told(play, asked),
            sent=pace.note,
        )
        asked = await player.play(planned)
        play.report = report(
            asked,
            scenario=play.scenario.name,
            contract=play.contract,
            seed=play.seed,
            start=start,
        )

    return playing


def _least_wait_s(endpoint: Endpoint) -> float:
    return 1 / endpoint.requests_per_s if endpoint.requests_per_s else 0.0


class _Paced:
    """Asks the receiver, no faster than wanted, and keeps what went and what came back."""

    def __init__(self, play: Play, *, post: Post | None, every_s: float) -> None:
        self._play = play
        self._post = post
        self._every_s = every_s
        self._at: datetime = play.began_at

    def note(self, number: int, request: Request) -> None:
        play = self._play
        headers = dict(request.headers)
        row = Row(number, play.began_at, "", "", sent=request_text(request))
        row.remarks = f"attempt {headers.get('milepost-attempt', '1')}"
        play.rows.append(row)

    async def ask(self, request: Request) -> Reply:
        self._play.changed()
        if len(self._play.rows) > MOST_REQUESTS:
            raise InvalidInput(field="requests", expected=f"at most {MOST_REQUESTS} in a play")
        await asyncio.sleep(self._every_s)
        if self._post is None:
            return Reply(204, detail="shown only")
        reply = await _asked(request, post=self._post)
        self._play.rows[-1].answer = reply_text(reply)
        return reply


async def _asked(request: Request, *, post: Post) -> Reply:
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(reply: Reply) -> None:
        if not future.done():
            future.set_result(reply)

    post(request, done)
    return await future


def _told(play: Play, asked: Asked) -> None:
    """Puts down what came of a request, or that it was lost on purpose."""
    if asked.lost:
        play.rows.append(Row(asked.number, asked.at, asked.order_key, asked.status))
    row = play.rows[-1]
    row.at, row.order_key, row.word = asked.at, asked.order_key, asked.status
    row.remarks = remarks_of(asked)
    if asked.lost:
        row.result = "not sent"
        play.mark(asked.order_key, asked.delivery_id, "lost")
    else:
        shown_only = asked.detail == "shown only"
        row.good = None if shown_only else asked.acknowledged
        row.ms = None if shown_only else asked.ms
        told = str(asked.answered) if asked.answered else str(asked.outcome)
        row.result = "shown" if shown_only else told
        if not asked.answered:
            row.answer = row.answer or asked.detail
        play.mark(asked.order_key, asked.delivery_id, "told" if asked.acknowledged else "refused")
    play.changed()


def remarks_of(asked: Asked) -> str:
    """What was done to a request on purpose, in a few words."""
    said = [] if asked.kind.value == "first" else [asked.kind.value]
    said += ["overtaken"] if asked.reordered else []
    said += ["late"] if asked.delayed else []
    said += [f"taken as {asked.pretended}"] if asked.pretended else []
    return ", ".join(said)


def request_text(request: Request) -> str:
    """A request as it goes over the wire, but for the one header that is a secret itself."""
    lines = [f"POST {request.url}"]
    for name, value in request.headers:
        lines.append(f"{name}: {'(a secret of the endpoint)' if name == HIDDEN else value}")
    return "\n".join(lines) + "\n\n" + _shown(request.body)


def reply_text(reply: Reply) -> str:
    """An answer as it came, or why none did."""
    if not reply.status:
        return f"No answer: {reply.failure}. {reply.detail}".strip()
    headers = "".join(f"{name}: {value}\n" for name, value in reply.headers)
    return f"{reply.status}\n{headers}\n{_shown(reply.body)}".strip()


def _shown(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    kept = text[:LONGEST_SHOWN]
    return kept if len(kept) == len(text) else f"{kept}\n… {len(text) - len(kept):,} more"


def life_steps(lived: Sequence[Life]) -> Mapping[str, list[Step]]:
    """The states that each order goes through, as steps that nobody has told yet."""
    return {
        life.order.order_key: [
            Step(happening.after.state.value, f"{life.order.order_key}-{place}")
            for place, happening in enumerate(life.happenings)
        ]
        for life in lived
    }
