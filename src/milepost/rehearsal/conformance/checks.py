"""How each rule is checked: a few requests, and what the answers mean."""

from __future__ import annotations

from urllib.parse import urlsplit

from milepost.delivery.model import Failure, Reply
from milepost.orders.lifecycle import State
from milepost.rehearsal.conformance.desk import WRONG, Desk, How, Part
from milepost.rehearsal.conformance.notes import SIBLINGS, Note, Notes
from milepost.rehearsal.conformance.shape import Check, Found, failed, not_checked, passed
from milepost.rehearsal.report import at_share

OLD_S = 15 * 60
_LOCAL = frozenset(("localhost", "::1"))
ROUNDS = 5


def answered(reply: Reply) -> str:
    """An answer in words."""
    if reply.failure is not None and not reply.status:
        return f"{reply.failure.value.replace('_', ' ')}: {reply.detail or 'no answer'}"
    return str(reply.status)


def good(reply: Reply) -> bool:
    return 200 <= reply.status < 300


def _taken(reply: Reply, *, what: str) -> Found:
    told = f"{what} was answered {answered(reply)}"
    return passed(told) if good(reply) else failed(told)


def _refused(reply: Reply, *, what: str) -> Found:
    told = f"{what} was answered {answered(reply)}"
    return passed(told) if 400 <= reply.status < 500 else failed(told)


def refuses(how: How, what: str) -> Check:
    """A check that a notification proved like this is refused with 4xx."""

    async def check(desk: Desk) -> Found:
        return _refused(await desk.send(desk.notes.fresh(), how=how), what=what)

    return check


def takes(how: How, what: str) -> Check:
    """A check that a notification proved like this is accepted."""

    async def check(desk: Desk) -> Found:
        return _taken(await desk.send(desk.notes.fresh(), how=how), what=what)

    return check


# the way there


async def tls(desk: Desk) -> Found:
    parts = urlsplit(desk.endpoint.url)
    host = parts.hostname or ""
    if desk.first.failure is Failure.TLS:
        return failed(desk.first.detail)
    if parts.scheme == "https":
        return passed("the certificate is valid for this host")
    if host in _LOCAL or host.startswith("127."):
        return not_checked("http on this machine")
    return failed("http, and not on this machine: whoever is on the way can read and replay it")


async def redirect(desk: Desk) -> Found:
    reply = desk.first
    if 300 <= reply.status < 400:
        where = reply.header("location") or "nowhere"
        return failed(f"{reply.status} to {where[:200]}, which is not followed")
    return passed(f"answered {answered(reply)}") if reply.status else not_checked(answered(reply))


async def accepts(desk: Desk) -> Found:
    if 300 <= desk.first.status < 400:
        return not_checked("it redirects")
    if desk.first.failure is Failure.TLS:
        return not_checked("no TLS connection could be made")
    return _taken(desk.first, what="a correct notification")


async def keeps_connection(desk: Desk) -> Found:
    if await desk.keeps_connection():
        return passed("two requests went over one connection")
    return failed("the connection was closed after one request")


# repeats and order


async def duplicate(desk: Desk) -> Found:
    note = desk.notes.fresh()
    first = await desk.send(note)
    if not good(first):
        return failed(f"the first of two was answered {answered(first)}")
    return _taken(await desk.send(note, attempt=2), what="the same notification again")


async def once(desk: Desk) -> Found:
    note = desk.notes.fresh()
    await desk.send(note)
    word = await desk.comes_to(note)
    if word not in note.words:
        return failed(f"it says {word} of an order that is {note.word}")
    await desk.settle()
    before = await desk.state(note)
    if await desk.state(note) != before:
        return not_checked("what it says of an order changes by itself")
    for attempt in (2, 3):
        await desk.send(note, attempt=attempt)
    await desk.settle()
    if await desk.state(note) != before:
        return failed("what it says of the order changed with a repeat")
    return passed("two repeats changed nothing")


