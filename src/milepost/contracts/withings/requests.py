"""What comes in over the order interface: its parameters, read as they are published.

Clients in many languages write numbers and truths as text and texts as numbers; both are taken. A
field that nobody published is left alone, because it cannot change what was asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from milepost.contracts.refusal import refusal
from milepost.contracts.withings.extensions import NAME, LineExtensions, NamedBy
from milepost.contracts.withings.numbers import Number, Reason, Refused, invalid
from milepost.contracts.withings.testmode import SEQUENCES
from milepost.errors import InvalidInput
from milepost.orders.model import Address, Line, OrderContent

MOST_ORDERS = 10
"""Orders of one request (published)."""

MOST_NAMED = 100
MOST_PRODUCTS = 100

Parameters = Mapping[str, str]

Text = Annotated[str, msgspec.Meta(max_length=255)] | int | None
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | int
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
T = TypeVar("T")


class AddressAsked(msgspec.Struct, frozen=True):
    """The published model of an address; what is missing in it makes it a bad address."""

    name: Text = None
    company_name: Text = None
    email: Text = None
    telephone: Text = None
    address1: Text = None
    address2: Text = None
    city: Text = None
    state: Text = None
    zip: Text = None
    country: Text = None


class ProductAsked(msgspec.Struct, frozen=True):
    """The published model of a product: how many, and exactly one of its names."""

    quantity: Count
    ean: Reference | None = None
    partner_ref: Reference | None = None

    def __post_init__(self) -> None:
        if (self.ean is None) == (self.partner_ref is None):
            raise ValueError("ean: expected exactly one of ean and partner_ref")


class OrderAsked(msgspec.Struct, frozen=True):
    """The published model of an order."""

    customer_ref_id: Reference
    address: AddressAsked
    products: Annotated[
        tuple[ProductAsked, ...], msgspec.Meta(min_length=1, max_length=MOST_PRODUCTS)
    ]
    force_address: bool = False

    @property
    def ref(self) -> str:
        return str(self.customer_ref_id)


class Person(msgspec.Struct, frozen=True):
    """The person of a user order, who is checked and not kept; `external_id` is the partner's."""

    external_id: str


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _decoded(text: str, *, shape: type[T], field: str) -> T:
    if _NUL.search(text):
        raise invalid(field, "text without NUL characters")
    try:
        return msgspec.json.decode(text, type=shape, strict=False)
    except msgspec.DecodeError as error:
        told = refusal(error, shape=shape, under=field)
        raise invalid(told.field, told.expected) from None
    except RecursionError:
        raise invalid(field, "JSON that is nested less deeply") from None


def needed(given: Parameters, name: str) -> str:
    """A parameter that has to be there. Raises Refused."""
    value = given.get(name, "")
    if not value:
        raise invalid(name, "a value")
    return value


def read_orders(given: Parameters, *, most: int = MOST_ORDERS) -> tuple[OrderAsked, ...]:
    """The orders of a request, each with a reference of its own. Raises Refused."""
    orders = _decoded(needed(given, "order"), shape=tuple[OrderAsked, ...], field="order")
    if not 1 <= len(orders) <= most:
        expected = "exactly one order" if most == 1 else f"1 to {most} orders"
        raise invalid("order", f"{expected}, in an array")
    times = Counter(order.ref for order in orders)
    if len(times) < len(orders):
        raise taken_already([ref for ref, number in times.items() if number > 1])
    return orders


def taken_already(refs: Sequence[str]) -> Refused:
    """The refusal of references that are taken; nothing of the request is created."""
    why = "it is taken already: it has to be unique"
    return Refused(
        Number.DUPLICATE,
        [Reason(why, field="customer_ref_id", customer_ref_id=ref) for ref in refs],
    )


def read_named(given: Parameters) -> tuple[str, tuple[str, ...]]:
    """Which orders are asked for: `order_ids` or `customer_ref_ids`, and those. Raises Refused."""
    names = [name for name in ("order_ids", "customer_ref_ids") if given.get(name)]
    if len(names) != 1:
        raise invalid("order_ids", "either order_ids or customer_ref_ids, and never both")
    (name,) = names
    found = _decoded(given[name], shape=tuple[Reference, ...], field=name)
    if not 1 <= len(found) <= MOST_NAMED:
        raise invalid(name, f"1 to {MOST_NAMED} of them, in an array")
    return name, tuple(dict.fromkeys(str(one) for one in found))


def read_testmode(given: Parameters) -> int | None:
    """The test mode, None when it is not set: 0 and nothing are not. Raises Refused."""
    text = given.get("testmode", "")
    if text in ("", "0"):
        return None
    if not (text.isascii() and text.isdigit() and int(text) in SEQUENCES):
        raise invalid("testmode", f"one of {', '.join(map(str, SEQUENCES))}")
    return int(text)


