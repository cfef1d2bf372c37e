"""What a merchant's input makes of an order: the same facts as our content, without loss.

Which facts count only when the order is made, and which the warehouse alone says, is published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from milepost.contracts.contract import read_as
from milepost.contracts.shipmonk.asked import LineAsked, NamedText, OrderAsked
from milepost.contracts.shipmonk.closed_sets import OrderType
from milepost.contracts.shipmonk.extensions import (
    Account,
    DateWindow,
    Document,
    LineExtensions,
    OrderExtensions,
    SpecialRequirements,
    TradingPartner,
    Warehouse,
)
from milepost.contracts.shipmonk.inputs import (
    DEFAULT_CURRENCY,
    NO_REQUIREMENTS,
    DatesInput,
    GivenOrder,
    ItemInput,
    RequirementsInput,
    read_moment,
)
from milepost.errors import InvalidInput
from milepost.orders.model import Address, Line, OrderContent, Pair, Reference, TaxId

NAME = "shipmonk"


def content_of(
    given: GivenOrder,
    *,
    known: OrderContent | None,
    warehouses: Mapping[str, Warehouse],
    account: Account,
) -> OrderContent:
    """The order that this input makes of what is known of it, None when it is new.

    Notes, the gift's message and the packing list count when the order is made and never after; so
    do a line's name, price, picture, attributes and custom data (published). What only the
    warehouse says, such as costs and labels, stays as it is. Raises InvalidInput naming the key.
    """
    said = _said(known)
    required = _requirements(given.special_requirements, said.special_requirements, new=not known)
    extensions = msgspec.structs.replace(
        said,
        order_type=given.order_type or OrderType.DIRECT_TO_CONSUMER,
        warehouse=_warehouse(given.warehouse, warehouses) or said.warehouse,
        trading_partner=_partner(given.trading_partner, account),
        special_requirements=required,
        asked=_asked(given, said.asked, new=known is None),
    )
    tax_id = given.recipient_tax_id
    base = OrderContent() if known is None else known
    others = {name: raw for name, raw in base.extensions.items() if name != NAME}
    return msgspec.structs.replace(
        base,
        order_number=given.order_number,
        ordered_at=read_moment("ordered_at", given.ordered_at),
        currency=_currency(given.currency_code),
        customer_email=given.customer_email,
        customer_notes=given.customer_notes if known is None else known.customer_notes,
        ship_to=delivery_address(given),
        lines=_lines(given.items, known=() if known is None else known.lines),
        requested_shipping_service=given.requested_shipping_service,
        shipping_paid=given.shipping_paid,
        tax_paid=given.taxes_paid,
        references=tuple([Reference(type=r.type, value=r.value) for r in given.references]),
        attributes=_pairs(given.attributes),
        custom_data=_pairs(given.custom_data),
        recipient_tax_id=None
        if tax_id is None
        else TaxId(
            type=tax_id.type,
            value=tax_id.value,
            country_code=_country("recipient_tax_id.issuing_country_id", tax_id.issuing_country_id),
        ),
        gift_message=given.gift_message if known is None else known.gift_message,
        gift_from=given.gift_from,
        extensions={**others, NAME: _raw(extensions)},
    )


def with_submit_at(content: OrderContent, at: datetime) -> OrderContent:
    """The content with another time at which the order is to be submitted."""
    said = _said(content)
    asked = msgspec.structs.replace(said.asked, submit_at=at.isoformat())
    return with_extensions(content, msgspec.structs.replace(said, asked=asked))


def with_extensions(content: OrderContent, said: OrderExtensions) -> OrderContent:
    """The content with this in place of what only ShipMonk can say of the order."""
    return msgspec.structs.replace(content, extensions={**content.extensions, NAME: _raw(said)})


def _said(known: OrderContent | None) -> OrderExtensions:
    raw = None if known is None else known.extensions.get(NAME)
    return OrderExtensions() if raw is None else read_as(OrderExtensions, bytes(raw))


def _raw(extensions: msgspec.Struct) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(extensions))


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CURRENCY = re.compile("[A-Z]{3}")
_COUNTRY = re.compile("[A-Z]{2}")


def _currency(code: str | None) -> str:
    shown = (code or DEFAULT_CURRENCY).upper()
    if not _CURRENCY.fullmatch(shown):
        raise InvalidInput(field="currency_code", expected="three letters (ISO 4217)")
    return shown


def _country(field: str, code: str | None) -> str | None:
    if not code:
        return None
    shown = code.upper()
    if not _COUNTRY.fullmatch(shown):
        raise InvalidInput(field=field, expected="two letters (ISO 3166-1 alpha-2)")
    return shown


def _warehouse(identifier: str | None, known: Mapping[str, Warehouse]) -> Warehouse | None:
    if not identifier:
        return None
    found = known.get(identifier)
    if found is None:
        listed = ", ".join(list(known)[:50]) or "null: this account has no warehouses"
        raise InvalidInput(field="warehouse", expected=f"one of {listed}")
    return found


def _partner(name: str | None, account: Account) -> TradingPartner | None:
    """The input names a partner and the output numbers it; we have no number, so it is 0."""
    if not name:
        return None
    return TradingPartner(id=0, identifier=name, name=name, account=account)


def delivery_address(given: GivenOrder) -> Address:
    """Where the order goes. Raises InvalidInput for what is no country's code."""
    to = given.ship_to
    return Address(
        name=to.name,
        company=to.company,
        street1=to.street1,
        street2=to.street2,
        city=to.city,
        state=to.state,
        zip=to.zip,
        country_code=_country("ship_to.country_code", to.country_code),
        phone=to.phone,
        email=given.customer_email,
    )


