"""What every contract room keeps to; a new contract is tested here by being in ROOMS."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings

from milepost.contracts import ROOMS, Contract, Notice, read_as, sample
from milepost.contracts.tables import states
from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.delivery.retry import REHEARSAL
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import EDGES, State
from milepost.orders.model import Order
from tests.contracts import orders, shapes

OPTIONS = {"withings": b'{"customer_id":"C-1"}', "shipmonk": b"{}", "standard": b"{}"}
CREDENTIALS = {
    "shipmonk": [
        b"{}",
        b'{"username":"a","password":"b"}',
        b'{"signature_secret":"s"}',
        b'{"username":"\xc3\xa9 x","password":"p:w\xf0\x9f\x94\x91","signature_secret":"s"}',
    ]
}

every_room = pytest.mark.parametrize("room", ROOMS.values(), ids=lambda room: room.name)


def endpoint(room: Contract, *, credentials: bytes = b"{}", options: bytes = b"{}") -> Endpoint:
    return Endpoint(
        account_id="acc_1",
        endpoint_id="ep_a",
        contract=room.name,
        url="https://receiver.example/hook",
        schedule=room.schedules[0].name,
        created_at=orders.CREATED_AT,
        updated_at=orders.CREATED_AT,
        options=options,
        credentials=credentials,
    )


def claimed(room: Contract, body: Body, *, credentials: bytes = b"{}") -> Claimed:
    where = endpoint(room, credentials=credentials, options=OPTIONS[room.name])
    return Claimed(where, orders.ORDER_ID, 7, 5, 0, 0, 0, body)


def body_of(room: Contract, told: Notice) -> Body:
    return room.body(told, read_as(room.options, OPTIONS[room.name]))


def every_order() -> Iterator[Order]:
    """An order for every state, reason, flag and a few of the states that it may come from."""
    before = (None, State.VERIFIED, State.PACKED, State.INFO_RECEIVED)
    for (state, reason), previous, updating in itertools.product(states(), before, (False, True)):
        yield orders.order(state, reason, previous_state=previous, updating=updating)


def test_the_rooms_go_by_their_names() -> None:
    assert [name for name, room in ROOMS.items() if name != room.name] == []
    assert set(ROOMS) == {"withings", "shipmonk", "standard"}


@every_room
def test_every_state_has_words_of_which_one_can_be_subscribed_to(room: Contract) -> None:
    for told in every_order():
        assert any(room.words(told).values())
        assert room.status(told) in room.statuses
        assert room.status(told) in room.words(told).values()


@every_room
def test_every_word_is_shown_by_some_order_and_listed_once(room: Contract) -> None:
    shown = {room.status(told) for told in every_order()}
    assert shown == set(room.statuses)
    assert len(room.statuses) == len(set(room.statuses))


@every_room
def test_only_listed_words_are_sent(room: Contract) -> None:
    assert room.sends <= set(room.statuses)
    assert room.sends


@every_room
def test_words_that_differ_are_seen_as_a_change(room: Contract) -> None:
    sent = [told for told in every_order() if room.status(told) in room.sends]
    for one, other in itertools.combinations(sent, 2):
        if room.words(one) != room.words(other):
            assert room.shown(one) != room.shown(other)


@every_room
def test_words_that_are_read_and_said_again_are_the_same(room: Contract) -> None:
    for told in every_order():
        said = room.words(told)
        reading = room.reads(said)
        if reading.updating:
            assert reading.state is None
            again = msgspec.structs.replace(told, updating=True)
        else:
            assert reading.state is not None
            again = orders.order(reading.state, reading.reason)
        assert room.status(again) in said.values()
        assert set(said.values()) <= {*room.words(again).values(), None}


@every_room
@pytest.mark.parametrize("nonsense", ["", "no such word", "Delivered ", "PENDING\n"])
def test_words_that_nobody_published_are_refused(room: Contract, nonsense: str) -> None:
    for field in room.words(orders.order()):
        with pytest.raises(InvalidInput) as caught:
            room.reads({field: nonsense})
        assert caught.value.field in room.words(orders.order())


@every_room
def test_words_that_say_nothing_are_refused(room: Contract) -> None:
    with pytest.raises(InvalidInput):
        room.reads({})


@every_room
def test_a_body_is_the_same_bytes_every_time(room: Contract) -> None:
    for told in (orders.rich_order(), *every_order()):
        first = body_of(room, orders.notice(told))
        again = body_of(room, orders.notice(msgspec.structs.replace(told)))
        assert first == again
        assert first.content
        assert re.fullmatch(r"[a-z]+/[a-z.+-]+", first.content_type)


@every_room
def test_every_edge_of_the_lifecycle_can_be_told(room: Contract) -> None:
    for origin, target in EDGES:
        told = orders.order(target, previous_state=origin)
        assert msgspec.json.decode(body_of(room, orders.notice(told)).content)


@every_room
@given(told=shapes.any_order())
@settings(max_examples=25)
def test_an_order_of_any_shape_can_be_told(room: Contract, told: Order) -> None:
    body = body_of(room, orders.notice(told))
    assert isinstance(msgspec.json.decode(body.content), dict)
    assert room.status(told) in room.statuses
    assert isinstance(hash(room.shown(told)), int)


@every_room
def test_a_test_notification_is_an_ordinary_one_of_a_made_up_order(room: Contract) -> None:
    told, event = sample(orders.STORE, now=orders.OCCURRED_AT, order_id="tst_01")
    assert event.order_id == told.order_id == "tst_01"
    assert event.sequence == told.sequence == 1
    assert room.status(told) in room.sends
    assert b"tst_01" in body_of(room, Notice(told, event, orders.STORE)).content


@every_room
def test_headers_are_lower_case_names_and_single_lines(room: Contract) -> None:
    body = body_of(room, orders.notice(orders.order()))
    for credentials in CREDENTIALS.get(room.name, [b"{}"]):
        for name, value in room.headers(claimed(room, body, credentials=credentials)):
            assert re.fullmatch(r"[a-z][a-z0-9-]*", name)
            assert re.fullmatch(r"[\x20-\x7e]+", value)


@every_room
def test_headers_never_repeat_one_of_the_common_headers(room: Contract) -> None:
    ours = re.compile(r"webhook-|milepost-|content-type$|user-agent$|host$|content-length$")
    body = body_of(room, orders.notice(orders.order()))
    for credentials in CREDENTIALS.get(room.name, [b"{}"]):
        names = [n for n, _ in room.headers(claimed(room, body, credentials=credentials))]
        assert len(names) == len(set(names))
        assert not any(ours.match(name) for name in names)


@every_room
def test_every_schedule_has_a_source_and_waits(room: Contract) -> None:
    for schedule in room.schedules:
        assert re.match(r"(Milepost|ShipMonk|Withings|Standard Webhooks)\b.+", schedule.source)
        assert schedule.title
        assert re.fullmatch(r"[a-z0-9-]+", schedule.name)
        assert all(0 < wait <= 86_400 for wait in schedule.waits_s)
        assert room.schedule(schedule.name) is schedule
    assert len({schedule.name for schedule in room.schedules}) == len(room.schedules)


@every_room
def test_every_room_can_be_rehearsed_but_not_by_default(room: Contract) -> None:
    assert REHEARSAL in room.schedules[1:]


@every_room
def test_an_unknown_schedule_is_refused_with_the_names_of_those_there_are(room: Contract) -> None:
    with pytest.raises(InvalidInput) as caught:
        room.schedule("whenever")
    assert all(schedule.name in caught.value.expected for schedule in room.schedules)


@every_room
def test_success_is_a_2xx_and_nothing_else(room: Contract) -> None:
    assert [s for s in range(600) if room.received(s)] == list(range(200, 300))


@every_room
def test_the_time_limit_is_between_five_seconds_and_half_a_minute(room: Contract) -> None:
    assert 5 <= room.timeout_s <= 30


@every_room
@pytest.mark.parametrize("said", [b'{"nonsense":1}', b"[]", b"null", b"{", b'"\xff"', b""])
def test_options_and_credentials_that_nobody_defined_are_refused(
    room: Contract, said: bytes
) -> None:
    for shape in (room.options, room.credentials):
        with pytest.raises(InvalidInput):
            read_as(shape, said)
