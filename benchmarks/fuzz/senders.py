"""What providers send to sources, proven as they prove it, and requests spoiled from it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any

import msgspec

from benchmarks.fuzz.corpus import Headers, Message
from benchmarks.fuzz.mutations import (
    BODIES,
    HEADERS,
    ODD_HEADERS,
    RARE,
    RARE_HEADERS,
    RARELY,
    Fuzzed,
    Header,
)
from milepost.contracts import ROOMS, Notice, read_as, sample
from milepost.orders.events import EventType
from milepost.orders.lifecycle import State
from milepost.orders.model import Store

AT_S = 1_767_600_000
"""When all of it was signed, in seconds since the epoch."""

ORDERS = 60
"""Orders that are spoken of; most of them are there."""

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SHARED = "shared-with-the-provider"
BASIC = ("hub", "pass:word-of-the-provider")
SECRETS = (SECRET, SHARED, BASIC[1], base64.b64encode(KEY).decode())
"""What no answer and no log may hold, beside the secrets of the paths."""

_AT = datetime.fromtimestamp(AT_S, UTC)
_STATES = (State.SUBMITTED, State.SHIPPED, State.IN_TRANSIT, State.DELIVERED)
_TIMES = ("2026-01-04T08:00:00Z", "2026-01-05T07:00:00Z", "2026-01-05T07:59:00Z")
_STATUSES = ("pre_transit", "in_transit", "out_for_delivery", "delivered", "teleported")
_TAGS = ("InfoReceived", "InTransit", "OutForDelivery", "Delivered", "Teleported")


def order_key(number: int) -> str:
    return f"K-{number}"


def tracking_number(number: int) -> str:
    return f"TRACK{number:010}"


@dataclass(frozen=True, slots=True)
class Sender:
    """A source, what its messages are proved by, and what it sends."""

    source: str
    kind: str
    store: str
    credentials: Mapping[str, Any]
    proofs: tuple[str, ...]
    write: Callable[[Random, int], tuple[str, bytes]]
    """The content type and the body of a message about an order, by its number."""


@dataclass(frozen=True, slots=True)
class Asked(Fuzzed):
    """A request: a message that was spoiled, and how it is sent.

    `path` has `{secret}` where the source's own belongs. `parts` are the body as it comes, and
    `ends` is how: whole, with the client gone, or never. `dice` are for whoever sends it on.
    """

    sender: Sender
    method: str = "POST"
    path: str = "/in/{secret}"
    parts: tuple[bytes, ...] = ()
    ends: str = "whole"
    dice: int = 0


@lru_cache(1_024)
def _of_room(room: str, options: bytes, number: int, state: State) -> tuple[str, bytes]:
    """What another hub sends of an order in this state."""
    store = Store(account_id="acc_a", store="main", number=77, name="Main", created_at=_AT)
    order, event = sample(store, now=_AT, order_id="ord_01jgw3v0c8c7k5m8r2x4n6p9qa")
    parcels = () if state is State.SUBMITTED else order.parcels
    order = msgspec.structs.replace(
        order,
        order_key=order_key(number),
        state=state,
        parcels=tuple(
            msgspec.structs.replace(p, state=state, tracking_number=tracking_number(number))
            for p in parcels
        ),
    )
    event = msgspec.structs.replace(event, type=EventType.STATE_CHANGED, state=state)
    others = {name: other.words(order) for name, other in ROOMS.items() if name != room}
    notice = Notice(order=order, event=event, store=store, others=others)
    body = ROOMS[room].body(notice, read_as(ROOMS[room].options, options))
    return body.content_type, body.content


def _withings(chance: Random, number: int) -> tuple[str, bytes]:
    told = {"customer_id": "4711"} | ({"profile": "form"} if chance.random() < 0.3 else {})
    return _of_room("withings", json.dumps(told).encode(), number, chance.choice(_STATES))


def _shipmonk(chance: Random, number: int) -> tuple[str, bytes]:
    if chance.random() < 0.1:
        told = {"rma": "R-1", "return_reason": "small", "order_key": order_key(number)}
        return "application/json", json.dumps(told).encode()
    return _of_room("shipmonk", b"{}", number, chance.choice(_STATES))


def _standard(chance: Random, number: int) -> tuple[str, bytes]:
    return _of_room("standard", b"{}", number, chance.choice(_STATES))


def _easypost(chance: Random, number: int) -> tuple[str, bytes]:
    details = [
        {"status": chance.choice(_STATUSES), "datetime": chance.choice(_TIMES), "message": "…"}
        for _ in range(chance.randrange(4))
    ]
    tracker = {
        "object": "Tracker",
        "tracking_code": tracking_number(number),
        "status": chance.choice(_STATUSES),
        "tracking_details": details,
        "updated_at": chance.choice(_TIMES),
    }
    told = {"id": f"evt_{chance.getrandbits(40)}", "description": "tracker.updated"}
    return "application/json", json.dumps({**told, "result": tracker}).encode()


def _aftership(chance: Random, number: int) -> tuple[str, bytes]:
    checkpoints = [
        {"tag": chance.choice(_TAGS), "subtag": "", "checkpoint_time": chance.choice(_TIMES)}
        for _ in range(chance.randrange(4))
    ]
    tracking = {
        "tracking_number": tracking_number(number),
        "tag": chance.choice(_TAGS),
        "updated_at": chance.choice(_TIMES),
        "checkpoints": checkpoints,
    }
    told = {"event": "tracking_update", "event_id": f"e-{chance.getrandbits(40)}"}
    return "application/json", json.dumps({**told, "msg": tracking}).encode()


_OURS = {"secrets": [SECRET]}
_THEIRS = {"username": BASIC[0], "password": BASIC[1], "signature_secrets": [SHARED]}

SENDERS: tuple[Sender, ...] = (
    Sender("withings", "withings", "unsigned", {}, (), _withings),
    Sender("withings-signed", "withings", "main", _OURS, ("webhook",), _withings),
    Sender("shipmonk", "shipmonk", "main", _THEIRS, ("basic", "x-sm-signature"), _shipmonk),
    Sender("standard", "standard", "main", _OURS, ("webhook",), _standard),
    Sender("easypost", "easypost", "main", {"secrets": [SHARED]}, ("easypost",), _easypost),
    Sender("aftership", "aftership", "main", {"secrets": [SHARED]}, ("aftership",), _aftership),
)
"""One source of every kind; the store of the one that nothing is signed by has no orders."""


def proven(sender: Sender, body: bytes, *, content_type: str, message_id: str) -> Message:
    """The message with all that a sender of this kind proves itself by."""
    headers: Headers = (("content-type", content_type), ("webhook-id", message_id))
    for proof in sender.proofs:
        headers += _PROOFS[proof](body, message_id)
    return Message(sender.source, headers, body)


def by_webhook(body: bytes, message_id: str, at_s: int = AT_S) -> Headers:
    """The two headers that prove the one with the id, as Standard Webhooks has it."""
    content = b"%s.%d.%s" % (message_id.encode(), at_s, body)
    made = base64.b64encode(hmac.digest(KEY, content, "sha256")).decode()
    return ("webhook-timestamp", str(at_s)), ("webhook-signature", f"v1,{made}")


def _by_basic(_body: bytes, _message_id: str) -> Headers:
    token = base64.b64encode(":".join(BASIC).encode()).decode()
    return (("authorization", f"Basic {token}"),)


def _by_shipmonk(body: bytes, _message_id: str) -> Headers:
    return (("x-sm-signature", hmac.digest(SHARED.encode(), body, "sha512").hex()),)


def _by_easypost(body: bytes, _message_id: str) -> Headers:
    made = hmac.digest(SHARED.encode(), body, "sha256").hex()
    return (("x-hmac-signature", f"hmac-sha256-hex={made}"),)


def _by_aftership(body: bytes, _message_id: str) -> Headers:
    made = base64.b64encode(hmac.digest(SHARED.encode(), body, "sha256")).decode()
    return (("aftership-hmac-sha256", made),)


_PROOFS: Mapping[str, Callable[[bytes, str], Headers]] = {
    "webhook": by_webhook,
    "basic": _by_basic,
    "x-sm-signature": _by_shipmonk,
    "easypost": _by_easypost,
    "aftership": _by_aftership,
}

_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "X" * 300)
_PATHS = (
    "/in/{secret}/",
    "/in//{secret}",
    "//in/{secret}",
    "/IN/{secret}",
    "/in/{secret}.json",
    "/in/{secret}/../{secret}",
    "/in/{secret}\0",
    "/in/{secret}é",
    "/in/ {secret}",
    "/v1/in/{secret}",
    "/in/\ud800",
    "/in/" + "x" * 9_000,
    "/in/",
    "/in",
    "",
)
_LENGTHS = (b"0", b"1", b"-1", b"+5", b"9" * 30, b"1e3", b"\xb2", b"", b"5, 5", b"300000")
_TYPES = ("text/xml", "multipart/form-data; boundary=x", "application/xml+json", ";", "")


def spoil(_corpus: Sequence[Message], chance: Random) -> Asked:
    """One spoiled request; half of the bodies are spoiled first and proven then."""
    sender = chance.choice(SENDERS)
    content_type, body = sender.write(chance, chance.randrange(ORDERS))
    message_id = f"m-{chance.getrandbits(chance.choice((10, 60)))}"
    original = proven(sender, body, content_type=content_type, message_id=message_id)
    changes: list[str] = [sender.source]
    for _ in range(chance.choice((0, 1, 1, 2))):
        change = chance.choice(RARE if chance.random() < RARELY else BODIES)
        body = change(body, chance)
        changes.append(change.__name__)
    if chance.random() < 0.5:
        original = proven(sender, body, content_type=content_type, message_id=message_id)
        changes.append("proven")
    headers: list[Header] = [("content-length", str(len(body))), *original.headers]
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        _spoil_headers(headers, chance, changes)
    method, path, ends = _sent_otherwise(chance, changes)
    return Asked(
        original,
        tuple(headers),
        body,
        tuple(changes),
        sender=sender,
        method=method,
        path=path,
        parts=_in_parts(body, chance),
        ends=ends,
        dice=chance.getrandbits(32),
    )


def _spoil_headers(headers: list[Header], chance: Random, changes: list[str]) -> None:
    dice = chance.random()
    if dice < 0.002:
        headers.extend((f"x-{n}", b"\xff") for n in range(10_000))
        changes.append("10,000 headers")
    elif dice < 0.05:
        headers.append(("content-length", chance.choice(_LENGTHS)))
        changes.append("another length")
    elif dice < 0.08:
        headers.append(("content-type", chance.choice(_TYPES)))
        changes.append("another type")
    elif dice < 0.1:
        headers.append(("x-request-id", chance.choice(ODD_HEADERS)))
        changes.append("odd request id")
    elif headers:
        change = chance.choice(RARE_HEADERS if chance.random() < RARELY else HEADERS)
        change(headers, chance)
        changes.append(change.__name__)


def _sent_otherwise(chance: Random, changes: list[str]) -> tuple[str, str, str]:
    """Method, path and end of a request: mostly as they have to be."""
    method, path, ends = "POST", "/in/{secret}", "whole"
    dice = chance.random()
    if dice < 0.02:
        made_up = f"M{chance.getrandbits(40)}"
        method = chance.choice((*_METHODS, made_up, made_up))
        changes.append("method")
    elif dice < 0.06:
        guess = base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("=")
        path = chance.choice((*_PATHS, f"/in/{guess}", f"/in/{guess}"))
        changes.append("path")
    elif dice < 0.07:
        ends = "gone"
        changes.append("gone")
    elif dice < 0.0702:
        ends = "never"
        changes.append("never")
    return method, path, ends


def _in_parts(body: bytes, chance: Random) -> tuple[bytes, ...]:
    dice = chance.random()
    if dice < 0.7:
        return (body,)
    if dice < 0.72:
        return (*(body[n : n + 1] for n in range(min(len(body), 500))), body[500:], b"")
    places = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 5)))
    bounds = [0, *places, len(body)]
    return tuple(body[a:b] for a, b in pairwise(bounds))


def is_proven(asked: Asked) -> bool:
    """Whether exactly these bytes were proven, by what the sender did and not by who verifies.

    A header that is there twice proves nothing unless it says the same.
    """
    original = asked.proven
    sent = b"".join(asked.parts)
    if asked.ends != "whole" or (asked.sender.proofs and sent != original.body):
        return False
    return all(_holds(proof, asked) for proof in asked.sender.proofs)


def _holds(proof: str, asked: Asked) -> bool:
    if proof == "webhook":
        same = all(_same(name, asked) for name in ("webhook-id", "webhook-timestamp"))
        wanted = asked.proven.header("webhook-signature")
        given = [part for value in said(asked, "webhook-signature") for part in value.split(" ")]
        return same and wanted in given
    name = {
        "basic": "authorization",
        "easypost": "x-hmac-signature",
        "aftership": "aftership-hmac-sha256",
    }.get(proof, proof)
    return _same(name, asked)


def _same(name: str, asked: Asked) -> bool:
    """Whether a header says what was proven; how a scheme or a hex digit is written is free."""
    wanted, given = asked.proven.header(name), said(asked, name)
    if name == "x-sm-signature":
        return {value.lower() for value in given} == {wanted}
    if name == "authorization":
        parts = {(scheme.lower(), token) for scheme, _, token in (v.partition(" ") for v in given)}
        return parts == {("basic", wanted.partition(" ")[2])}
    return set(given) == {wanted}


def said(asked: Asked, wanted: str) -> list[str]:
    """All values of a header, however its name is written."""
    return [
        text_of(value).strip(" \t")
        for name, value in asked.headers
        if text_of(name).lower() == wanted
    ]


def text_of(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
