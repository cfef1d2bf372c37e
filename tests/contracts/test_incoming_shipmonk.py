"""ShipMonk's order status change that comes in, and its three siblings."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from milepost.contracts import INCOMING, Notice
from milepost.contracts.incoming import Message, MessageKind
from milepost.contracts.shipmonk import delivery, payloads, statuses
from milepost.errors import InvalidInput, SourceRefused
from milepost.orders.events import Update
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Lot, PackedItem, Parcel, ParcelDetails, Weight
from tests.contracts.orders import STORE, event, order, raw
from tests.contracts.two_hubs import BORN, headers, reader

ROOM = INCOMING["shipmonk"]
BASIC: dict[str, Any] = {"username": "shop", "password": "open sesame"}
TOKEN = "Basic " + base64.b64encode(b"shop:open sesame").decode()
READ = reader("shipmonk", **BASIC)
HEADERS = {"content-type": "application/json", "authorization": TOKEN}
PARCELS = (
    Parcel(
        parcel="1",
        state=State.IN_TRANSIT,
        carrier="UPS",
        carrier_service="Ground",
        tracking_number="1Z1",
        tracking_url="https://t.example/1Z1",
        details=ParcelDetails(
            number=1,
            weight=Weight(Decimal("1.5"), "lb"),
            items=(PackedItem("SKU", 2, line_key="L1", lots=(Lot("LOT"),)),),
            extensions={"shipmonk": raw(pallet_number=3)},
        ),
    ),
    Parcel(parcel="2", state=State.IN_TRANSIT, tracking_number="1Z2"),
)


def sent(state: State = State.IN_TRANSIT, **facts: Any) -> dict[str, Any]:
    """The body that our own room writes, which is the published one."""
    known = order(state, **facts)
    content = payloads.body(Notice(known, event(known), STORE), payloads.Options()).content
    told: dict[str, Any] = msgspec.json.decode(content)
    return told


def read(told: dict[str, Any]) -> Message:
    return READ(HEADERS, msgspec.json.encode(told))


def test_an_order_tells_its_key_its_store_and_when() -> None:
    message = read(sent(State.PACKED))
    assert (message.kind, message.order_key, message.store) == (MessageKind.ORDER, "key-1", "17")
    assert message.word == "packed"
    (update,) = message.updates
    assert update.state is State.PACKED
    assert update.occurred_at == datetime(2026, 5, 6, 9, 30, 1, tzinfo=UTC)
    assert update.updating is False


def test_each_package_is_a_parcel_with_all_that_is_said_of_it() -> None:
    first, second = read(sent(parcels=PARCELS)).updates
    assert (first.tracking_number, second.tracking_number) == ("1Z1", "1Z2")
    assert first.state is second.state is State.IN_TRANSIT
    assert (first.carrier, first.carrier_service) == ("UPS", "Ground")
    assert first.tracking_url == "https://t.example/1Z1"
    assert first.details is not None
    assert first.details.number == 1
    assert first.details.weight == Weight(Decimal("1.5"), "lb")
    assert first.details.items == PARCELS[0].details.items  # type: ignore[union-attr]
    assert msgspec.json.decode(first.details.extensions["shipmonk"]) == {"pallet_number": 3}
    assert second.details is None


def test_what_a_package_cannot_mean_is_left_out_and_the_rest_is_kept() -> None:
    told = sent(parcels=PARCELS)
    told["packages"][0] |= {
        "number": -4,
        "weight_lb": {"value": "heavy", "unit": "stone"},
        "packed_items": [{"sku": 1}],
        "tracking_url": "javascript:alert(1)",
        "box_number": "x",
    }
    first, _ = read(told).updates
    assert (first.tracking_number, first.tracking_url, first.details) == ("1Z1", None, None)


def test_packages_without_a_name_say_nothing_beside_the_order() -> None:
    told = sent(parcels=(Parcel("a", State.IN_TRANSIT), Parcel("b", State.IN_TRANSIT)))
    (update,) = read(told).updates
    assert update == Update(
        source="",
        state=State.IN_TRANSIT,
        occurred_at=update.occurred_at,
        raw="en_route",
        updating=False,
        covers=update.covers,
        current=True,
        whole=True,
    )


@pytest.mark.parametrize(("word", "reading"), statuses.READ.items())
def test_every_status_is_read(word: str, reading: Any) -> None:
    told = sent(State.PACKED) | {"processing_status": word, "order_status": "unfulfilled"}
    (update,) = read(told).updates
    assert (update.state, update.reason, update.updating) == (
        reading.state,
        reading.reason,
        reading.updating,
    )


def test_a_refused_address_is_told_from_another_failed_hand_over() -> None:
    assert read(sent(State.ADDRESS_ERROR)).updates[0].state is State.ADDRESS_ERROR
    assert read(sent(State.SUBMIT_FAILED)).updates[0].state is State.SUBMIT_FAILED


def test_a_word_names_the_finer_states_that_look_the_same() -> None:
    (update,) = read(sent(State.OUT_FOR_DELIVERY)).updates
    assert update.state is State.IN_TRANSIT
    assert {state for state, _ in update.covers} == {
        State.OUT_FOR_DELIVERY,
        State.ATTEMPT_FAILED,
        State.AVAILABLE_FOR_PICKUP,
        State.DELAYED,
        State.EXCEPTION,
    }
    (queued,) = read(sent(State.CREATED)).updates
    assert (State.SCHEDULED, Reason.FUTURE_DATE) in queued.covers
    assert (State.SCHEDULED, Reason.SUBSCRIPTION) not in queued.covers


@pytest.mark.parametrize(
    "written",
    [
        "2026-05-06T09:30:01Z",
        "2026-05-06T11:30:01+02:00",
        {"date": "2026-05-06 11:30:01.000000", "timezone_type": 3, "timezone": "Europe/Berlin"},
        {"date": "2026-05-06 04:30:01", "timezone": "-05:00"},
    ],
)
def test_dates_come_as_text_or_as_an_object(written: object) -> None:
    (update,) = read(sent(State.PACKED) | {"updated_at": written}).updates
    assert update.occurred_at == datetime(2026, 5, 6, 9, 30, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "kind", "key"),
    [
        ({"parent_order_key": "K-9", "packages": []}, MessageKind.SHIPMENT, "K-9"),
        ({"rma": "R-1", "return_reason": "x", "order_key": "K-8"}, MessageKind.RETURN, "K-8"),
        ({"asn": "A-1"}, MessageKind.RECEIVING, None),
        ({"something": "else"}, MessageKind.OTHER, None),
    ],
)
def test_the_sibling_events_are_recognized_and_change_nothing(
    said: dict[str, Any], kind: MessageKind, key: str | None
) -> None:
    message = read(said)
    assert (message.kind, message.order_key) == (kind, key)
    assert (message.updates, message.unmapped) == ((), ())


@pytest.mark.parametrize(
    ("said", "unmapped"),
    [
        ({"processing_status": "teleported"}, "processing_status: teleported"),
        ({"order_status": "asleep"}, "order_status: asleep"),
    ],
)
def test_a_word_that_means_nothing_is_shown(said: dict[str, str], unmapped: str) -> None:
    message = read(sent(State.PACKED) | said)
    assert (message.updates, message.unmapped) == ((), (unmapped,))


def test_every_proof_that_was_given_has_to_hold() -> None:
    content = msgspec.json.encode(sent(State.PACKED))
    signature = {"x-sm-signature": delivery.sign("s3cret", content)}
    signed = reader("shipmonk", signature_secrets=["old", "s3cret"])
    both = reader("shipmonk", **BASIC, signature_secrets=["s3cret"])
    assert signed(signature, content).updates
    assert both({**HEADERS, **signature}, content).updates
    for refused, given in (
        (READ, {}),
        (READ, {"authorization": "Basic c2hvcDpubw=="}),
        (signed, {"x-sm-signature": delivery.sign("no", content)}),
        (both, HEADERS),
        (both, signature),
    ):
        with pytest.raises(SourceRefused) as error:
            refused(given, content)
        assert "sesame" not in str(error.value)


def test_a_number_counts_only_where_a_signature_proves_it() -> None:
    content = msgspec.json.encode(sent(State.PACKED))
    proved = headers(content, order_id="ord_1", sequence=4)
    assert reader("shipmonk")(proved, content).updates[0].source_sequence == 4
    assert READ({**proved, "authorization": TOKEN}, content).updates[0].source_sequence is None


def test_a_source_without_any_proof_cannot_be_made() -> None:
    nothing: list[dict[str, Any]] = [{"username": "x"}, {"password": "x"}, {"secrets": []}]
    for given in nothing:
        with pytest.raises(msgspec.ValidationError):
            reader("shipmonk", **given)
    with pytest.raises(InvalidInput):
        ROOM.reader(
            msgspec.convert({"username": "a:b", "password": "x"}, ROOM.credentials),
            ROOM.options(),
            BORN.timestamp,
        )


def test_more_packages_than_an_order_may_have_are_refused() -> None:
    told = sent(parcels=PARCELS[1:])
    told["packages"] *= 501
    with pytest.raises(InvalidInput):
        read(told)
