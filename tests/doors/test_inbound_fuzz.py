"""Thousands of spoiled requests at the door of sources; a million: benchmarks.fuzz."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.fuzz.__main__ import main
from benchmarks.fuzz.engine import Forged, run
from benchmarks.fuzz.senders import ORDERS, SENDERS, Asked, is_proven, proven, said, spoil
from benchmarks.fuzz.sockets import OfSockets
from benchmarks.fuzz.sources import OfSources
from milepost.cli.headers import Open

INPUTS, SEED = 3_000, 7
OVER_SOCKETS = 60


@pytest.fixture
def target(tmp_path: Path) -> Iterator[OfSources]:
    made = OfSources(tmp_path)
    yield made
    made.close()


def asked(source: str, number: int = 0) -> Asked:
    """A request of this source's that nothing is wrong with."""
    sender = next(sender for sender in SENDERS if sender.source == source)
    content_type, body = sender.write(Random(number), number % ORDERS)
    message = proven(sender, body, content_type=content_type, message_id=f"good-{number}")
    return Asked(message, message.headers, body, (), sender=sender, parts=(body,))


def test_spoiled_requests_are_refused_without_a_trace_and_no_answer_is_a_5xx(
    target: OfSources,
) -> None:
    report = run([target], corpus=(), inputs=INPUTS, seed=SEED, spoil=spoil)
    assert report.failures == []
    outcomes = report.outcomes["sources"]
    for status in ("400", "401", "404", "405", "413", "415", "gone"):
        assert outcomes[status], status
    # It got past the proofs of every kind, and into what is decided on.
    for sender in SENDERS:
        taken = sum(n for word, n in outcomes.items() if word.startswith(f"{sender.source} "))
        assert taken > INPUTS / 200, sender.source


def test_what_nothing_is_wrong_with_is_taken_from_every_kind_of_source(target: OfSources) -> None:
    for number, sender in enumerate(SENDERS):
        assert target.throw(asked(sender.source, number)).startswith(sender.source)


def test_any_byte_of_what_is_signed_that_changes_has_it_refused(target: OfSources) -> None:
    chance = Random(SEED)
    for sender in SENDERS:
        good = asked(sender.source)
        for _ in range(60 if sender.proofs else 0):
            changed = bytearray(good.body)
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            assert target.throw(replace(good, parts=(bytes(changed),))) == "401"


def test_what_is_forged_is_seen(target: OfSources, monkeypatch: pytest.MonkeyPatch) -> None:
    good = asked("standard")
    assert is_proven(good)
    for wrong in (
        replace(good, parts=(good.body + b" ",)),
        replace(good, ends="gone"),
        replace(good, headers=tuple(h for h in good.headers if h[0] != "webhook-signature")),
        replace(good, headers=(*good.headers, ("WEBHOOK-ID", "another"))),
    ):
        assert not is_proven(wrong)
    assert said(replace(good, headers=(("X-A", " 1"), ("x-a", b"2"))), "x-a") == ["1", "2"]

    gates = target._hub.receiving.gates
    inside = gates.gate
    open_path = target._paths["withings"]

    async def unsigned(_secret: str) -> Any:
        return await inside(open_path)

    monkeypatch.setattr(gates, "gate", unsigned)
    notice = asked("withings-signed")
    with pytest.raises(Forged):
        target.throw(
            replace(notice, headers=(("content-type", notice.proven.header("content-type")),))
        )
    monkeypatch.undo()


def test_an_error_of_ours_is_seen(target: OfSources, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_secret: str) -> None:
        raise RuntimeError("something unexpected")

    monkeypatch.setattr(target._hub.receiving.gates, "gate", broken)
    with pytest.raises(AssertionError, match="status 500"):
        target.throw(asked("standard"))


def test_a_run_tells_what_came_of_it_in_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fuzz", "--target", "sources", "--inputs", "40", "--seed", "3", "--json"]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["inputs"], told["failures"]) == (40, [])
    assert sum(told["outcomes"]["sources"].values()) == 40


class Reset:
    """A connection that its client has reset, of which nobody was told yet."""

    closing = False

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        if self.closing:
            raise RuntimeError("the handler is closed")
        self.written.append(data)


def test_an_answer_to_a_client_that_has_gone_is_dropped_and_no_error() -> None:
    transport = Reset()
    guarded = Open(transport)
    guarded.write(b"while it is there")
    transport.closing = True
    guarded.write(b"too late")
    assert transport.written == [b"while it is there"]
    assert guarded.is_closing()


@pytest.mark.processes
def test_over_real_sockets_the_process_lives_and_takes_the_next_good_message(
    tmp_path: Path,
) -> None:
    target = OfSockets(tmp_path)
    try:
        report = run([target], corpus=(), inputs=OVER_SOCKETS, seed=SEED, spoil=spoil)
    finally:
        target.close()
    assert report.failures == []
    assert len(report.outcomes["sockets"]) > 8
