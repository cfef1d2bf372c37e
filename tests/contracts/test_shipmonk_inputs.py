"""What a merchant sends of an order: checked by the published shape, and kept without loss."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.contracts.shipmonk.closed_sets import WmsType
from milepost.contracts.shipmonk.contents import content_of
from milepost.contracts.shipmonk.extensions import Account, OrderExtensions, Warehouse
from milepost.contracts.shipmonk.inputs import read_moment, read_order
from milepost.contracts.shipmonk.payloads import Options, detail
from milepost.errors import InvalidInput
from milepost.orders.model import OrderContent
from tests.contracts import orders

SCHEMA = json.loads(Path(__file__).with_name("shipmonk.schema.json").read_text(encoding="utf-8"))

LEAST: dict[str, Any] = {
    "store_id": 7,
    "order_number": "Order-123",
    "order_key": "key-123",
    "items": [{"sku": "S-1", "quantity": 2}],
    "ship_to": {},
    "requested_shipping_service": "Free Shipping",
    "ordered_at": "2026-03-04T05:06:07+02:00",
    "order_status": "unfulfilled",
}
FL1 = Warehouse(identifier="FL1", id=3, name="Florida", warehouse_wms_type=WmsType.SHIPMONK)
ACCOUNT = Account(id=0, name="Acme")


def made(known: OrderContent | None = None, **said: Any) -> OrderContent:
    given = read_order(json.dumps({**LEAST, **said}).encode())
    return content_of(given, known=known, warehouses={"FL1": FL1}, account=ACCOUNT)


def extensions(content: OrderContent) -> OrderExtensions:
    return msgspec.json.decode(content.extensions["shipmonk"], type=OrderExtensions)


def refused(**said: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        made(**said)
    return caught.value.field


def test_the_least_order_is_taken_with_the_published_defaults() -> None:
    content = made()
    assert content.currency == "USD"
    assert content.ordered_at is not None
    assert content.ordered_at.isoformat() == "2026-03-04T03:06:07+00:00"
    assert extensions(content).order_type == "direct_to_consumer"
    assert [(line.sku, line.quantity) for line in content.lines] == [("S-1", 2)]


@pytest.mark.parametrize("key", list(LEAST))
def test_a_required_key_that_is_missing_is_named(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_order(json.dumps({k: v for k, v in LEAST.items() if k != key}).encode())
    assert key in f"{caught.value.field} {caught.value.expected}"


def test_an_unknown_key_is_named_wherever_it_stands() -> None:
    assert "colour" in refused(colour="red")
    assert "items[0]" in refused(items=[{"sku": "S", "quantity": 1, "colour": "red"}])


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"store_id": 0}, "store_id"),
        ({"order_key": "k" * 256}, "order_key"),
        ({"items": [{"sku": "S", "quantity": -1}]}, "items[0].quantity"),
        ({"items": [{"sku": "S", "quantity": 1_000_000}]}, "items[0].quantity"),
        ({"order_status": "shipped"}, "order_status"),
        ({"shipping_paid": -1}, "shipping_paid"),
        ({"currency_code": "E1"}, "currency_code"),
        ({"warehouse": "XX9"}, "warehouse"),
        ({"ordered_at": "yesterday"}, "ordered_at"),
        ({"ordered_at": "0001-01-01T00:00:00Z"}, "ordered_at"),
        ({"ship_to": {"country_code": "USA"}}, "ship_to.country_code"),
        ({"references": [{"type": "po_number", "value": " "}]}, "references[0].value"),
        (
            {"special_requirements": {"carton_labels": [{"type": "custom"}]}},
            "special_requirements.carton_labels[0].url",
        ),
        (
            {
                "minimum_shelf_life_days": 9,
                "items": [
                    {"sku": "S", "quantity": 1, "lot_requirements": {"minimum_shelf_life_days": 9}}
                ],
            },
            "items[0].lot_requirements.minimum_shelf_life_days",
        ),
    ],
)
def test_what_is_not_published_is_refused_by_its_key(said: dict[str, Any], field: str) -> None:
    assert refused(**said) == field


def test_amounts_keep_their_digits() -> None:
    raw = json.dumps({**LEAST, "items": []})[:-1] + ', "shipping_paid": 136.0, "taxes_paid": 0.10}'
    content = content_of(read_order(raw.encode()), known=None, warehouses={}, account=ACCOUNT)
    assert str(content.shipping_paid) == "136.0"
    assert content.tax_paid == Decimal("0.10")
    assert str(content.tax_paid) == "0.10"


def test_what_no_notification_shows_is_kept() -> None:
    said = extensions(
        made(
            internal_notes="careful",
            b2b_attributes=[{"name": "asn", "value": "1"}],
            special_requirements={
                "fulfillment_strategy": "drop-ship",
                "cancel_date": "2026-04-01",
                "carton_labels": [{"type": "gs1", "name": "G"}],
                "pack_list_required": True,
            },
        )
    )
    assert said.asked.internal_notes == "careful"
    assert said.asked.b2b_attributes[0].value == "1"
    assert said.asked.fulfillment_strategy == "drop-ship"
    assert said.asked.carton_labels[0].name == "G"
    assert said.special_requirements is not None
    assert said.special_requirements.cancel_date == "2026-04-01T00:00:00+00:00"
    assert said.special_requirements.carton_labels == ()


def test_what_counts_only_when_the_order_is_made_is_not_changed_afterwards() -> None:
    before = made(
        customer_notes="ring twice",
        gift_message="for you",
        internal_notes="careful",
        special_requirements={"pack_list_required": True},
        items=[{"sku": "S-1", "quantity": 2, "line_key": "1", "name": "Pen", "price": 1.50}],
    )
    after = made(
        known=before,
        customer_notes="other",
        gift_message="other",
        internal_notes="other",
        gift_from="Ann",
        special_requirements={"pack_list_required": False},
        items=[
            {"sku": "S-2", "quantity": 5, "line_key": "1", "name": "Ink", "price": 9},
            {"sku": "S-3", "quantity": 1, "name": "New"},
        ],
    )
    assert (after.customer_notes, after.gift_message) == ("ring twice", "for you")
    assert extensions(after).asked.internal_notes == "careful"
    required = extensions(after).special_requirements
    assert required is not None
    assert required.pack_list_required
    assert after.gift_from == "Ann"
    first, second = after.lines
    assert (first.sku, first.quantity, first.name, first.price) == ("S-2", 5, "Pen", Decimal("1.5"))
    assert (second.sku, second.name) == ("S-3", "New")


def test_the_same_input_twice_gives_the_same_content() -> None:
    said: dict[str, Any] = {"warehouse": "FL1", "trading_partner": "Big", "gift_message": "g"}
    once = made(**said)
    assert made(known=once, **said) == once


def test_what_the_warehouse_said_stays_when_the_merchant_edits() -> None:
    told = OrderExtensions(warehouse=FL1, master_tracking_number="M-1")
    known = OrderContent(extensions={"shipmonk": msgspec.Raw(msgspec.json.encode(told))})
    after = extensions(made(known=known))
    assert (after.warehouse, after.master_tracking_number) == (FL1, "M-1")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-07-24 14:53:00", "2025-07-24T14:53:00+00:00"),
        ("2025-07-24T14:53:00Z", "2025-07-24T14:53:00+00:00"),
        ("2025-07-24T14:53:00.250+02:00", "2025-07-24T12:53:00.250000+00:00"),
        ("2025-07-24", "2025-07-24T00:00:00+00:00"),
    ],
)
def test_times_are_read_as_merchants_write_them(text: str, moment: str) -> None:
    assert read_moment("ordered_at", text).isoformat() == moment


# --- any shape within the published schema --------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip())
)
MONEY = st.decimals(0, 10_000, places=2)
PAIRS = st.lists(st.fixed_dictionaries({"name": WORDS, "value": WORDS}), max_size=2)
DAYS = st.dates(date(2020, 1, 1), date(2090, 1, 1)).map(date.isoformat)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


ITEMS = st.lists(
    some(
        {"sku": WORDS, "quantity": st.integers(0, 999_999)},
        {
            "name": WORDS,
            "price": MONEY,
            "image_url": WORDS,
            "custom_data": PAIRS,
            "b2b_attributes": PAIRS,
            "packing_group": some({"key": WORDS}, {"name": WORDS}),
            "lot_requirements": some({}, {"minimum_shelf_life_days": st.integers(1, 99)}),
        },
    ),
    max_size=3,
)
ORDERS = some(
    {
        **{name: st.just(value) for name, value in LEAST.items()},
        "order_number": WORDS,
        "items": ITEMS,
        "ship_to": some(
            {}, {**dict.fromkeys(("name", "company", "street1", "zip", "phone"), WORDS)}
        ),
        "requested_shipping_service": WORDS,
    },
    {
        "attributes": PAIRS,
        "custom_data": PAIRS,
        "b2b_attributes": PAIRS,
        "customer_email": WORDS,
        "customer_notes": WORDS,
        "internal_notes": WORDS,
        "gift_message": WORDS,
        "gift_from": WORDS,
        "shipping_paid": MONEY,
        "taxes_paid": MONEY,
        "order_type": st.sampled_from(["retail", "amazon", "work_order"]),
        "references": st.lists(
            st.fixed_dictionaries({"type": st.just("po_number"), "value": WORDS}), max_size=2
        ),
        "recipient_tax_id": st.fixed_dictionaries(
            {"type": st.just("VAT"), "value": WORDS, "issuing_country_id": st.just("DE")}
        ),
        "special_requirements": some(
            {},
            {
                "special_instruction": WORDS,
                "pack_list_required": st.booleans(),
                "cancel_date": DAYS,
                "shipping_date": some({}, {"earliest": DAYS, "latest": DAYS}),
                "additional_documents": st.lists(
                    st.fixed_dictionaries({"name": WORDS, "url": WORDS}), max_size=2
                ),
            },
        ),
        "warehouse": st.just("FL1"),
        "trading_partner": WORDS,
    },
)
SAME = ("order_number", "attributes", "custom_data", "customer_email", "customer_notes",
        "gift_message", "gift_from", "order_type", "references", "requested_shipping_service",
        "shipping_paid")  # fmt: skip
"""What has one name and one shape on the way in and on the way out."""

_exact = msgspec.json.Encoder(decimal_format="number")


@given(said=ORDERS)
@settings(max_examples=80, deadline=None)
def test_an_order_of_any_shape_comes_out_with_the_same_content(said: dict[str, Any]) -> None:
    raw = _exact.encode(said)
    content = content_of(read_order(raw), known=None, warehouses={"FL1": FL1}, account=ACCOUNT)
    shown = json.loads(
        detail(orders.order(content=content), store=orders.STORE, options=Options()),
        parse_float=Decimal,
    )
    jsonschema.validate(json.loads(json.dumps(shown, default=float)), SCHEMA)
    told = json.loads(raw, parse_float=Decimal)
    for name in SAME:
        if name in told:
            assert shown[name] == told[name], name
    assert shown["tax_paid"] == told.get("taxes_paid", 0)
    for line, item in zip(shown["items"], told["items"], strict=True):
        for name in ("sku", "quantity", "name", "price", "image_url"):
            assert line[name] == item.get(name), name
    for name, value in told["ship_to"].items():
        assert shown["ship_to"][name] == value
    kept = extensions(content).asked
    assert kept.internal_notes == told.get("internal_notes")
    assert len(kept.b2b_attributes) == len(told.get("b2b_attributes", ()))
    if "recipient_tax_id" in told:
        assert shown["recipient_tax_id"]["value"] == told["recipient_tax_id"]["value"]
    required = told.get("special_requirements", {})
    if "cancel_date" in required:
        assert shown["special_requirements"]["cancel_date"].startswith(required["cancel_date"])
