"""ShipMonk: the body holds what the order holds, digit for digit; headers and schedules."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from milepost.contracts import ROOMS, Notice, read_as
from milepost.contracts.shipmonk.delivery import Credentials, sign
from milepost.contracts.shipmonk.extensions import (
    LineExtensions,
    OrderExtensions,
    ParcelExtensions,
)
from milepost.contracts.shipmonk.payloads import Options, SignatureEncoding
from milepost.contracts.shipmonk.published import (
    Published,
)
from milepost.contracts.shipmonk.shapes import OrderDetail
from milepost.contracts.shipmonk.statuses import STATUSES
from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import BEFORE_SHIPPING, Reason, State
from milepost.orders.model import (
    Line,
    Order,
    OrderContent,
    PackedItem,
    Parcel,
    ParcelDetails,
    Reference,
    TaxId,
    Weight,
)
from tests.contracts import orders, shapes

ROOM = ROOMS["shipmonk"]
VECTOR = b'{"order_key":"agabc123","processing_status":"en_route"}'


def read(body: bytes) -> Any:
    """The JSON with every number as it was written."""
    return json.loads(body, parse_float=Decimal, parse_int=Decimal)


def told(order: Order, options: Options | None = None) -> Any:
    return read(ROOM.body(orders.notice(order), options or Options()).content)


def saying(**said: Any) -> OrderContent:
    return OrderContent(extensions={"shipmonk": orders.raw(**said)})


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_every_published_status_comes_back_as_it_went_in(status: str) -> None:
    reading = ROOM.reads({"processing_status": status})
    order = orders.order(
        reading.state or State.SUBMITTED, reading.reason, updating=reading.updating
    )
    assert ROOM.words(order)["processing_status"] == status
    assert told(order)["processing_status"] == status


def test_both_spellings_of_a_backorder_are_read_and_the_listed_one_is_sent() -> None:
    for spelling in ("backorder", "back-order"):
        assert ROOM.reads({"processing_status": spelling}).state is State.BACKORDERED
    assert told(orders.order(State.BACKORDERED))["processing_status"] == "backorder"


def test_a_refused_address_is_told_from_another_failed_hand_over() -> None:
    said = {"processing_status": "unable_to_submit"}
    assert ROOM.reads(said).state is State.SUBMIT_FAILED
    assert ROOM.reads({**said, "actions_required": "address"}).state is State.ADDRESS_ERROR


def test_the_three_values_that_exist_only_in_answers_are_never_sent() -> None:
    assert set(STATUSES) - ROOM.sends == {
        "awaiting_label_request_from_merchant_facility",
        "fulfilled_by_3rd",
        "updating",
    }
    assert len(ROOM.sends) == 18


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (None, "queued_to_submit"),
        (Reason.FUTURE_DATE, "queued_to_submit"),
        (Reason.SUBSCRIPTION, "subscription"),
        (Reason.PACKAGE_FORWARDING, "package_forwarding"),
        (Reason.MERCHANT_FACILITY, "awaiting_label_request_from_merchant_facility"),
    ],
)
def test_a_scheduled_order_shows_what_it_waits_for(reason: Reason | None, status: str) -> None:
    assert told(orders.order(State.SCHEDULED, reason))["processing_status"] == status


@pytest.mark.parametrize("state", State)
def test_an_edit_shows_until_the_order_leaves_the_warehouse(state: State) -> None:
    status = ROOM.status(orders.order(state, updating=True))
    assert (status == "updating") == (state in BEFORE_SHIPPING)


# --- the body ------------------------------------------------------------------------------------


def test_the_body_has_the_published_properties_in_the_published_order() -> None:
    assert list(told(orders.order())) == list(OrderDetail.__struct_fields__)
    assert len(OrderDetail.__struct_fields__) == 41


def test_of_a_bare_order_nothing_is_made_up() -> None:
    body = told(orders.order(sequence=1))
    nothing = {None, 0, "", "unknown", "USD"}
    said = {"order_key", "order_number", "store", "ordered_at", "order_status", "processing_status"}
    for name, value in body.items():
        if name in said:
            assert value
        elif isinstance(value, dict):
            assert not any(value.values()), name
        else:
            assert value == [] or value in nothing, name


def test_an_order_that_nobody_touched_was_never_updated() -> None:
    assert told(orders.order(sequence=1))["updated_at"] is None
    assert told(orders.order(sequence=2))["updated_at"] == "2026-05-06T09:30:01+00:00"


def test_times_are_told_to_the_second_with_the_offset_that_they_came_with() -> None:
    body = told(orders.rich_order())
    assert body["ordered_at"] == "2026-05-04T09:58:30+02:00"
    assert body["shipped_at"] == "2026-05-06T09:30:00+00:00"
    requirements = body["special_requirements"]
    assert requirements["delivery_date"]["latest"] == "2026-05-12T18:00:00-04:00"
    assert requirements["cancel_date"] == "2026-05-20T00:00:00Z"


@pytest.mark.parametrize("amount", ["0.10", "99.90", "1E+3", "-0.00", "12345678901.123456789"])
def test_an_amount_keeps_its_digits(amount: str) -> None:
    price = Decimal(amount)
    content = OrderContent(
        lines=(Line(sku="A", quantity=1, price=price),),
        shipping_paid=price,
        tax_paid=price,
        extensions={
            "shipmonk": msgspec.Raw(
                b'{"shipment_data":{"estimated_shipping_cost":%s}}' % amount.encode()
            )
        },
    )
    details = ParcelDetails(weight=Weight(price, "oz"))
    parcel = msgspec.structs.replace(orders.PARCEL, state=State.SHIPPED, details=details)
    body = ROOM.body(
        orders.notice(orders.order(State.SHIPPED, content=content, parcels=(parcel,))), Options()
    ).content
    for field in ("price", "shipping_paid", "tax_paid", "value", "estimated_shipping_cost"):
        assert f'"{field}":{amount}'.encode() in body


def test_the_store_is_told_by_its_number_and_name() -> None:
    assert told(orders.order())["store"] == {"id": 17, "name": "Main store"}


def test_an_address_that_was_refused_asks_for_an_action_and_keeps_the_others() -> None:
    refused = told(
        orders.order(State.ADDRESS_ERROR, content=saying(actions_required={"customs": True}))
    )
    asked = {name for name, flag in refused["actions_required"].items() if flag}
    assert asked == {"address", "customs"}
    assert not any(told(orders.order(State.SUBMIT_FAILED))["actions_required"].values())


def test_a_currency_that_nobody_named_is_the_endpoints() -> None:
    assert told(orders.order())["currency_code"] == "USD"
    assert told(orders.order(), Options(currency="CHF"))["currency_code"] == "CHF"
    assert told(orders.rich_order(), Options(currency="CHF"))["currency_code"] == "EUR"


def test_a_tax_identifier_is_told_under_its_old_name_as_well() -> None:
    body = told(orders.rich_order())
    assert body["tax_id"] == body["recipient_tax_id"]
    assert body["tax_id"] == {
        "tax_id_type": "VAT",
        "value": "DE123456789",
        "issuing_country": {"code": "DE", "name": "Germany"},
    }


def test_a_kind_of_tax_identifier_without_a_word_is_not_told() -> None:
    content = OrderContent(recipient_tax_id=TaxId("unheard-of", "1"))
    assert told(orders.order(content=content))["recipient_tax_id"] is None
    lower = OrderContent(recipient_tax_id=TaxId("vat", "1"))
    assert told(orders.order(content=lower))["recipient_tax_id"]["tax_id_type"] == "VAT"


def test_a_kind_of_reference_without_a_word_is_a_reference_number() -> None:
    content = OrderContent(references=(Reference("erp", "E"), Reference("job_number", "J")))
    assert told(orders.order(content=content))["references"] == [
        {"type": "reference_number", "value": "E"},
        {"type": "job_number", "value": "J"},
    ]


def test_what_is_in_a_package_is_added_up_by_product() -> None:
    package = told(orders.rich_order())["packages"][0]
    assert [(p["sku"], p["quantity"], len(p["lots"])) for p in package["packed_products"]] == [
        ("SCALE-BLACK", 2, 2),
        ("GIFT", 1, 0),
    ]
    assert [(p["sku"], p["line_key"], p["quantity"]) for p in package["packed_items"]] == [
        ("SCALE-BLACK", "line-1", 1),
        ("SCALE-BLACK", "line-2", 1),
        ("GIFT", None, 1),
    ]


@pytest.mark.parametrize("state", State)
def test_shipment_data_comes_with_shipping_and_a_known_carrier(state: State) -> None:
    parcel = msgspec.structs.replace(orders.PARCEL, state=state)
    nameless = msgspec.structs.replace(parcel, carrier=None)
    body = told(orders.order(state, parcels=(parcel,)))
    assert (body["shipment_data"] is not None) == (body["order_status"] == "fulfilled")
    assert told(orders.order(state, parcels=(nameless,)))["shipment_data"] is None


def test_the_order_is_found_at_the_url_that_the_endpoint_says() -> None:
    template = "https://shop.example/{store}/{order_key}?id={order_id}&n={order_number}"
    order = msgspec.structs.replace(orders.order(), order_key="a/b {store}")
    assert told(order, Options(order_detail_url=template))["order_detail_url"] == (
        f"https://shop.example/main/a%2Fb%20%7Bstore%7D?id={orders.ORDER_ID}&n=a%2Fb%20%7Bstore%7D"
    )
    assert told(order)["order_detail_url"] == ""
    own = told(orders.rich_order(), Options(order_detail_url=template))["order_detail_url"]
    assert own == "https://app.example/orders/1001"


@given(order=shapes.any_order())
@settings(max_examples=60)
def test_the_body_holds_what_the_order_holds(order: Order) -> None:
    body, content = told(order), order.content
    for mine, theirs in (("shipping_paid", content.shipping_paid), ("tax_paid", content.tax_paid)):
        assert body[mine].as_tuple() == (theirs or body[mine]).as_tuple()
    for name in ("customer_email", "customer_notes", "gift_message", "gift_from"):
        assert body[name] == getattr(content, name)
    for name in ("ship_to", "ship_from"):
        address = getattr(content, name)
        assert body[name] == (address and msgspec.structs.asdict(address))
    for item, line in zip(body["items"], content.lines, strict=True):
        said = line.extensions.get("shipmonk")
        kind = LineExtensions() if said is None else read_as(LineExtensions, bytes(said))
        assert (item["sku"], item["quantity"], item["name"]) == (line.sku, line.quantity, line.name)
        assert item["price"] == line.price
        assert item["source"] == kind.source
        assert [p["sku"] for p in item["products"]] == [c.sku for c in line.components]
    for package, parcel in zip(body["packages"], order.parcels, strict=True):
        assert package["tracking_number"] == parcel.tracking_number
        items = parcel.details.items if parcel.details else ()
        assert sum(p["quantity"] for p in package["packed_products"]) == sum(
            i.quantity for i in items
        )
    assert [pair["value"] for pair in body["custom_data"]] == [p.value for p in content.custom_data]


@given(said=shapes.structs(OrderExtensions))
@settings(max_examples=60)
def test_what_only_shipmonk_can_say_goes_through_unchanged(said: OrderExtensions) -> None:
    written = msgspec.json.Encoder(decimal_format="number").encode(said)
    content = OrderContent(extensions={"shipmonk": msgspec.Raw(written)})
    body = told(orders.order(State.IN_TRANSIT, content=content))
    for name, value in read(written).items():
        if name == "shipment_data":
            assert body[name].items() >= value.items()
        elif name == "order_detail_url":
            assert body[name] == (value or "")
        elif name == "asked":
            assert name not in body
        else:
            assert body[name] == value


def test_an_extension_that_says_little_leaves_the_rest_at_its_default() -> None:
    body = told(orders.order(content=saying(order_size="large", order_costs={})))
    bare = told(orders.order())
    assert {n for n in body if body[n] != bare[n]} == {"order_size"}


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"order_type": "gift"}, "order_type"),
        ({"nonsense": 1}, "nonsense"),
        ({"warehouse": {"id": 1}}, "warehouse.identifier"),
        ({"returns": [{"rma": 1}]}, "returns[0].rma"),
        ({"returns": [{"rma": "1"}] * 101}, "returns"),
        (
            {"special_requirements": {"cancel_date": "2026-05-20"}},
            "special_requirements.cancel_date",
        ),
        (
            {"special_requirements": {"shipping_date": {"latest": "2026-02-30T00:00:00Z"}}},
            "special_requirements.shipping_date.latest",
        ),
        (
            {"shipment_data": {"estimated_shipping_cost": "NaN"}},
            "shipment_data.estimated_shipping_cost",
        ),
        (
            {"actions_required": {"ship_monk_hazmat_carrier_service_not_available": True}},
            "actions_required.ship_monk_hazmat_carrier_service_not_available",
        ),
        (
            {
                "order_costs": {
                    "estimated_pick_and_pack_charges": {"amount": 1e13, "currency": "USD"}
                }
            },
            "order_costs.estimated_pick_and_pack_charges.amount",
        ),
    ],
)
def test_an_extension_that_could_not_be_sent_is_refused(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(OrderExtensions, msgspec.json.encode(said))
    assert caught.value.field == field


@pytest.mark.parametrize("shape", [OrderExtensions, LineExtensions, ParcelExtensions])
def test_every_extension_refuses_what_it_does_not_know(shape: type[Published]) -> None:
    with pytest.raises(InvalidInput):
        read_as(shape, b'{"nonsense":null}')


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (b'{"signature_encoding":"base32"}', "signature_encoding"),
        (b'{"currency":"euro"}', "currency"),
        (b'{"order_detail_url":"ftp://x/{order_id}"}', "order_detail_url"),
        (b'{"order_detail_url":"https://x/{secret}"}', "order_detail_url"),
        (b'{"order_detail_url":"https://x/{order_id"}', "order_detail_url"),
        (b'{"order_detail_url":"/{order_id}"}', "order_detail_url"),
    ],
)
def test_options_that_cannot_be_used_are_refused_by_name(said: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(Options, said)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (b'{"username":"a"}', "password"),
        (b'{"password":"a"}', "username"),
        (b'{"username":"a:b","password":"c"}', "username"),
        (b'{"username":"a\\r\\nx: y","password":"c"}', "username"),
        (b'{"username":"a","password":"c\\u0000"}', "password"),
        (b'{"signature_secret":""}', "signature_secret"),
        (b'{"api_key":"a"}', "api_key"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_by_name(said: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(Credentials, said)
    assert caught.value.field == field


def test_credentials_never_show_themselves() -> None:
    shown = repr(Credentials(username="ada", password="lovelace", signature_secret="babbage"))
    assert not any(word in shown for word in ("ada", "lovelace", "babbage"))


# --- headers and schedules -----------------------------------------------------------------------


def headers(*, credentials: bytes, options: bytes = b"{}") -> dict[str, str]:
    endpoint = Endpoint(
        account_id="acc_1",
        endpoint_id="ep_a",
        contract="shipmonk",
        url="https://receiver.example/hook",
        schedule="fixed-100x5m",
        created_at=orders.CREATED_AT,
        updated_at=orders.CREATED_AT,
        options=options,
        credentials=credentials,
    )
    return dict(ROOM.headers(Claimed(endpoint, "ord_1", 1, 0, 0, 0, 0, Body(VECTOR))))


def test_the_signature_is_that_of_the_vector() -> None:
    signature = sign("whsec", VECTOR)
    assert signature.startswith("4f40f35f59da5443")
    assert signature.endswith("bf672cb1")
    assert len(signature) == 128
    assert headers(credentials=b'{"signature_secret":"whsec"}') == {"x-sm-signature": signature}


def test_the_signature_is_written_in_base64_where_the_endpoint_wants_it() -> None:
    written = headers(
        credentials=b'{"signature_secret":"whsec"}', options=b'{"signature_encoding":"base64"}'
    )["x-sm-signature"]
    assert base64.b64decode(written, validate=True).hex() == sign("whsec", VECTOR)
    assert written == sign("whsec", VECTOR, encoding=SignatureEncoding.BASE64)


def test_basic_is_sent_in_utf_8_where_the_endpoint_has_a_name_and_a_password() -> None:
    sent = headers(credentials=b'{"username":"ada","password":"p\xc3\xa4ss:word"}')
    assert set(sent) == {"authorization"}
    scheme, _, pair = sent["authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "ada:päss:word"


def test_without_credentials_nothing_is_added() -> None:
    assert headers(credentials=b"{}") == {}


def test_the_schedules_are_the_three_published_ones_and_the_seeds_is_the_default() -> None:
    fixed, exponential, three_days, _ = ROOM.schedules
    assert (fixed.name, fixed.waits_s) == ("fixed-100x5m", (300,) * 100)
    assert exponential.name == "exponential-8"
    assert exponential.waits_s == (30, 60, 120, 240, 480, 960, 1_920, 3_600)
    assert three_days.name == "three-days"
    assert sum(three_days.waits_s) == 3 * 86_400


def test_a_parcel_with_a_name_and_nothing_else_is_a_package_of_nulls() -> None:
    order = orders.order(State.PACKED, parcels=(Parcel("1"),))
    package = told(order)["packages"][0]
    assert {name for name, value in package.items() if value == []} == {
        "carton_labels",
        "packed_products",
        "packed_items",
    }
    assert not any(package.values())


def test_packed_items_of_one_product_share_its_lots_once() -> None:
    items = tuple(PackedItem("A", 1, lots=shared) for shared in [(), ()])
    parcel = Parcel("1", details=ParcelDetails(items=items))
    order = orders.order(State.PACKED, parcels=(parcel,))
    assert told(order)["packages"][0]["packed_products"] == [
        {"sku": "A", "quantity": 2, "lots": []}
    ]


def test_a_notice_is_the_order_and_nothing_around_it() -> None:
    order = orders.order()
    one = ROOM.body(orders.notice(order, note="n", raw="r"), Options())
    other = ROOM.body(Notice(order, orders.event(order), orders.STORE), Options())
    assert one == other
    assert one.content.startswith(b'{"order_key":')