async def out_of_order(desk: Desk) -> Found:
    newer, older = _overtaking(desk.notes)
    first = await desk.send(newer)
    second = await desk.send(older)
    if good(first) and good(second):
        return passed("the newer and then the older were accepted")
    return failed(f"the newer was answered {answered(first)}, the older {answered(second)}")


async def right_state(desk: Desk) -> Found:
    newer, older = _overtaking(desk.notes)
    await desk.send(newer)
    await desk.comes_to(newer)
    await desk.send(older)
    await desk.settle()
    word = await desk.comes_to(newer)
    told = f"it says {word} after {newer.word} and a late {older.word}"
    return passed(told) if word in newer.words else failed(told)


def _overtaking(notes: Notes) -> tuple[Note, Note]:
    """What is newer, which comes first, and what is older of the same order."""
    newer = notes.fresh(State.IN_TRANSIT, before=State.SHIPPED, sequence=3, previous=2)
    older = notes.fresh(State.SUBMITTED, before=State.VERIFIED, sequence=2, previous=0, of=newer)
    return newer, older


async def after_refusal(desk: Desk) -> Found:
    note = desk.notes.fresh()
    first = await desk.send(note, how=WRONG)
    if good(first):
        return not_checked("it accepted a notification that proves nothing")
    second = await desk.send(note, attempt=2)
    if not good(second):
        return failed(f"refused once, then correct: answered {answered(second)}")
    if desk.given.state_url is None:
        return passed("refused once and then accepted under the same id")
    word = await desk.comes_to(note)
    told = f"refused once, then accepted: it says {word} of an order that is {note.word}"
    return passed(told) if word in note.words else failed(told)


# what is in it


async def every_status(desk: Desk) -> Found:
    refused: list[str] = []
    count = 0
    for note in desk.notes.every_status():
        count += 1
        reply = await desk.send(note)
        if not good(reply):
            refused.append(f"{note.word} ({answered(reply)})")
    if refused:
        return failed(f"not accepted: {', '.join(refused)}")
    return passed(f"all {count} were accepted")


async def unknown_status(desk: Desk) -> Found:
    return _taken(await desk.send(desk.notes.of_unknown_status()), what="an unknown status")


async def unknown_field(desk: Desk) -> Found:
    return _taken(await desk.send(desk.notes.of_strange_fields()), what="an unknown field")


async def siblings(desk: Desk) -> Found:
    refused: list[str] = []
    for kind in SIBLINGS:
        reply = await desk.send(desk.notes.of_another_event(kind))
        if not good(reply):
            refused.append(f"{kind} ({answered(reply)})")
    return failed(f"not accepted: {', '.join(refused)}") if refused else passed(", ".join(SIBLINGS))


async def other_profile(desk: Desk) -> Found:
    is_form = b'"form"' in desk.endpoint.options
    profile = "json" if is_form else "form"
    note = desk.in_profile(profile).fresh()
    return _taken(await desk.send(note), what=f"a body as {profile}")


async def big_body(desk: Desk) -> Found:
    note = desk.notes.fresh(big=True)
    size = len(note.claimed.body.content) // 1024
    return _taken(await desk.send(note), what=f"a body of {size} KiB")


async def unreadable(desk: Desk) -> Found:
    reply = await desk.send(desk.notes.of_no_json())
    told = f"a signed body that breaks off was answered {answered(reply)}"
    return passed(told) if 200 <= reply.status < 500 else failed(told)


# how fast


async def in_time(desk: Desk) -> Found:
    given = desk.given
    replies = await desk.many(given.parallel * ROUNDS, at_once=given.parallel)
    refused = [reply for reply in replies if not good(reply)]
    p95 = at_share([reply.duration_ms for reply in replies], 0.95) or 0.0
    told = f"p95 {p95:.0f} ms of {len(replies)} notifications, {given.parallel} at a time"
    if refused:
        return failed(f"{told}; {len(refused)} not accepted, as {answered(refused[0])}")
    return passed(told) if p95 <= given.within_ms else failed(told)


MISSING = How(signature=Part.MISSING)
CHANGED = How(changed=True)
OLD, AHEAD = How(age_s=OLD_S), How(age_s=-OLD_S)
ROTATING = How(second=True)
