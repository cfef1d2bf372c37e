"""Operational events in the neutral contract: whole, in UTC, and readable by the kit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from milepost.contracts import ROOMS
from milepost.contracts.operational import (
    notice_of,
    paused_notice,
    resumed_notice,
    silence_notice_of,
)
from milepost.contracts.standard import silence
from milepost.contracts.standard.operational import WHAT_TO_DO, body
from milepost.delivery.health import Cause, Health, OperationalEvent, OperationalType
from milepost.delivery.model import Body, Claimed, Endpoint, Operational, Outcome
from milepost.delivery.signature import common_headers, new_secret
from milepost.delivery.silence import SilenceEvent, SilenceType
from milepost.orders.lifecycle import State
from milepost.orders.silence import Silence, SilenceKind
from milepost_receiver import (
    BodyMalformed,
    OperationalNotification,
    Receiver,
    SilentOrder,
    StandardNotification,
)
from milepost_receiver.operational import TYPES

AT = datetime(2026, 5, 6, 11, 30, tzinfo=timezone(timedelta(hours=2)))
SECRET = new_secret(bytes(range(32)))
ENDPOINT = Endpoint(
    account_id="acc_1",
    endpoint_id="ep_7m2k9q4t0x",
    contract="withings",
    url="https://shop.example/withings",
    schedule="milepost-growing",
    created_at=AT,
    updated_at=AT,
    description="the shop",
)
HEALTH = Health(
    failures=7,
    failing_since=AT - timedelta(hours=1),
    last_success_at=AT - timedelta(hours=2),
    last_failure_at=AT,
    last_outcome=Outcome.TIMEOUT,
    failing=True,
)


def event(kind: OperationalType, **given: Any) -> OperationalEvent:
    return OperationalEvent(
        **{
            "type": kind,
            "at": AT,
            "endpoint": ENDPOINT,
            "cause": Cause.RECEIVER,
            "why": "7 attempts in a row have failed",
            "since": HEALTH.failing_since,
            "health": HEALTH,
            **given,
        }
    )


def test_an_event_is_told_whole_with_times_in_utc() -> None:
    told = msgspec.json.decode(body(event(OperationalType.FAILING), 3).content)
    assert told == {
        "type": "endpoint.failing",
        "timestamp": "2026-05-06T09:30:00Z",
        "data": {
            "sequence": 3,
            "subject": "ops_7m2k9q4t0x",
            "endpoint": {
                "endpoint_id": "ep_7m2k9q4t0x",
                "contract": "withings",
                "url": "https://shop.example/withings",
                "description": "the shop",
                "state": "active",
            },
            "cause": "receiver",
            "why": "7 attempts in a row have failed",
            "since": "2026-05-06T08:30:00Z",
            "failures": 7,
            "last_success_at": "2026-05-06T07:30:00Z",
            "last_outcome": "timeout",
            "abandoned": 0,
            "what_to_do": WHAT_TO_DO[OperationalType.FAILING],
        },
    }


def test_what_nobody_has_counted_is_null() -> None:
    notice = paused_notice(
        ENDPOINT, why="the receiver answered 410 Gone", at=AT, cause=Cause.RECEIVER, rooms=ROOMS
    )
    data = msgspec.json.decode(notice.bodies(1)["standard"].content)["data"]
    assert (data["failures"], data["last_success_at"], data["since"]) == (None, None, None)
    assert data["endpoint"]["state"] == "paused"


def test_resuming_tells_since_when_it_was_paused() -> None:
    paused = msgspec.structs.replace(ENDPOINT, state_at=AT - timedelta(days=1))
    notice = resumed_notice(paused, at=AT, rooms=ROOMS)
    told = msgspec.json.decode(notice.bodies(2)["standard"].content)
    assert told["type"] == "endpoint.resumed"
    assert told["data"]["since"] == "2026-05-05T09:30:00Z"
    assert told["data"]["endpoint"]["state"] == "active"


def test_only_the_neutral_contract_has_a_form_for_them() -> None:
    assert set(notice_of(event(OperationalType.FAILING), rooms=ROOMS).bodies(1)) == {"standard"}
    assert [r.name for r in ROOMS.values() if r.operational is not None] == ["standard"]
    assert [r.name for r in ROOMS.values() if r.latest_suffices] == ["standard"]


# what the kit makes of them


def sent(content: Body, *, sequence: int = 1, subject: str = "ops_7m2k9q4t0x") -> dict[str, str]:
    listener = msgspec.structs.replace(
        ENDPOINT, contract="standard", secrets=(SECRET,), operational=Operational.ONLY
    )
    claimed = Claimed(listener, subject, sequence, 0, 0, 0, 0, content)
    return dict(common_headers(claimed, timestamp=int(AT.timestamp()), user_agent="Milepost/0"))


def receiver(**given: Any) -> Receiver[Any]:
    made: Receiver[Any] = Receiver.standard(secrets=[SECRET], now=AT.timestamp, **given)
    return made


@pytest.mark.parametrize("kind", OperationalType)
def test_the_kit_reads_every_kind_of_event(kind: OperationalType) -> None:
    content = body(event(kind, abandoned=2), 1)
    read = receiver(operational=True).read(sent(content), content.content)
    assert type(read) is OperationalNotification
    assert read.known
    assert (read.type, read.subject, read.order_id) == (kind, "ops_7m2k9q4t0x", "ops_7m2k9q4t0x")
    assert (read.endpoint_id, read.contract, read.abandoned) == ("ep_7m2k9q4t0x", "withings", 2)
    assert read.timestamp == AT.astimezone(UTC)
    assert read.since == HEALTH.failing_since
    assert (read.cause, read.failures, read.last_outcome) == ("receiver", 7, "timeout")
    assert read.what_to_do == WHAT_TO_DO[kind]


def test_kit_and_hub_know_the_same_kinds() -> None:
    assert {kind.value for kind in (*OperationalType, *SilenceType)} == TYPES


def test_a_receiver_that_did_not_ask_for_them_refuses_them_by_name() -> None:
    content = body(event(OperationalType.PAUSED), 1)
    with pytest.raises(BodyMalformed, match=r"data\.order"):
        receiver().read(sent(content), content.content)


def test_what_the_headers_and_the_body_say_has_to_agree() -> None:
    content = body(event(OperationalType.PAUSED), 2)
    with pytest.raises(BodyMalformed, match="sequence"):
        receiver(operational=True).read(sent(content, sequence=1), content.content)


def test_orders_are_read_as_ever_by_a_receiver_of_both() -> None:
    from tests.sdk.senders import envelope, numbered, signed, text

    raw = text(envelope())
    from tests.sdk import senders

    both = Receiver.standard(secrets=[senders.SECRET], operational=True, now=senders.now)
    assert type(both.read({**signed(raw), **numbered()}, raw)) is StandardNotification


# silences

SILENT = Silence(
    "acc_1",
    7,
    "ord_1",
    SilenceKind.CARRIER,
    State.IN_TRANSIT,
    AT - timedelta(days=5),
    timedelta(days=5),
    AT,
    store="shop",
    order_key="1001",
)


def silent(kind: SilenceType = SilenceType.SILENT, *first: Silence, count: int = 1) -> SilenceEvent:
    return SilenceEvent(kind, AT, "acc_1", count, first or (SILENT,))


def test_silences_are_told_whole_with_how_many_and_the_first_of_them() -> None:
    told = msgspec.json.decode(silence.body(silent(count=5_312), 2).content)
    assert told == {
        "type": "order.silent",
        "timestamp": "2026-05-06T09:30:00Z",
        "data": {
            "sequence": 2,
            "subject": "ops_1",
            "cause": "rule",
            "why": "nothing was heard of 5312 orders for too long",
            "since": "2026-05-01T09:30:00Z",
            "count": 5_312,
            "orders": [
                {
                    "number": 7,
                    "order_id": "ord_1",
                    "store": "shop",
                    "order_key": "1001",
                    "kind": "carrier_silent",
                    "state": "in_transit",
                    "since": "2026-05-01T09:30:00Z",
                    "after_s": 432_000,
                    "raised_at": "2026-05-06T09:30:00Z",
                    "ended_at": None,
                    "ended_state": None,
                }
            ],
            "what_to_do": silence.WHAT_TO_DO[SilenceType.SILENT],
        },
    }


@pytest.mark.parametrize("kind", SilenceType)
def test_the_kit_reads_news_of_silences(kind: SilenceType) -> None:
    over = msgspec.structs.replace(SILENT, ended_at=AT, ended_state=State.DELIVERED)
    content = silence_notice_of(silent(kind, over), rooms=ROOMS).bodies(1)["standard"]
    headers = sent(content, subject="ops_1")
    read = receiver(operational=True).read(headers, content.content)
    assert type(read) is OperationalNotification
    assert read.known
    assert (read.type, read.subject, read.endpoint_id, read.count) == (kind, "ops_1", None, 1)
    (order,) = read.orders
    assert order == SilentOrder(
        number=7,
        order_id="ord_1",
        store="shop",
        order_key="1001",
        kind="carrier_silent",
        state="in_transit",
        since=SILENT.since_at,
        after_s=432_000,
        raised_at=AT,
        ended_at=AT,
        ended_state="delivered",
    )


def test_news_whose_orders_are_gone_is_read_all_the_same() -> None:
    event = SilenceEvent(SilenceType.MOVED_AGAIN, AT, "acc_1", 3, ())
    content = silence.body(event, 1)
    headers = sent(content, subject="ops_1")
    read = receiver(operational=True).read(headers, content.content)
    assert type(read) is OperationalNotification
    assert (read.count, read.orders, read.since) == (3, (), None)


def test_an_order_in_news_of_silences_that_lacks_a_field_is_refused_by_its_path() -> None:
    told = msgspec.json.decode(silence.body(silent(), 1).content)
    del told["data"]["orders"][0]["state"]
    content = Body(msgspec.json.encode(told))
    headers = sent(content, subject="ops_1")
    with pytest.raises(BodyMalformed, match=r"orders\[0\].state"):
        receiver(operational=True).read(headers, content.content)