# the person of a user order

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_TRUTHS = re.compile("true|false|t|f|1|0", re.IGNORECASE)
_PERSON: Mapping[str, tuple[re.Pattern[str], str]] = {
    "mailingpref": (_TRUTHS, "true or false"),
    "birthdate": (re.compile(r"-?[0-9]{1,11}"), "a time in seconds since 1970"),
    "gender": (re.compile("[01]"), "0 (man) or 1 (woman)"),
    "preflang": (re.compile("[a-z]{2}_[A-Z]{2}"), "a language such as en_US"),
    "email": (re.compile(r"[^@\s]+@[^@\s]+"), "an e-mail address"),
    "timezone": (
        re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){0,2}"),
        "a time zone such as Europe/Paris",
    ),
    "shortname": (re.compile("[a-zA-Z0-9]{3}"), "three letters or digits"),
    "external_id": (re.compile(".{1,255}"), "1 to 255 characters"),
}
_PERSON_IF_GIVEN: Mapping[str, tuple[re.Pattern[str], str]] = {
    "phonenumber": (_E164, "a number in E.164, such as +33123456789"),
    "firstname": (re.compile(".{0,255}"), "at most 255 characters"),
    "lastname": (re.compile(".{0,255}"), "at most 255 characters"),
    "recovery_code": (re.compile(".{0,255}"), "at most 255 characters"),
}


class _Measure(msgspec.Struct, frozen=True):
    value: int
    unit: int
    type: int


def read_person(given: Parameters) -> Person:
    """The person of a user order, whose every published field is checked. Raises Refused."""
    for name in _PERSON:
        needed(given, name)
    for name, (form, expected) in (*_PERSON.items(), *_PERSON_IF_GIVEN.items()):
        value = given.get(name)
        if value and not form.fullmatch(value):
            raise invalid(name, expected)
    _decoded(needed(given, "measures"), shape=tuple[_Measure, ...], field="measures")
    _decoded(needed(given, "unit_pref"), shape=dict[str, Any], field="unit_pref")
    if given.get("goals"):
        _decoded(given["goals"], shape=dict[str, Any], field="goals")
    return Person(given["external_id"])


# what was ordered


def address_of(asked: AddressAsked) -> Address:
    """The address as it is kept; a country is written in capitals."""
    country = _plain(asked.country)
    return Address(
        name=_plain(asked.name),
        company=_plain(asked.company_name),
        street1=_plain(asked.address1),
        street2=_plain(asked.address2),
        city=_plain(asked.city),
        state=_plain(asked.state),
        zip=_plain(asked.zip),
        country_code=country.upper() if country else None,
        phone=_plain(asked.telephone),
        email=_plain(asked.email),
    )


def content_of(asked: OrderAsked, *, address: Address) -> OrderContent:
    """What was ordered; the customer_ref_id is the order's key and stands outside of it."""
    return OrderContent(
        ship_to=address,
        customer_email=address.email,
        lines=tuple(_line(product) for product in asked.products),
    )


def _line(product: ProductAsked) -> Line:
    named_by = NamedBy.EAN if product.ean is not None else NamedBy.PARTNER_REF
    sku = product.ean if product.ean is not None else product.partner_ref
    raw = msgspec.json.encode(LineExtensions(named_by=named_by))
    return Line(sku=str(sku), quantity=product.quantity, extensions={NAME: msgspec.Raw(raw)})


def _plain(text: str | int | None) -> str | None:
    return None if text is None else " ".join(str(text).split()) or None


# what is odd and taken all the same

_GTIN_LENGTHS = frozenset((8, 12, 13, 14))
_HEAVY = 3


def warnings_of(orders: Sequence[OrderAsked]) -> list[Reason]:
    """What looks wrong: told, and never refused, because the published samples are like that."""
    return [
        Reason(f"{why}; the order was taken all the same", field=field, customer_ref_id=order.ref)
        for order in orders
        for field, why in _oddities(order)
    ]


def _oddities(order: OrderAsked) -> Iterator[tuple[str, str]]:
    telephone = _plain(order.address.telephone)
    if telephone and not _E164.fullmatch(telephone):
        yield "address.telephone", "a telephone number in E.164 is + and digits"
    for place, product in enumerate(order.products):
        if product.ean is not None and not is_ean(str(product.ean)):
            yield f"products[{place}].ean", "the check digit of this EAN does not fit"


def is_ean(text: str) -> bool:
    """Whether it has the length of an EAN and the check digit that its other digits ask for."""
    if not (text.isascii() and text.isdigit() and len(text) in _GTIN_LENGTHS):
        return False
    digits = [int(c) for c in reversed(text)]
    return (sum(digits[0::2]) + _HEAVY * sum(digits[1::2])) % 10 == 0


def refused_for(error: InvalidInput) -> Refused:
    """What our own refusal of an input is in the order interface."""
    return invalid(error.field, error.expected)
