"""The clients of providers' read interfaces, against sockets that answer well and badly."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from milepost.contracts.comparison import Theirs
from milepost.contracts.read_access import check_read_access
from milepost.net.carriers import CarrierWire
from milepost.net.guard import Guard
from milepost.net.providers import provider_of
from milepost.ports.reconciling import Asked, Listed, Provider, Unanswered
from tests.net.receiver import LOCAL, Answer, Receiver, Writer, hangs, says, says_forever

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "s3cret-that-nobody-sees"
SMALL = 64 * 1024
KINDS = ("withings", "shipmonk")
CREDENTIALS: dict[str, dict[str, Any]] = {
    "withings": {"client_id": "app", "client_secret": SECRET},
    "shipmonk": {"api_key": SECRET},
}

Case = Callable[[Provider, Receiver], Coroutine[Any, Any, None]]


def reply(told: object, *, status: str = "200 OK", headers: str = "") -> bytes:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


@dataclass
class Wise:
    """Answers each request by what a function says of its target and its form."""

    says: Callable[[str, dict[str, str]], bytes]
    receiver: Receiver
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, writer: Writer) -> None:
        target = self.receiver.heads[-1].split(b" ", 2)[1].decode()
        found = parse_qs(urlsplit(target).query) | parse_qs(self.receiver.bodies[-1].decode())
        given = {name: " ".join(values) for name, values in found.items()}
        path = urlsplit(target).path
        self.asked.append((path, given))
        writer.write(self.says(path, given))
        await writer.drain()


def ask(
    kind: str,
    case: Case,
    *,
    answer: Answer | None = None,
    guard: Guard = LOCAL,
    largest: int = SMALL,
    **access: Any,
) -> None:
    async def whole() -> None:
        wire = CarrierWire(guard=guard, largest_answer=largest)
        async with Receiver(*(() if answer is None else (answer,))) as receiver:
            told = {"base_url": receiver.url("/"), "timeout_s": 10, **CREDENTIALS[kind], **access}
            checked = check_read_access(kind, json.dumps(told).encode())
            assert checked is not None
            provider = provider_of(
                checked, fetch=wire.send, now=lambda: NOW, user_agent="Milepost/test"
            )
            await case(provider, receiver)
        await wire.close()

    asyncio.run(whole())


def named(*keys: str) -> Sequence[Asked]:
    return [Asked(key) for key in keys]


def unanswered(kind: str, answer: Answer, **given: Any) -> Unanswered:
    """How one order is not answered; the secret is in none of it."""
    told: list[Unanswered] = []

    async def case(provider: Provider, receiver: Receiver) -> None:
        found = await provider.named(named("K1"))
        assert isinstance(found, Unanswered), found
        told.append(found)

    ask(kind, case, answer=answer, **given)
    assert SECRET not in repr(told)
    return told[0]


# what is asked


def test_withings_is_asked_with_a_nonce_for_each_question_and_signed() -> None:
    nonces = iter(("a" * 40, "b" * 40))

    def says_(path: str, given: dict[str, str]) -> bytes:
        if path == "/v2/signature":
            return reply({"status": 0, "body": {"nonce": next(nonces)}})
        orders = [
            {"customer_ref_id": key, "status": "OPEN"}
            for key in json.loads(given["customer_ref_ids"])
        ]
        return reply({"status": 0, "body": {"orders": [*orders, {"customer_ref_id": "other"}]}})

    async def case(provider: Provider, receiver: Receiver) -> None:
        receiver.answer = wise = Wise(says_, receiver)
        for _ in range(2):
            found = await provider.named(named("K1", "K,2", "K1"))
            assert not isinstance(found, Unanswered)
            assert [(one.order_key, one.word) for one in found] == [("K1", "OPEN"), ("K,2", "OPEN")]
        assert [path for path, _ in wise.asked] == ["/v2/signature", "/v2/order"] * 2
        (_, first), (_, detail) = wise.asked[:2]
        assert first["signature"] == _signed(f"getnonce,app,{first['timestamp']}")
        assert detail["signature"] == _signed(f"getdetail,app,{'a' * 40}")
        assert wise.asked[3][1]["nonce"] == "b" * 40
        assert json.loads(detail["customer_ref_ids"]) == ["K1", "K,2"]
        assert SECRET not in repr(receiver.bodies)

    ask("withings", case)


def _signed(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_shipmonk_is_asked_by_its_list_and_for_what_is_not_on_it_by_one() -> None:
    def says_(path: str, given: dict[str, str]) -> bytes:
        if path.endswith("-list"):
            return reply({"status": 200, "data": {"orders": [{"order_key": "K 1"}, {"x": 1}]}})
        if given["orderKey"] == "K2":
            return reply({"status": 200, "data": {"order_key": "K2", "store": {"id": 7}}})
        return reply({"status": 404, "data": {}}, status="404 Not Found")

    async def case(provider: Provider, receiver: Receiver) -> None:
        receiver.answer = wise = Wise(says_, receiver)
        found = await provider.named([Asked("K 1"), Asked("K2", ("7", "Shop")), Asked("K3")])
        assert not isinstance(found, Unanswered)
        assert [one.order_key for one in found] == ["K 1", "K2"]
        assert [path.rpartition("/")[2] for path, _ in wise.asked] == [
            "orders-list",
            "orders",
            "orders",
        ]
        assert wise.asked[0][1]["orderKeys[]"] == "K 1 K2 K3"
        assert wise.asked[1][1] == {"orderKey": "K2", "storeId": "7"}
        assert wise.asked[2][1] == {"orderKey": "K3"}
        assert f"api-key: {SECRET}".encode() in receiver.heads[0].lower()

    ask("shipmonk", case)


def test_an_order_of_another_store_is_not_the_one_that_is_meant() -> None:
    answer = says(reply({"data": {"order_key": "K1", "store": {"id": 8, "name": "Other"}}}))

    async def case(provider: Provider, receiver: Receiver) -> None:
        assert await provider.named([Asked("K1", ("7", "Shop"))]) == []

    ask("shipmonk", case, answer=answer)


def test_the_list_of_a_span_has_pages_until_one_is_not_full() -> None:
    def says_(path: str, given: dict[str, str]) -> bytes:
        full = given["page"] == "1"
        orders = [{"order_key": f"K{n}"} for n in range(100 if full else 3)]
        return reply({"data": {"orders": orders}})

    async def case(provider: Provider, receiver: Receiver) -> None:
        receiver.answer = wise = Wise(says_, receiver)
        span = {"since": NOW - timedelta(days=1), "until": NOW}
        counts = []
        for page in (1, 2):
            told = await provider.listed(**span, page=page)
            assert isinstance(told, Listed)
            counts.append((len(told.orders), told.more))
        assert counts == [(100, True), (3, False)]
        assert wise.asked[0][1]["updatedAtStart"] == "2026-02-28T12:00:00+00:00"

    ask("shipmonk", case)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_much_at_once_is_asked_in_halves(kind: str) -> None:
    """One order at fault, or too large an answer, keeps no other from being compared."""

    def keys_of(given: dict[str, str]) -> list[str]:
        if kind == "shipmonk":
            return given["orderKeys[]"].split()
        found: list[str] = json.loads(given["customer_ref_ids"])
        return found

    def says_(path: str, given: dict[str, str]) -> bytes:
        if path == "/v2/signature":
            return reply({"status": 0, "body": {"nonce": "n" * 40}})
        if path.endswith("/orders"):
            return reply(b"", status="404 Not Found")
        keys = keys_of(given)
        if "bad" in keys:
            if kind == "shipmonk":
                return reply(b"{}", status="400 Bad Request" if len(keys) > 1 else "200 OK")
            return reply({"status": 503, "body": {}})
        if len(keys) > 2:
            return reply(b" " * (2 * SMALL))
        name = "order_key" if kind == "shipmonk" else "customer_ref_id"
        orders = {"orders": [{name: key} for key in keys]}
        return reply({"status": 0, "body": orders, "data": orders})

    async def case(provider: Provider, receiver: Receiver) -> None:
        receiver.answer = Wise(says_, receiver)
        found = await provider.named(named("a", "b", "c", "bad", "d", "e", "f", "g"))
        assert not isinstance(found, Unanswered), found
        assert sorted(one.order_key for one in found) == list("abcdefg")

    ask(kind, case)


# what goes wrong

DATE = format_datetime(NOW + timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answer", "why", "wait", "is_final"),
    [
        (says(reply(b"", status="503 Busy")), "HTTP 503", None, False),
        (
            says(reply(b"", status="429 Many", headers=f"retry-after: {DATE}\r\n")),
            "HTTP 429",
            timedelta(seconds=90),
            False,
        ),
        (
            says(reply(b"", status="429 Many", headers="retry-after: 99999999\r\n")),
            "HTTP 429",
            timedelta(hours=1),
            False,
        ),
        (says(reply(b"", status="401 No")), "HTTP 401", None, True),
        (
            says(reply(b"", status="302 Found", headers="location: http://x/\r\n")),
            "HTTP 302",
            None,
            False,
        ),
        (says(reply(b"<html>")), "the answer cannot be read", None, False),
        (says(reply(b"[" * 50_000)), "the answer cannot be read", None, False),
        (says(b"nonsense\r\n\r\n"), "protocol", None, False),
        (
            says_forever(b"x" * 10_000, first=b"HTTP/1.1 200 OK\r\n\r\n"),
            "oversized",
            None,
            False,
        ),
    ],
)
def test_what_is_no_answer_says_why(
    kind: str, answer: Answer, why: str, wait: timedelta | None, is_final: bool
) -> None:
    told = unanswered(kind, answer)
    assert why in told.why
    assert (told.wait, told.is_final) == (wait, is_final)


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_that_is_slow_is_not_waited_for(kind: str) -> None:
    assert unanswered(kind, hangs, timeout_s=0.2).why.startswith("timeout")


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_that_is_not_allowed_is_never_asked(kind: str) -> None:
    told = unanswered(kind, says(reply({})), guard=Guard())
    assert told.why.startswith("blocked")
    assert told.is_final


@pytest.mark.parametrize(
    ("number", "wait", "is_final"),
    [(601, timedelta(minutes=1), False), (401, None, True), (522, None, False), (524, None, False)],
)
def test_the_numbers_of_withings_say_whether_to_ask_again(
    number: int, wait: timedelta | None, is_final: bool
) -> None:
    told = unanswered("withings", says(reply({"status": number, "body": {}})))
    assert told.why.startswith(f"status {number}")
    assert (told.wait, told.is_final) == (wait, is_final)


@pytest.mark.parametrize("body", [{}, {"nonce": None}, {"nonce": "x" * 300}, []])
def test_an_answer_without_a_nonce_is_none(body: object) -> None:
    told = unanswered("withings", says(reply({"status": 0, "body": body})))
    assert told.why == "the answer holds no nonce"


def test_withings_lists_nothing_that_nobody_named() -> None:
    async def case(provider: Provider, receiver: Receiver) -> None:
        told = await provider.listed(since=NOW, until=NOW, page=1)
        assert told == Listed((), more=False)
        assert not provider.lists
        assert receiver.heads == []

    ask("withings", case)


def test_an_answer_tells_words_that_need_not_be_ours() -> None:
    answer = says(reply({"data": {"order_key": "K1", "processing_status": "new_word"}}))

    async def case(provider: Provider, receiver: Receiver) -> None:
        words = {"processing_status": "new_word", "order_status": None}
        assert await provider.named(named("K1")) == [Theirs("K1", words)]

    ask("shipmonk", case, answer=answer)
