"""What a source says in a contract's own words is checked before it is stored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from milepost.contracts import ROOMS, check_extensions, check_parcel_extensions
from milepost.contracts.extensions import LARGEST_EXTENSION
from milepost.errors import InvalidInput
from milepost.orders.model import OrderContent, ParcelDetails
from tests.contracts import orders


def refused(content: dict[str, Any]) -> InvalidInput:
    decoded = msgspec.json.decode(msgspec.json.encode(content), type=OrderContent)
    with pytest.raises(InvalidInput) as caught:
        check_extensions(decoded, ROOMS)
    return caught.value


def line(**extensions: Any) -> dict[str, Any]:
    return {"sku": "A", "quantity": 1, "extensions": extensions}


def test_what_the_rooms_know_passes() -> None:
    check_extensions(OrderContent(), ROOMS)
    check_extensions(orders.RICH_CONTENT, ROOMS)
    for parcel in orders.RICH_PARCELS:
        check_parcel_extensions(parcel.details or ParcelDetails(), ROOMS)


def test_a_refusal_names_the_field_and_what_was_expected() -> None:
    error = refused(
        {
            "extensions": {
                "shipmonk": {
                    "order_costs": {
                        "estimated_pick_and_pack_charges": {"amount": "a lot", "currency": "USD"}
                    }
                }
            }
        }
    )
    path = "extensions.shipmonk.order_costs.estimated_pick_and_pack_charges.amount"
    assert (error.field, error.expected) == (path, "a number")


@pytest.mark.parametrize(
    ("content", "field", "expected"),
    [
        ({"extensions": {"nobody": {}}}, "extensions.nobody", "only withings, shipmonk"),
        ({"extensions": {"standard": {}}}, "extensions.standard", "only withings, shipmonk"),
        (
            {"extensions": {"withings": {"serial": "1"}}},
            "extensions.withings.serial",
            "no such field",
        ),
        (
            {"lines": [line(), line(standard={})]},
            "lines[1].extensions.standard",
            "only withings, shipmonk",
        ),
        (
            {"lines": [line(shipmonk={"source": "magic"})]},
            "lines[0].extensions.shipmonk.source",
            "one of imported, manual, inserted, packaging, claim_reship",
        ),
        ({"extensions": {"shipmonk": None}}, "extensions.shipmonk", "object, got null"),
        (
            {"extensions": {"shipmonk": {"order_size": "x" * LARGEST_EXTENSION}}},
            "extensions.shipmonk",
            f"at most {LARGEST_EXTENSION} bytes",
        ),
    ],
)
def test_what_no_room_knows_is_refused(content: dict[str, Any], field: str, expected: str) -> None:
    error = refused(content)
    assert (error.field, error.expected) == (field, expected)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"standard": {}}, "extensions.standard"),
        ({"shipmonk": {"box_number": -1}}, "extensions.shipmonk.box_number"),
        (
            {"shipmonk": {"carton_labels": [{"type": "sticker"}]}},
            "extensions.shipmonk.carton_labels[0].type",
        ),
        (
            {"shipmonk": {"pallet_weight_lb": {"value": 1, "unit": "t"}}},
            "extensions.shipmonk.pallet_weight_lb.unit",
        ),
    ],
)
def test_what_an_update_says_of_a_parcel_is_checked_alike(said: Any, field: str) -> None:
    extensions = {name: orders.raw(**inner) for name, inner in said.items()}
    with pytest.raises(InvalidInput) as caught:
        check_parcel_extensions(ParcelDetails(extensions=extensions), ROOMS)
    assert caught.value.field == field


def test_a_name_that_is_too_long_to_repeat_is_cut() -> None:
    assert len(refused({"extensions": {"x" * 5_000: {}}}).field) < 200
    assert len(refused({"extensions": {"shipmonk": {"x" * 5_000: 1}}}).field) < 200
