"""The local receiver: real sockets, the receiver kit, one line for each request."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from milepost.cli.landing import Landing, Landings, line_of
from milepost.cli.listen import Contract, Door, make_receiver
from milepost.cli.web import bind, serve_until, url_of
from milepost.delivery.signature import sign
from milepost.errors import InvalidInput
from tests.doors.command_line import CommandLine, command_line
from tests.sdk.senders import ORDER_ID, SECRET, delivery_id, envelope, numbered, text

Headers = dict[str, str]


def signed(body: bytes, sequence: int = 7, *, replay: int = 0, secret: str = SECRET) -> Headers:
    """What the hub sends with a body, now."""
    name, at = delivery_id(sequence, replay=replay), int(time.time())
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": sign((secret,), delivery_id=name, timestamp=at, body=body),
        **numbered(sequence, previous=sequence - 1),
    }
    return {**headers, "milepost-replay": str(replay)} if replay else headers


def standard(sequence: int = 7, **data: Any) -> bytes:
    return text(envelope(sequence=sequence, **data))


class Listening:
    """A receiver on a free port, posted to from another thread."""

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self.landings: list[Landing] = []

    def post(self, body: bytes, headers: Headers) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/", body, {"connection": "close", **headers})
            return connection.getresponse().status
        finally:
            connection.close()

    def raw(self, content: bytes) -> bytes:
        """What comes back for bytes that need not be HTTP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            return connection.recv(10_000)


def listening(
    act: Callable[[Listening], None],
    *,
    fail: int = 0,
    count: int | None = None,
    max_body_bytes: int = 100_000,
    secrets: tuple[str, ...] = (SECRET,),
) -> list[Landing]:
    """What landed while `act` posted to a receiver of the standard contract."""
    receiver = make_receiver(
        Contract.STANDARD,
        secrets=list(secrets),
        basic=[],
        signature_secrets=[],
        max_body_bytes=max_body_bytes,
    )

    async def whole() -> list[Landing]:
        bound = bind("127.0.0.1", 0)
        here = Listening(url_of(bound))
        stop, started = asyncio.Event(), asyncio.Event()
        door = Door(
            Landings(receiver, contract="standard", fail=fail),
            show=here.landings.append,
            count=count,
            finished=stop,
            max_body_bytes=max_body_bytes,
        )
        serving = asyncio.create_task(
            serve_until(
                stop, door, bound=bound, lifespan="off", graceful_s=1, on_started=started.set
            )
        )
        await started.wait()
        try:
            await asyncio.to_thread(act, here)
            if count is not None:
                await asyncio.wait_for(serving, 5)
        finally:
            stop.set()
            await serving
        return here.landings

    return asyncio.run(whole())


def test_a_signed_notification_is_verified_and_decoded() -> None:
    body = standard()
    (landing,) = listening(lambda here: _expect(here.post(body, signed(body)), 204))
    assert landing.verified
    assert landing.accepted
    assert (landing.order_id, landing.sequence, landing.attempt) == (ORDER_ID, 7, 1)
    assert landing.type == "order.state_changed"
    assert landing.status == envelope()["data"]["order"]["state"]
    assert landing.known
    line = line_of(landing).plain
    assert "verified" in line
    assert "#7" in line
    assert "attempt 1" in line


def _expect(status: int, expected: int) -> None:
    assert status == expected


def test_repeats_gaps_and_late_ones_are_told_apart() -> None:
    def act(here: Listening) -> None:
        for sequence, replay in ((1, 0), (1, 0), (3, 0), (2, 0), (3, 1)):
            body = standard(sequence)
            assert here.post(body, signed(body, sequence, replay=replay)) == 204

    landings = listening(act)
    assert [(x.duplicate, x.arrival) for x in landings] == [
        (False, "in_order"),
        (True, "duplicate"),
        (False, "gap"),
        (False, "out_of_order"),
        (False, "duplicate"),
    ]
    assert "gap" in line_of(landings[2]).plain
    assert "replay 1" in line_of(landings[4]).plain


def test_what_is_not_signed_or_wrongly_signed_is_refused_with_401() -> None:
    body = standard()
    foreign = "whsec_" + base64.b64encode(bytes(32)).decode()

    def act(here: Listening) -> None:
        assert here.post(body, {}) == 401
        assert here.post(body, signed(body, secret=foreign)) == 401
        assert here.post(body + b" ", signed(body)) == 401

    landings = listening(act)
    assert [x.verified for x in landings] == [False] * 3
    assert all("refused 401" in line_of(x).plain for x in landings)
    assert SECRET not in str(landings)


def test_the_first_requests_fail_on_purpose_and_count_for_nothing() -> None:
    body = standard()

    def act(here: Listening) -> None:
        assert [here.post(body, signed(body)) for _ in range(3)] == [500, 500, 204]

    landings = listening(act, fail=2)
    assert [x.accepted for x in landings] == [False, False, True]
    assert not landings[2].duplicate
    assert landings[2].arrival == "gap"
    assert "answered 500 as asked" in line_of(landings[0]).plain


def test_it_ends_by_itself_after_so_many_accepted_ones() -> None:
    def act(here: Listening) -> None:
        here.post(b"{}", {})
        for sequence in (1, 2):
            body = standard(sequence)
            here.post(body, signed(body, sequence))

    landings = listening(act, count=2)
    assert [x.accepted for x in landings] == [False, True, True]


