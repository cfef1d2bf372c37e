"""The conformance check against real receivers: a good one passes, each bad one fails its rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from milepost.contracts import ROOMS
from milepost.rehearsal.conformance.notes import Notes
from milepost.rehearsal.conformance.rules import RULES, rules_of
from milepost.rehearsal.sends import endpoint_at
from milepost_receiver import Receiver, ShipMonkNotification
from tests.doors.command_line import CommandLine, Said, command_line
from tests.net.certificates import self_signed, server_side
from tests.system import rehearsed
from tests.system.rehearsed import PROOFS, Rehearsed

QUICK = ("--settle", "0.03", "--parallel", "2", "--strict", "--within-ms")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


def checked(cli: CommandLine, receiver: Rehearsed, contract: str, *words: str) -> Said:
    return cli(
        "conformance",
        receiver.url,
        "--contract",
        contract,
        *PROOFS[contract],
        "--state-url",
        f"{receiver.base}/orders/{{order_key}}",
        *QUICK,
        "100" if isinstance(receiver, rehearsed.Slow) else "5000",
        *words,
    )


def by_verdict(said: Said) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"pass": {}, "fail": {}, "not_checked": {}}
    for rule in said.json["rules"]:
        found[rule["verdict"]][rule["rule"]] = rule["saw"]
    return found


@pytest.mark.parametrize("contract", ROOMS)
def test_a_good_receiver_keeps_every_rule(cli: CommandLine, contract: str) -> None:
    with Rehearsed(contract) as receiver:
        said = checked(cli, receiver, contract, "--json")
    found = by_verdict(said)
    assert found["fail"] == {}
    assert found["not_checked"] == {"tls": "http on this machine"}
    assert set(found["pass"]) == {rule.name for rule in rules_of(contract)} - {"tls"}
    assert said.code == 0
    assert said.json["good"] is True


FORGED = {
    "wrong_signature",
    "missing_signature",
    "changed_body",
    "old_timestamp",
    "future_timestamp",
}


@pytest.mark.parametrize(
    ("bad", "broken"),
    [
        (rehearsed.AcceptsAnything, FORGED),
        (rehearsed.BreaksOnRepeats, {"duplicate"}),
        (rehearsed.WorksTwice, {"once"}),
        (rehearsed.TakesTheLastWord, {"right_state"}),
        (rehearsed.RefusesWhatIsOlder, {"out_of_order"}),
        (rehearsed.Slow, {"in_time"}),
        (rehearsed.HangsUp, {"keep_alive"}),
        (rehearsed.BreaksOnTheUnknown, {"unknown_status"}),
        (rehearsed.IsStrictAboutFields, {"unknown_field"}),
        (rehearsed.SpeaksInItsOwnWords, {"once", "right_state", "retry_after_refusal"}),
        (rehearsed.KnowsOneSignature, {"rotation"}),
        (rehearsed.RemembersWhatItRefused, {"retry_after_refusal"}),
        (rehearsed.CanTakeLittle, {"big_body"}),
        (rehearsed.BreaksOnNonsense, {"unreadable"}),
        (rehearsed.Redirects, {"redirect"}),
        (rehearsed.SaysNothing, {"accepts"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_bad_receiver_fails_exactly_the_rule_that_it_breaks(
    cli: CommandLine, bad: type[Rehearsed], broken: set[str]
) -> None:
    with bad("standard") as receiver:
        said = checked(cli, receiver, "standard", "--json")
    found = by_verdict(said)
    assert set(found["fail"]) == broken, found
    assert said.code == 1


class KnowsNoPassword(Rehearsed):
    """Verifies the two signatures and lets every password pass."""

    def read(self, headers: Any, body: bytes) -> Any:
        pairs = {name.lower(): value for name, value in headers}
        pairs["authorization"] = "Basic aHViOnBhc3N3b3Jk"
        return super().read(pairs, body)


class TakesOrdersOnly(Rehearsed):
    def answer(self, notification: Any) -> int:
        about_an_order = isinstance(notification, ShipMonkNotification)
        return super().answer(notification) if about_an_order else 422


class ReadsJsonOnly(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return super().reply(headers, body) if body.startswith(b"{") else (415, {})


class DoesNotKnowReturns(Rehearsed):
    def work(self, notification: Any) -> int:
        return 500 if notification.parcel_status == "return" else super().work(notification)


@pytest.mark.parametrize(
    ("contract", "bad", "broken"),
    [
        ("shipmonk", KnowsNoPassword, {"wrong_basic", "missing_basic"}),
        ("shipmonk", TakesOrdersOnly, {"siblings"}),
        ("withings", ReadsJsonOnly, {"other_profile"}),
        ("withings", DoesNotKnowReturns, {"every_status"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_the_rules_of_one_contract_find_what_is_bad_in_it(
    cli: CommandLine, contract: str, bad: type[Rehearsed], broken: set[str]
) -> None:
    with bad(contract) as receiver:
        said = checked(cli, receiver, contract, "--json")
    found = by_verdict(said)
    assert set(found["fail"]) == broken, found
    assert said.code == 1


def test_what_cannot_be_checked_says_what_is_missing(cli: CommandLine) -> None:
    with Rehearsed("shipmonk") as receiver:
        receiver.receiver = Receiver.shipmonk(basic=[rehearsed.BASIC])
        said = cli(
            *("conformance", receiver.url, "--contract", "shipmonk"),
            *("--basic", "hub:password", "--parallel", "2", "--json"),
        )
    found = by_verdict(said)
    assert found["not_checked"]["wrong_signature"] == "no --secret was given"
    assert found["not_checked"]["wrong_body_signature"] == "no --signature-secret was given"
    assert found["not_checked"]["once"] == "no --state-url was given"
    assert "wrong_basic" in found["pass"]
    assert said.code == 0


def test_a_state_that_changes_by_itself_proves_nothing(cli: CommandLine) -> None:
    with rehearsed.TellsTheTime("standard") as receiver:
        found = by_verdict(checked(cli, receiver, "standard", "--json"))
    assert found["fail"] == {}
    assert found["not_checked"]["once"] == "what it says of an order changes by itself"


def test_of_a_receiver_that_takes_nothing_nothing_else_is_said(cli: CommandLine) -> None:
    said = cli("conformance", "http://127.0.0.1:9/", "--secret", rehearsed.SECRET, "--json")
    found = by_verdict(said)
    assert set(found["fail"]) == {"accepts"}
    assert "connection refused" in found["fail"]["accepts"]
    assert set(found["not_checked"].values()) >= {"it accepts no correct notification yet"}
    assert said.code == 1


def test_a_certificate_that_nobody_can_trust_is_named(cli: CommandLine) -> None:
    certificate = self_signed(cli.folder)
    with Rehearsed("standard", tls=server_side(certificate)) as receiver:
        said = cli("conformance", receiver.url, *PROOFS["standard"], "--json")
    found = by_verdict(said)
    assert set(found["fail"]) == {"tls"}
    assert "certificate" in found["fail"]["tls"]
    assert found["not_checked"]["accepts"] == "no TLS connection could be made"
    assert said.code == 1


def test_a_wrong_secret_is_seen_at_once(cli: CommandLine) -> None:
    with Rehearsed("standard") as receiver:
        said = cli("conformance", receiver.url, "--json")
    assert set(by_verdict(said)["fail"]) == {"accepts"}


def test_what_a_receiver_only_should_do_does_not_fail_it_unless_asked(cli: CommandLine) -> None:
    with rehearsed.HangsUp("standard") as receiver:
        words = ("conformance", receiver.url, *PROOFS["standard"], "--parallel", "2")
        lenient, strict = cli(*words), cli(*words, "--strict")
    assert (lenient.code, strict.code) == (0, 1)
    assert "FAIL" in lenient.out
    assert "keep_alive (it should): " in lenient.out
    assert "Speak HTTP/1.1" in lenient.out


def test_every_rule_says_why_it_matters_and_how_it_is_mended(cli: CommandLine) -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.why.endswith("."), rule.name
        assert rule.mend.endswith("."), rule.name
    listed = cli.ok("conformance", "--list")["rules"]
    assert [rule["rule"] for rule in listed] == [rule.name for rule in RULES]
    assert "retry_after_refusal" in cli("conformance", "--list").out


@pytest.mark.parametrize("contract", ROOMS)
def test_every_word_of_a_contract_can_be_checked(contract: str) -> None:
    room, now = ROOMS[contract], datetime.now(UTC)
    options = b'{"customer_id":"1"}' if contract == "withings" else b"{}"
    endpoint = endpoint_at(
        "https://example.com/",
        room=room,
        seed=1,
        start=now,
        secrets=(rehearsed.SECRET,),
        options=options,
    )
    words = [note.word for note in Notes(endpoint, seed=1, now=lambda: now).every_status()]
    assert sorted(words) == sorted(room.sends)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("ftp://127.0.0.1/",),
        ("http://10.0.0.1/", "--secret", "whsec_short"),
        ("http://10.0.0.1/",),
        ("http://127.0.0.1/", "--basic", "hub:password"),
        ("http://127.0.0.1/", "--contract", "shipmonk", "--basic", "nocolon"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    said = cli("conformance", *words)
    assert said.code == 2
    assert said.err.startswith("milepost: ")
    assert "whsec_short" not in said.err
