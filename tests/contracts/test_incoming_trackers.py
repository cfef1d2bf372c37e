"""Tracking aggregators' messages that come in: EasyPost's and AfterShip's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from milepost.contracts import INCOMING
from milepost.contracts.aftership.incoming import SUBTAGS, TAGS
from milepost.contracts.checkpoints import MOST_CHECKPOINTS
from milepost.contracts.easypost.incoming import MEANINGS
from milepost.contracts.incoming import Message, MessageKind
from milepost.errors import InvalidInput, SourceRefused
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Parcel
from milepost.orders.move import move
from tests.contracts.orders import order
from tests.contracts.two_hubs import BORN, reader

SECRET = "ﬁne Ünïcode secret"
READERS = {name: reader(name, secrets=["another", SECRET]) for name in ("easypost", "aftership")}


def at(hour: int) -> str:
    return f"2026-05-07T{hour:02}:00:00Z"


def signed(name: str, content: bytes, *, secret: str = SECRET) -> dict[str, str]:
    if name == "easypost":
        key = unicodedata.normalize("NFKD", secret).encode()
        digest = hmac.new(key, content, hashlib.sha256).hexdigest()
        return {"x-hmac-signature": f"hmac-sha256-hex={digest}"}
    made = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return {"aftership-hmac-sha256": base64.b64encode(made).decode()}


def easypost(status: str | None, *scans: tuple[str, str], **said: Any) -> dict[str, Any]:
    details = [{"status": word, "datetime": time, "message": "…"} for word, time in scans]
    tracker = {
        "object": "Tracker",
        "tracking_code": "T1",
        "carrier": "USPS",
        "status": status,
        "tracking_details": details,
        "updated_at": at(23),
    }
    return {"id": "evt_1", "description": "tracker.updated", "result": tracker, **said}


def aftership(tag: str | None, *scans: tuple[str, str], **said: Any) -> dict[str, Any]:
    checkpoints = [
        {"tag": word.partition("_")[0], "subtag": word, "checkpoint_time": time}
        for word, time in scans
    ]
    message = {"tracking_number": "T1", "slug": "usps", "tag": tag, "checkpoints": checkpoints}
    return {"event": "tracking_update", "event_id": "e-1", "msg": message, **said}


WRITTEN: dict[str, Callable[..., dict[str, Any]]] = {"easypost": easypost, "aftership": aftership}
TRANSIT = {"easypost": "in_transit", "aftership": "InTransit"}


def read(name: str, told: dict[str, Any]) -> Message:
    content = msgspec.json.encode(told)
    return READERS[name](signed(name, content), content)


@pytest.mark.parametrize(("word", "state"), MEANINGS.items())
def test_every_status_of_easypost_is_read(word: str, state: State | None) -> None:
    message = read("easypost", easypost(word))
    assert [update.state for update in message.updates] == ([state] if state else [])
    assert (message.word, message.unmapped) == (word, ())


@pytest.mark.parametrize(("tag", "state"), TAGS.items())
def test_every_tag_of_aftership_is_read(tag: str, state: State | None) -> None:
    message = read("aftership", aftership(tag))
    assert [update.state for update in message.updates] == ([state] if state else [])
    assert (message.word, message.unmapped) == (tag, ())


@pytest.mark.parametrize(("subtag", "state"), SUBTAGS.items())
def test_a_subtag_says_more_than_its_tag_where_it_does(subtag: str, state: State) -> None:
    (update,) = read("aftership", aftership(None, (subtag, at(9)))).updates
    assert (update.state, update.raw) == (state, subtag)
    (plain,) = read("aftership", aftership(None, ("Exception_012", at(9)))).updates
    assert (plain.state, plain.raw) == (State.EXCEPTION, "Exception")


def test_a_message_that_brings_three_scans_tells_three_in_the_order_of_their_times() -> None:
    scans = (("out_for_delivery", at(11)), ("pre_transit", at(8)), ("in_transit", at(9)))
    message = read("easypost", easypost("out_for_delivery", *scans))
    assert (message.kind, message.message_id) == (MessageKind.TRACKING, "evt_1")
    assert (message.tracking_number, message.order_key) == ("T1", None)
    told = [
        (update.state, update.occurred_at and update.occurred_at.hour, update.past)
        for update in message.updates
    ]
    assert told == [
        (State.INFO_RECEIVED, 8, True),
        (State.IN_TRANSIT, 9, True),
        (State.OUT_FOR_DELIVERY, 11, False),
    ]
    assert {update.tracking_number for update in message.updates} == {"T1"}


def test_the_same_scans_again_are_no_news_and_a_further_one_is() -> None:
    known = order(State.SHIPPED, parcels=(Parcel("P", State.SHIPPED, BORN, tracking_number="T1"),))
    now = datetime(2026, 5, 8, tzinfo=UTC)

    def tell(told: dict[str, Any]) -> list[Verdict]:
        nonlocal known
        verdicts = []
        for update in read("easypost", told).updates:
            moved = move(known, msgspec.structs.replace(update, source="ep"), now=now)
            known = moved.order
            verdicts.append(moved.verdict)
        return verdicts

    first = (("pre_transit", at(8)), ("in_transit", at(9)))
    assert tell(easypost("in_transit", *first)) == [Verdict.APPLIED] * 2
    assert tell(easypost("in_transit", *first)) == [Verdict.DUPLICATE] * 2
    further = tell(easypost("delivered", *first, ("delivered", at(15))))
    assert further == [Verdict.DUPLICATE, Verdict.DUPLICATE, Verdict.APPLIED]
    assert known.state is State.DELIVERED


def test_where_a_parcel_is_now_is_told_beside_its_last_scan_if_they_differ() -> None:
    message = read("easypost", easypost("delivered", ("in_transit", at(9))))
    assert [update.state for update in message.updates] == [State.IN_TRANSIT, State.DELIVERED]
    assert message.updates[-1].occurred_at == datetime(2026, 5, 7, 23, tzinfo=UTC)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_word_that_means_nothing_is_shown_once_and_the_others_count(name: str) -> None:
    scans = (("beamed", at(8)), (TRANSIT[name], at(9)), ("beamed", at(10)))
    message = read(name, WRITTEN[name](TRANSIT[name], *scans))
    assert message.unmapped == ("status: beamed",)
    assert {update.state for update in message.updates} == {State.IN_TRANSIT}


def test_a_scan_without_an_offset_happened_when_the_aggregator_learned_of_it() -> None:
    told = aftership("InTransit", ("InTransit_001", "2026-05-07T09:00:00"))
    told["msg"]["checkpoints"][0]["created_at"] = at(13)
    (update,) = read("aftership", told).updates
    assert update.occurred_at == datetime(2026, 5, 7, 13, tzinfo=UTC)


@pytest.mark.parametrize("name", WRITTEN)
def test_of_very_many_scans_the_latest_are_read(name: str) -> None:
    scans = [(TRANSIT[name], f"2026-05-07T08:{n // 60:02}:{n % 60:02}Z") for n in range(300)]
    updates = read(name, WRITTEN[name](TRANSIT[name], *scans)).updates
    assert len(updates) == MOST_CHECKPOINTS
    assert updates[-1].occurred_at == datetime(2026, 5, 7, 8, 4, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "easypost",
            {"id": "evt_2", "description": "batch.created", "result": {"object": "Batch"}},
        ),
        ("easypost", {"description": "tracker.updated", "result": [1]}),
        ("easypost", {"description": 5, "result": {"tracking_code": "T1"}}),
        ("aftership", {"event": "edd_revise", "event_id": "e-2", "msg": None}),
        ("aftership", {}),
    ],
)
def test_events_that_are_about_no_parcel_are_kept(name: str, told: dict[str, Any]) -> None:
    message = read(name, told)
    assert (message.kind, message.updates, message.unmapped) == (MessageKind.OTHER, (), ())


@pytest.mark.parametrize("name", WRITTEN)
def test_only_what_is_signed_with_a_known_secret_is_taken(name: str) -> None:
    content = msgspec.json.encode(WRITTEN[name](TRANSIT[name]))
    good = signed(name, content)
    ((header, value),) = good.items()
    for headers in ({}, signed(name, content, secret="no"), {header: value[:-4]}, {header: "x"}):
        with pytest.raises(SourceRefused) as refused:
            READERS[name](headers, content)
        assert SECRET not in str(refused.value)
    with pytest.raises(SourceRefused):
        READERS[name](good, content + b"\n")
    assert READERS[name](good, content).updates


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":"\\u0000"}'])
def test_what_is_signed_and_cannot_be_read_is_invalid_input(name: str, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        READERS[name](signed(name, content), content)


@pytest.mark.parametrize("name", WRITTEN)
def test_another_content_type_and_a_number_too_long_are_invalid_input(name: str) -> None:
    content = msgspec.json.encode(WRITTEN[name](TRANSIT[name]))
    with pytest.raises(InvalidInput):
        READERS[name]({**signed(name, content), "content-type": "text/plain"}, content)
    long = content.replace(b'"T1"', b'"' + b"T" * 300 + b'"')
    with pytest.raises(InvalidInput):
        READERS[name](signed(name, long), long)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_tracker_needs_a_secret_and_never_shows_it(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"secrets": []}, INCOMING[name].credentials)
    assert SECRET not in repr(msgspec.convert({"secrets": [SECRET]}, INCOMING[name].credentials))