def test_a_body_over_the_limit_is_refused_without_being_read_whole() -> None:
    def act(here: Listening) -> None:
        body = b"x" * 2_000
        assert here.post(body, signed(body)) == 413
        # Announces far more than it sends: the answer comes all the same.
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
        assert b" 413 " in here.raw(head + b"y" * 2_000)

    landings = listening(act, max_body_bytes=1_000)
    assert [x.answered for x in landings] == [413, 413]


def test_garbage_other_methods_and_cut_off_requests_do_not_end_it() -> None:
    def act(here: Listening) -> None:
        assert b" 400 " in here.raw(b"\x00\xff\x13 nonsense\r\n\r\n")
        assert b" 405 " in here.raw(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        here.raw(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nhalf")
        for content in (b"", b"\xff\xfe", b"[" * 50_000, b'{"type":', b'{"a":NaN}'):
            assert here.post(content, signed(content)) == 400
        body = standard()
        assert here.post(body, signed(body)) == 204

    landings = listening(act)
    assert landings[-1].verified


def test_what_a_sender_writes_cannot_steer_the_terminal() -> None:
    order = {**envelope()["data"]["order"], "order_key": "\x1b[31mred\nline", "state": "a\x07b"}
    body = standard(order=order)
    (landing,) = listening(lambda here: _expect(here.post(body, signed(body)), 204))
    line = line_of(landing).plain
    assert "\x1b" not in line
    assert "\x07" not in line
    assert "\n" not in line
    assert "not a published status" in line


def test_an_old_and_a_new_secret_are_both_taken() -> None:
    other = "whsec_" + base64.b64encode(bytes(range(50, 82))).decode()

    def act(here: Listening) -> None:
        for sequence, secret in ((1, SECRET), (2, other)):
            body = standard(sequence)
            assert here.post(body, signed(body, sequence, secret=secret)) == 204

    listening(act, secrets=(other, SECRET))


@pytest.mark.parametrize(
    ("contract", "given"),
    [
        (Contract.STANDARD, {}),
        (Contract.STANDARD, {"secrets": ["short"]}),
        (Contract.WITHINGS, {}),
        (Contract.SHIPMONK, {}),
        (Contract.SHIPMONK, {"basic": ["nocolon"]}),
        (Contract.SHIPMONK, {"signature_secrets": [""]}),
    ],
)
def test_a_receiver_without_a_usable_secret_is_a_usage_error(
    contract: Contract, given: dict[str, list[str]]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make_receiver(
            contract,
            secrets=given.get("secrets", []),
            basic=given.get("basic", []),
            signature_secrets=given.get("signature_secrets", []),
        )
    assert refusal.value.field.startswith("--")
    assert "short" not in str(refusal.value)


def test_the_command_without_a_secret_says_where_to_get_one(tmp_path: Path) -> None:
    with command_line(tmp_path) as cli:
        assert_usage(cli)


def assert_usage(cli: CommandLine) -> None:
    said = cli("listen")
    assert said.code == 2
    assert "--secret" in said.err
    assert said.err.count("\n") == 1


def test_unsigned_notifications_are_accepted_and_never_called_verified() -> None:
    receiver = make_receiver(
        Contract.WITHINGS, secrets=[], basic=[], signature_secrets=[], accept_unsigned=True
    )
    landings = Landings(receiver, contract="withings", signed=False)
    body = text(
        {"customer_id": "1", "customer_ref": "A", "status": "OPEN", "is_replacement": False}
    )
    landing = landings.land({"content-type": "application/json"}, body)
    assert landing.accepted
    assert not landing.verified
    assert landing.arrival == "unnumbered"
    assert "unsigned" in line_of(landing).plain
    assert "verified" not in line_of(landing).plain


@contextmanager
def process(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`milepost listen --json` in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
    started = subprocess.Popen(
        [sys.executable, "-m", "milepost.cli", "listen", "--port", "0", "--json", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, **environment},
    )
    try:
        with started:
            yield started
    finally:
        started.kill()
        started.wait()


@pytest.mark.processes
def test_the_command_prints_json_lines_and_ends_with_its_input() -> None:
    with process("--until-eof", MILEPOST_LISTEN_SECRET=SECRET) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdin is not None
        first = json.loads(receiver.stdout.readline())
        assert first["contract"] == "standard"
        here = Listening(first["listening"].rstrip("/"))
        body = standard(1)
        assert here.post(body, signed(body, 1)) == 204
        landed = json.loads(receiver.stdout.readline())
        assert landed["verified"] is True
        assert landed["arrival"] == "in_order"
        assert landed["at"].endswith("Z")
        receiver.stdin.close()
        assert receiver.wait(10) == 0
        assert receiver.stdout.read() == ""


@pytest.mark.processes
def test_ctrl_c_ends_it_in_peace() -> None:
    with process("--contract", "withings", "--accept-unsigned") as receiver:
        assert receiver.stdout is not None
        assert receiver.stderr is not None
        receiver.stdout.readline()
        receiver.send_signal(signal.SIGINT)
        assert receiver.wait(10) == 0
        assert receiver.stderr.read() == ""


@pytest.mark.processes
def test_a_port_that_is_taken_ends_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process("--secret", SECRET, "--port", port) as receiver:
            assert receiver.stderr is not None
            assert receiver.wait(10) == 5
            said = receiver.stderr.read()
    assert port in said
    assert said.count("\n") == 1
