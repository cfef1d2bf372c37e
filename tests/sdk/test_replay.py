"""Reading from the hub what was missed: patient, limited, and never showing the key."""

from __future__ import annotations

import base64
import json
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_receiver import (
    ConfigurationInvalid,
    Fetched,
    Filled,
    Inbox,
    Receiver,
    ReceiverError,
    Replay,
    ReplayFailed,
    ReplayMalformed,
    ReplayRefused,
    ReplayUnavailable,
    Worked,
)
from milepost_receiver.hub_client import MAX_ANSWER_BYTES, WAITS_SECONDS, HubClient
from tests.net.certificates import self_signed, server_side
from tests.sdk.hub_stub import Said, Stub, stub
from tests.sdk.rooms import OPTIONS, sent
from tests.sdk.senders import ENDPOINT_ID, SECRET, now

KEY = "mp_key_that_must_never_be_shown"
ORDER = "ord_01jgw3v0c8c7k5m8r2x4n6p9qa"
STANDARD = Receiver.standard(secrets=[SECRET], now=now)


def delivery(sequence: int, *, contract: str = "standard", **given: Any) -> dict[str, Any]:
    """A delivery as the hub shows it."""
    room = contract.partition(" ")[0]
    headers, body = sent(room, order_id=ORDER, sequence=sequence, options=OPTIONS[contract])
    return {
        "delivery_id": f"{ORDER}-{sequence}-{ENDPOINT_ID}-r2",
        "endpoint_id": ENDPOINT_ID,
        "order_id": ORDER,
        "sequence": sequence,
        "previous": sequence - 1,
        "state": "acknowledged",
        "content_type": dict(headers)["content-type"],
        "body": body.decode(),
        "body_encoding": "utf-8",
        **given,
    }


def page(
    *deliveries: dict[str, Any], following: str | None = None, keep: str | None = None
) -> Said:
    told = {"deliveries": deliveries, "next": following, "keep": keep}
    return Said(body=json.dumps(told).encode())


def replay(hub: Stub, *, receiver: Receiver[Any] = STANDARD, **given: Any) -> Replay[Any]:
    given.setdefault("sleep", lambda _seconds: None)
    return Replay(receiver, url=hub.url, key=KEY, endpoint_id=ENDPOINT_ID, **given)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox[Any]:
    return Inbox(STANDARD, connect=lambda: sqlite3.connect(tmp_path / "shop.db")).create()


def asked(hub: Stub) -> list[dict[str, str]]:
    """The parameters of each request."""
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        for path, _ in hub.asked
    ]


def test_the_inbox_gets_what_it_lacks_and_remembers_the_place(inbox: Inbox[Any]) -> None:
    inbox.receive(*sent("standard", order_id=ORDER, sequence=2))
    pages = [page(delivery(1), delivery(2), following="n", keep="k1"), page(delivery(3), keep="k2")]
    with stub([*pages, page()]) as hub:
        filled = replay(hub).fill(inbox, since=datetime(2026, 1, 5, tzinfo=UTC))
        assert filled == Filled(looked_at=3, added=2)
        assert replay(hub).fill(inbox) == Filled()
        assert asked(hub) == [
            {"limit": "100", "since": "2026-01-05T00:00:00+00:00"},
            {"limit": "100", "after": "n"},
            {"limit": "100", "after": "k2"},
        ]
        assert hub.asked[0][1]["authorization"] == f"Bearer {KEY}"
    seen: list[Any] = []
    assert inbox.work(seen.append) == Worked(done=3)
    assert [e.notification.sequence for e in seen] == [1, 2, 3]


def test_a_page_that_comes_twice_adds_nothing(inbox: Inbox[Any]) -> None:
    with stub([page(delivery(1), delivery(2))]) as hub:
        assert replay(hub).fill(inbox).added == 2
        assert replay(hub).fill(inbox).added == 0
        # Nothing was old enough to keep a place.
        assert inbox.place() is None


def test_a_run_that_breaks_off_keeps_what_it_read(inbox: Inbox[Any]) -> None:
    answers = [page(delivery(1), following="n", keep="k1"), Said(401)]
    with stub(answers) as hub, pytest.raises(ReplayRefused):
        replay(hub).fill(inbox)
    assert (inbox.waiting(), inbox.place()) == (1, "k1")


