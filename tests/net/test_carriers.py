"""Carrier sources: the HTTP one against a real server, the simulator, and what is refused."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import InvalidInput
from milepost.net.carriers import STORIES, CarrierWire, Simulator, carrier_of, check_source
from milepost.net.carriers.pointer import found_at, steps_of
from milepost.net.carriers.shape import SimulatorConfig
from milepost.net.guard import Guard
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent, Parcel
from milepost.orders.move import move
from milepost.orders.tracking import Scan, updates_of
from milepost.ports.tracking import Carrier, CarrierSource, Failed, Told
from tests.net.receiver import LOCAL, Answer, Receiver, hangs, says, says_forever

S = State
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARCEL = Parcel("1", tracking_number="1Z 99/ä", carrier="Acme", created_at=NOW)
WORDS = {"IT": "in_transit", "Out for  delivery": "out_for_delivery", "DL": "delivered"}
CONFIG: Mapping[str, Any] = {
    "url": "https://acme.example/track/{tracking_number}?key={secret:key}",
    "statuses": WORDS,
    "scans": "/shipments/*/events",
    "status": "/status/code",
    "time": "/at",
    "scan_id": "/id",
    "carrier_service": "/service",
}


def a_source(
    kind: str = "http", *, secrets: Mapping[str, str] | None = None, **config: Any
) -> CarrierSource:
    given = {**CONFIG, **config} if kind == "http" else config
    return CarrierSource(
        account_id="acc_1",
        source="acme",
        kind=kind,
        carriers=(),
        config=msgspec.json.encode(given),
        secrets=msgspec.json.encode(secrets or {"key": "k/1", "token": "t-secret"}),
        created_at=NOW,
        updated_at=NOW,
    )


def reply(body: object, *, status: str = "200 OK", headers: str = "") -> bytes:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    head = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(content)}\r\n\r\n"
    return head.encode() + content


Case = Callable[[Receiver, Callable[..., Coroutine[Any, Any, Told | Failed]]], Any]


def play(answer: bytes | Answer, case: Case, *, guard: Guard = LOCAL) -> None:
    """Plays a case against a server that answers so; `ask` takes what its config is to be."""

    async def main() -> None:
        said = says(answer) if isinstance(answer, bytes) else answer
        async with Receiver(said) as server:
            wire = CarrierWire(guard=guard)

            async def ask(parcel: Parcel = PARCEL, **config: Any) -> Told | Failed:
                path = config.pop("path", "/track/{tracking_number}")
                source = a_source(url=f"http://127.0.0.1:{server.port}{path}", **config)
                return await ready(source, wire).ask(parcel, now=NOW)

            try:
                await case(server, ask)
            finally:
                await wire.close()

    asyncio.run(main())


def ready(source: CarrierSource, wire: CarrierWire) -> Carrier:
    variables = {"CARRIER_TOKEN": "from-outside"}
    return carrier_of(source, fetch=wire.send, variable=variables.get, user_agent="Milepost/test")


def heard(answer: object, **config: Any) -> Told | Failed:
    """What is made of an answer."""
    told: list[Told | Failed] = []

    async def case(_: Receiver, ask: Any) -> None:
        told.append(await ask(**config))

    play(answer if callable(answer) else reply(answer), case)
    return told[0]


EVENTS = {
    "service": "Express",
    "shipments": [
        {"events": [{"status": {"code": "IT"}, "at": "2026-02-27T10:00:00Z", "id": 7}]},
        {"events": [{"status": {"code": " out for delivery"}, "at": "2026-02-28T09:30+01:00"}]},
    ],
}


# --- the question ---------------------------------------------------------------------------------


def test_a_question_is_what_the_configuration_says() -> None:
    async def case(server: Receiver, ask: Any) -> None:
        headers = {"Authorization": "Bearer {secret:token}", "X-Carrier": "{carrier}"}
        await ask(path="/t/{tracking_number}?key={secret:key}", headers=headers)
        lines = server.heads[0].decode().split("\r\n")
        assert lines[0] == "GET /t/1Z%2099%2F%C3%A4?key=k%2F1 HTTP/1.1"
        told = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        assert told["authorization"] == "bearer t-secret"
        assert told["x-carrier"] == "acme"
        assert told["accept"] == "application/json"
        assert told["user-agent"] == "milepost/test"
        assert "content-type" not in told
        assert server.bodies == [b""]

    play(reply(EVENTS), case)


def test_a_question_can_be_posted_as_json() -> None:
    async def case(server: Receiver, ask: Any) -> None:
        parcel = msgspec.structs.replace(PARCEL, tracking_number='1"Z')
        await ask(parcel, method="POST", body='{"numbers": ["{tracking_number}"]}', path="/find")
        await ask(method="POST", body='{"numbers": ["{tracking_number}"]}', path="/find")
        assert server.heads[0].startswith(b"POST /find HTTP/1.1\r\n")
        assert msgspec.json.decode(server.bodies[0]) == {"numbers": ['1"Z']}
        assert b"content-type: application/json" in server.heads[0].lower()
        assert msgspec.json.decode(server.bodies[1]) == {"numbers": ["1Z 99/ä"]}

    play(reply(EVENTS), case)


def test_a_secret_can_be_a_variable_that_is_made_for_it() -> None:
    async def case(server: Receiver, ask: Any) -> None:
        secrets = {"token": "env:CARRIER_TOKEN", "key": "x"}
        await ask(secrets=secrets, headers={"x-token": "{secret:token}"})
        assert b"x-token: from-outside" in server.heads[0]
        with pytest.raises(InvalidInput, match="CARRIER_MISSING"):
            await ask(secrets={"token": "env:CARRIER_MISSING"})

    play(reply(EVENTS), case)


# --- the answer -----------------------------------------------------------------------------------


def test_scans_are_read_where_the_configuration_points_to() -> None:
    told = heard(EVENTS)
    assert told == Told(
        (
            Scan(
                datetime(2026, 2, 27, 10, tzinfo=UTC),
                S.IN_TRANSIT,
                raw="IT",
                scan_id="7",
                carrier_service="Express",
            ),
            Scan(
                datetime(2026, 2, 28, 8, 30, tzinfo=UTC),
                S.OUT_FOR_DELIVERY,
                raw="out for delivery",
                carrier_service="Express",
            ),
        )
    )


def test_words_that_nobody_has_given_a_meaning_are_told_and_kept() -> None:
    told = heard({"status": "ZZ", "at": "2026-02-27T10:00:00Z"}, scans="", status="/status")
    assert isinstance(told, Told)
    assert [(s.state, s.raw) for s in told.scans] == [(None, "ZZ")]
    assert told.trouble == "no meaning is known of “ZZ”"


def test_scans_that_cannot_be_read_spoil_no_others() -> None:
    good = {"status": {"code": "DL"}, "at": "2026-02-27T10:00:00Z"}
    bad: list[object] = [
        None, 7, "x", [], {}, {"status": {"code": "DL"}}, {"at": good["at"]},
        {"status": {"code": True}, "at": good["at"]}, {"status": {"code": "DL"}, "at": "soon"},
        {"status": {"code": "DL"}, "at": "0001-01-01T00:00:00+14:00"},
        {"status": {"code": "DL"}, "at": "1800-01-01T00:00:00Z"},
    ]  # fmt: skip
    told = heard({"shipments": [{"events": [*bad, good]}]})
    assert isinstance(told, Told)
    assert [s.state for s in told.scans] == [S.DELIVERED]
    assert told.trouble == "11 of its scans had no status or no time that could be read"


@pytest.mark.parametrize(
    ("time", "form", "zone", "said"),
    [
        ("/at", "iso", "Europe/Berlin", {"at": "2026-07-01T14:00:00"}),
        ("/at", "iso", "UTC", {"at": "2026-07-01 12:00:00Z"}),
        ("/at", "iso", "UTC", {"at": "2026-07-01T07:00:00.000-0500"}),
        ("/at", "unix", "UTC", {"at": 1_782_907_200}),
        ("/at", "unix_ms", "UTC", {"at": "1782907200000"}),
        (["/day", "/hour"], "%Y%m%d %H%M", "America/New_York", {"day": 20260701, "hour": "0800"}),
    ],
)
def test_times_are_read_in_the_form_and_zone_of_the_carrier(
    time: object, form: str, zone: str, said: Mapping[str, object]
) -> None:
    told = heard(
        {"code": "DL", **said},
        scans="", status="/code", time=time, time_form=form, time_zone=zone,
    )  # fmt: skip
    assert isinstance(told, Told)
    assert [s.occurred_at for s in told.scans] == [datetime(2026, 7, 1, 12, tzinfo=UTC)]


def test_a_number_that_the_carrier_does_not_know_yet_is_no_failure() -> None:
    assert heard(says(reply({}, status="404 Not Found"))) == Told()
    assert heard({"shipments": []}) == Told()
    assert heard({"error": "unknown"}) == Told()


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        ("500 Oops", "", Failed("HTTP 500")),
        ("401 No", "", Failed("HTTP 401")),
        ("302 Found", "location: http://127.0.0.1/\r\n", Failed("HTTP 302")),
        ("400 Bad", "", Failed("HTTP 400", is_general=False)),
        ("429 Slow", "retry-after: 90\r\n", Failed("HTTP 429", wait=timedelta(seconds=90))),
        (
            "503 Later",
            "retry-after: Sun, 01 Mar 2026 12:02:00 GMT\r\n",
            Failed("HTTP 503", wait=timedelta(minutes=2)),
        ),
    ],
)
def test_a_refusal_says_how_general_it_is_and_how_long_to_wait(
    status: str, headers: str, expected: Failed
) -> None:
    assert heard(says(reply({}, status=status, headers=headers))) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b'{"a": \xff}', b'{"shipments"', b"NaN"]
)
def test_what_is_no_json_is_a_failure_and_no_more(body: bytes) -> None:
    assert heard(says(reply(body))) == Failed("the answer is not JSON")


def test_an_answer_that_never_ends_is_cut_off() -> None:
    endless = says_forever(
        b"x" * 65_536, first=b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"
    )
    told = heard(endless)
    assert isinstance(told, Failed)
    assert told.why.startswith("oversized")


def test_a_carrier_that_hangs_is_given_up_after_its_time() -> None:
    told = heard(hangs, timeout_s=1)
    assert isinstance(told, Failed)
    assert told.why.startswith("timeout")


def test_a_carrier_at_an_address_that_is_not_public_is_not_asked() -> None:
    async def case(server: Receiver, ask: Any) -> None:
        told = await ask()
        assert isinstance(told, Failed)
        assert told.why.startswith("blocked")
        assert server.connections == 0

    play(reply(EVENTS), case, guard=Guard())


def test_no_secret_is_in_what_a_failure_says(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        wire = CarrierWire(guard=LOCAL)
        source = a_source(url="http://localhost:1/{secret:key}", secrets={"key": "hush-hush"})
        told = await ready(source, wire).ask(PARCEL, now=NOW)
        await wire.close()
        assert isinstance(told, Failed)
        assert "hush" not in told.why

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    assert "hush" not in caplog.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["shipments", "events", "status", "code", "at", "id"]), inner
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_no_answer_is_read_with_anything_but_scans_or_a_failure(answer: object) -> None:
    from milepost.delivery.model import Reply

    async def fetch(_request: object) -> Reply:
        return Reply(200, body=msgspec.json.encode(answer))

    carrier = carrier_of(a_source(), fetch=fetch, variable=lambda _: None, user_agent="t")
    told = asyncio.run(carrier.ask(PARCEL, now=NOW))
    assert isinstance(told, Told)
    for scan in told.scans:
        assert scan.occurred_at.tzinfo is UTC


# --- pointers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", [{"a": [{"b": 1}, {"b": 2}, {}], "m~n": 3, "x/y": 4, "": 5}]),
        ("/a/1/b", [2]),
        ("/a/*/b", [1, 2]),
        ("/m~0n", [3]),
        ("/x~1y", [4]),
        ("/", [5]),
        ("/a/9/b", []),
        ("/a/-1", []),
        ("/nothing/there", []),
    ],
)
def test_a_pointer_leads_to_what_it_names(pointer: str, found: list[object]) -> None:
    value = {"a": [{"b": 1}, {"b": 2}, {}], "m~n": 3, "x/y": 4, "": 5}
    assert list(found_at(value, steps_of(pointer))) == found


@pytest.mark.parametrize("pointer", ["a", "a/b", "/a~2", "/a~"])
def test_what_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(ValueError, match="pointer"):
        steps_of(pointer)


# --- what is refused when a source is set up ------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"url": "ftp://acme.example/"}, "url"),
        ({"url": "https://{carrier}.example/"}, "config.url"),
        ({"url": "https://acme.example{tracking_number}/"}, "config.url"),
        ({"url": "https://10.1.2.3/{tracking_number}"}, "url"),
        ({"url": "https://acme.example/{number}"}, "config.url"),
        ({"url": "https://acme.example/{secret:other}"}, "config.url"),
        ({"headers": {"x": "{secret:other}"}}, "config.headers.x"),
        ({"headers": {f"h{n}": "x" for n in range(31)}}, "config.headers"),
        ({"body": "{}"}, "config.body"),
        ({"statuses": {}}, "config.statuses"),
        ({"statuses": {"P": "picking"}}, "config.statuses.P"),
        ({"statuses": {"P": "flying"}}, "config.statuses[...]"),
        ({"scans": "events"}, "config.scans"),
        ({"time": ["/a", "b"]}, "config.time"),
        ({"time_form": "%Q %"}, "config.time_form"),
        ({"time_zone": "Mars/Base"}, "config.time_zone"),
        ({"time_zone": "../etc/passwd"}, "config.time_zone"),
        ({"method": "PUT"}, "config.method"),
        ({"at_once": 0}, "config.at_once"),
        ({"color": "red"}, "config.color"),
        ({"secrets": {"key": "env:HOME"}}, "secrets.key"),
        ({"secrets": {"key": "env:MILEPOST_DATABASE_URL"}}, "secrets.key"),
    ],
)
def test_a_source_that_cannot_work_is_refused_with_the_field(
    config: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_source(a_source(**config), check_url=_check)
    assert refused.value.field == field


def _check(url: str) -> None:
    from milepost.net.guard import check_url

    check_url(url, guard=Guard())


def test_a_source_that_can_work_is_taken() -> None:
    for source in (
        a_source(),
        a_source(method="POST", body='{"a": {"n": "{tracking_number}"}}'),
        a_source("simulator"),
        a_source("pushed", statuses={"Zugestellt": "delivered"}),
    ):
        check_source(source, check_url=_check)
    with pytest.raises(InvalidInput, match="one of http, simulator, pushed"):
        check_source(a_source("pigeon"), check_url=_check)


# --- the simulator --------------------------------------------------------------------------------


def simulated(number: str, *, at: datetime, seed: str = "s") -> tuple[Scan, ...]:
    parcel = Parcel("1", tracking_number=number, created_at=NOW, state=S.SHIPPED, state_at=NOW)
    told = asyncio.run(Simulator(SimulatorConfig(seed)).ask(parcel, now=at))
    assert isinstance(told, Told)
    return told.scans


FAR = NOW + timedelta(days=400)


def test_the_simulator_tells_the_same_story_every_time_and_only_what_has_happened() -> None:
    whole = simulated("N1", at=FAR)
    assert whole == simulated("N1", at=FAR)
    assert whole != simulated("N1", at=FAR, seed="t")
    assert [s.occurred_at for s in whole] == sorted(s.occurred_at for s in whole)
    for scan in whole:
        assert simulated("N1", at=scan.occurred_at)[-1] == scan
    assert simulated("N1", at=NOW) == ()


def test_the_simulator_tells_this_story() -> None:
    """Byte for byte: a story that was told stays the same over versions."""
    assert [(s.state, s.occurred_at.isoformat()) for s in simulated("SIM-quick-1", at=FAR)] == [
        (S.IN_TRANSIT, "2026-03-01T16:52:00+00:00"),
        (S.OUT_FOR_DELIVERY, "2026-03-02T10:43:00+00:00"),
        (S.DELIVERED, "2026-03-02T15:05:00+00:00"),
    ]


@pytest.mark.parametrize("name", STORIES)
def test_every_story_is_a_life_that_the_lifecycle_allows(name: str) -> None:
    parcel = Parcel("1", S.SHIPPED, state_at=NOW, tracking_number="x", created_at=NOW)
    order = Order(
        "a", "o", "s", "k", S.SHIPPED, NOW, 1, NOW, NOW, OrderContent(), parcels=(parcel,)
    )
    scans = simulated(f"SIM-{name}-1", at=FAR)
    assert [s.state for s in scans] == [state for state, _ in STORIES[name]]
    for update in updates_of(scans, parcel=parcel):
        told = move(order, update, now=FAR)
        assert told.verdict is Verdict.APPLIED, (update.state, told.why)
        order = told.order
    ends = {"return": S.RETURNED, "undeliverable": S.RETURNING, "lost": S.IN_TRANSIT}
    assert order.state is {**ends, "silent": S.SHIPPED}.get(name, S.DELIVERED)


def test_most_parcels_arrive_and_some_do_not() -> None:
    lengths = Counter(
        scans[-1].state if (scans := simulated(f"N{n}", at=FAR)) else None for n in range(400)
    )
    assert lengths[S.DELIVERED] > 330
    assert len(lengths) >= 3