def _pairs(named: tuple[NamedText, ...]) -> tuple[Pair, ...]:
    return tuple([Pair(name=pair.name, value=pair.value) for pair in named])


def _lines(items: tuple[ItemInput, ...], *, known: tuple[Line, ...]) -> tuple[Line, ...]:
    """A line is known again by its key, else by its SKU; each known one is met once."""
    left = list(known)
    lines = []
    for item in items:
        before = next((line for line in left if _same(line, item)), None)
        if before is not None:
            left.remove(before)
        lines.append(_line(item, before))
    return tuple(lines)


def _same(line: Line, item: ItemInput) -> bool:
    if item.line_key is not None or line.line_key is not None:
        return line.line_key == item.line_key
    return line.sku == item.sku


def _line(item: ItemInput, before: Line | None) -> Line:
    raw = None if before is None else before.extensions.get(NAME)
    said = LineExtensions() if raw is None else read_as(LineExtensions, bytes(raw))
    new = before is None
    asked = LineAsked(
        packing_group=item.packing_group,
        custom_data=item.custom_data if new else said.asked.custom_data,
        b2b_attributes=item.b2b_attributes if new else said.asked.b2b_attributes,
        special_instructions=item.special_instructions,
        lot_requirements=item.lot_requirements,
    )
    line = Line(sku=item.sku, quantity=item.quantity) if before is None else before
    others = {name: raw for name, raw in line.extensions.items() if name != NAME}
    extensions = msgspec.structs.replace(said, asked=asked)
    told = extensions != LineExtensions()
    return msgspec.structs.replace(
        line,
        sku=item.sku,
        quantity=item.quantity,
        line_key=item.line_key,
        name=item.name if before is None else before.name,
        price=item.price if before is None else before.price,
        image_url=item.image_url if before is None else before.image_url,
        extensions={**others, NAME: _raw(extensions)} if told else others,
    )


def _requirements(
    given: RequirementsInput | None, before: SpecialRequirements | None, *, new: bool
) -> SpecialRequirements | None:
    """What is shown of them: days become times at midnight UTC; labels without a URL are kept."""
    if given is None:
        return None if new else before
    listed = given.pack_list_required if new else bool(before and before.pack_list_required)
    return SpecialRequirements(
        special_instruction=given.special_instruction,
        carton_labels=tuple(
            [Document(name=label.name, url=label.url) for label in given.carton_labels if label.url]
        ),
        additional_documents=tuple(
            [Document(name=paper.name, url=paper.url) for paper in given.additional_documents]
        ),
        shipping_label=given.shipping_label,
        shipping_date=_window(given.shipping_date),
        delivery_date=_window(given.delivery_date),
        cancel_date=_midnight(given.cancel_date),
        pack_list_required=listed,
    )


def _asked(given: GivenOrder, before: OrderAsked, *, new: bool) -> OrderAsked:
    wanted = given.special_requirements or NO_REQUIREMENTS
    return OrderAsked(
        internal_notes=given.internal_notes if new else before.internal_notes,
        submit_at=before.submit_at
        if given.submit_at is None
        else read_moment("submit_at", given.submit_at).isoformat(),
        b2b_attributes=given.b2b_attributes,
        minimum_shelf_life_days=given.minimum_shelf_life_days,
        carton_labels=wanted.carton_labels,
        order_level_packing_slip=wanted.order_level_packing_slip,
        fulfillment_strategy=wanted.fulfillment_strategy,
    )


def _window(dates: DatesInput | None) -> DateWindow | None:
    if dates is None:
        return None
    return DateWindow(
        earliest=_midnight(dates.earliest),
        requested=_midnight(dates.requested),
        latest=_midnight(dates.latest),
    )


def _midnight(day: date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00+00:00"