@pytest.mark.parametrize("contract", sorted(OPTIONS))
def test_what_is_fetched_is_what_the_receiver_reads(contract: str) -> None:
    room = contract.partition(" ")[0]
    receiver: Receiver[Any] = {
        "standard": STANDARD,
        "withings": Receiver.withings(secrets=[SECRET], now=now),
        "shipmonk": Receiver.shipmonk(secrets=[SECRET], now=now),
    }[room]
    headers, body = sent(room, order_id=ORDER, sequence=3, attempts=0, options=OPTIONS[contract])
    received = receiver.read(headers, body)
    with stub([page(delivery(3, contract=contract))]) as hub:
        (fetched,) = replay(hub, receiver=receiver).notifications()
    assert fetched.delivery_id == received.delivery_id
    for name in type(received).__dataclass_fields__:
        if name != "attempt":
            assert getattr(fetched, name) == getattr(received, name), name


def test_what_was_never_meant_to_be_sent_or_is_erased_is_left_out(inbox: Inbox[Any]) -> None:
    erased: dict[str, Any] = {"body": None, "body_encoding": None, "content_type": None}
    told = page(
        delivery(1, state="superseded"),
        delivery(2, **erased),
        delivery(3, body="{}"),
        delivery(4, body=base64.b64encode(delivery(4)["body"].encode()).decode(),
                 body_encoding="base64"),
    )  # fmt: skip
    with stub([told]) as hub:
        filled = replay(hub).fill(inbox)
    unreadable = (f"{ORDER}-3-{ENDPOINT_ID}",)
    assert filled == Filled(looked_at=1, added=1, erased=1, unreadable=unreadable)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again_with_growing_patience(status: int) -> None:
    slept: list[float] = []
    busy = Said(status, headers={"retry-after": "7"})
    endless = Said(status, headers={"retry-after": "99999"})
    with stub([Said(status), busy, endless, page(delivery(1))]) as hub:
        assert len(list(replay(hub, sleep=slept.append).notifications())) == 1
    assert slept == [WAITS_SECONDS[0], 7.0, WAITS_SECONDS[-1]]


def test_patience_ends() -> None:
    slept: list[float] = []
    with stub([Said(503)]) as hub, pytest.raises(ReplayUnavailable):
        list(replay(hub, sleep=slept.append).pages())
    assert slept == list(WAITS_SECONDS)
    with pytest.raises(ReplayUnavailable) as caught:
        list(replay(hub).pages())
    assert "ConnectionRefusedError" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_that_may_not_is_not_tried_again(status: int) -> None:
    with stub([Said(status)]) as hub:
        with pytest.raises(ReplayRefused):
            list(replay(hub).pages())
        assert len(hub.asked) == 1


def test_a_redirect_is_not_followed() -> None:
    with stub([page(delivery(1))]) as other:
        away = Said(307, headers={"location": other.url})
        with stub([away]) as hub, pytest.raises(ReplayMalformed):
            list(replay(hub).pages())
        assert other.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"not JSON",
        b"\xff",
        b"[" * 200_000,
        b"{}",
        b'{"deliveries": {}}',
        b'{"deliveries": [5]}',
        b'{"deliveries": [{"order_id": "a"}]}',
        b'{"deliveries": [], "next": 5}',
        b'{"deliveries": [], "keep": ""}',
        json.dumps({"deliveries": [delivery(1, body=5, body_encoding="base64")]}).encode(),
        json.dumps({"deliveries": [delivery(1, body="%", body_encoding="base64")]}).encode(),
        json.dumps({"deliveries": [delivery(1, body_encoding="rot13")]}).encode(),
        json.dumps({"deliveries": [{**delivery(1), "sequence": "x"}]}).encode(),
        json.dumps({"deliveries": [delivery(1, body="\ud800")]}).encode(),
    ],
)
def test_an_answer_that_makes_no_sense_is_our_own_error(body: bytes, inbox: Inbox[Any]) -> None:
    with stub([Said(body=body)]) as hub, pytest.raises(ReplayMalformed):
        replay(hub).fill(inbox)
    assert inbox.waiting() == 0


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def answering() -> Iterator[tuple[list[Said], Replay[Any]]]:
    """A hub whose answer can be changed."""
    answers = [Said()]
    with stub(answers) as hub:
        yield answers, replay(hub)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), odd=json_value)
def test_no_answer_raises_anything_else(
    data: st.DataObject, odd: Any, answering: tuple[list[Said], Replay[Any]]
) -> None:
    answers, asking = answering
    told: dict[str, Any] = {"deliveries": [delivery(1), delivery(2)], "next": None, "keep": "k"}
    place = data.draw(st.sampled_from(["next", "keep", "deliveries", *delivery(1)]))
    where = told if place in told else told["deliveries"][1]
    where[place] = odd
    answers[0] = Said(body=json.dumps(told).encode())
    with suppress(ReceiverError):
        page_read = next(asking.pages())
        assert {f.notification.sequence for f in page_read.found} <= {1, 2}


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    whole = page(delivery(1))
    with stub([Said(body=whole.body, length=len(whole.body) + 9), whole]) as hub:
        assert len(list(replay(hub).notifications())) == 1


def test_an_answer_that_is_too_large_or_too_slow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub([Said(body=b"[" + b" " * 5_000)]) as hub:
        client = HubClient(hub.url, key=KEY, max_answer_bytes=4_096)
        with pytest.raises(ReplayMalformed):
            client.get("/")
        clock = iter(range(0, 10_000, 100))
        client = HubClient(hub.url, key=KEY, sleep=lambda _: None, clock=lambda: next(clock))
        with pytest.raises(ReplayUnavailable) as caught:
            client.get("/")
    assert "TimeoutError" in str(caught.value)
    assert MAX_ANSWER_BYTES < 2**27


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example",
        "http://10.0.0.5:8400",
        "ftp://hub.example",
        "hub.example",
        "https://",
        "https://user:password@hub.example",
        "https://hub.example?a=b",
        "http://[::1",
        "https://hub.example:99999",
    ],
)
def test_a_key_is_not_sent_where_others_can_read_it(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        Replay(STANDARD, url=url, key=KEY, endpoint_id=ENDPOINT_ID)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("given", [{"key": ""}, {"key": "a b"}, {"key": "a\r\nb"}, {"timeout": 0}])
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    settings = {"url": "https://hub.example", "key": KEY, "endpoint_id": ENDPOINT_ID, **given}
    with pytest.raises(ConfigurationInvalid):
        Replay(STANDARD, **settings)


def test_a_hub_whose_certificate_is_not_trusted_never_sees_the_key(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with stub([page()], tls=server_side(certificate)) as hub:
        with pytest.raises(ReplayUnavailable) as caught:
            list(replay(hub).pages())
        assert "SSLCertVerificationError" in str(caught.value)
        assert hub.asked == []
        trusting = ssl.create_default_context(cafile=certificate)
        told = HubClient(hub.url, key=KEY, context=trusting).get("/")
        assert told == {"deliveries": [], "next": None, "keep": None}


def test_the_key_is_in_no_error_and_no_repr() -> None:
    with stub([Said(403, body=KEY.encode())]) as hub:
        asking = replay(hub)
        with pytest.raises(ReplayFailed) as caught:
            list(asking.pages())
    shown = [repr(asking), repr(asking._client), str(caught.value), repr(caught.value)]
    assert not [text for text in shown if KEY in text]
    assert caught.value.http_status == 503


def test_an_endpoint_id_cannot_lead_elsewhere() -> None:
    with stub([page()]) as hub:
        asking = Replay(STANDARD, url=f"{hub.url}/hub/", key=KEY, endpoint_id="../../x?a=b")
        assert list(asking.notifications()) == []
        assert hub.asked[0][0].startswith("/hub/v1/endpoints/..%2F..%2Fx%3Fa%3Db/deliveries?")


def test_what_is_fetched_names_the_first_delivery_and_not_a_replay_of_it() -> None:
    with stub([page(delivery(1))]) as hub:
        ((fetched,),) = (p.found for p in replay(hub).pages())
    assert isinstance(fetched, Fetched)
    assert fetched.notification.delivery_id == f"{ORDER}-1-{ENDPOINT_ID}"
    assert fetched.notification.replay is None
