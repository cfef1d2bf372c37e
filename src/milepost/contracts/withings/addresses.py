"""What makes an address bad in the order interface, in the names that its fields have there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from milepost.contracts.withings.numbers import Number, Reason, Refused
from milepost.orders.address import AddressFault, country_form, form_faults
from milepost.orders.model import Address

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "name": "name",
        "company": "company_name",
        "street1": "address1",
        "street2": "address2",
        "city": "city",
        "state": "state",
        "zip": "zip",
        "country_code": "country",
        "phone": "telephone",
        "email": "email",
    }
)
"""The interface's name of each field of an address."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY = re.compile("[A-Z]{2}")


def address_faults(address: Address) -> tuple[AddressFault, ...]:
    """Why an address is bad by its form: what the published model needs, then the country's rules.

    The model needs a postal code everywhere; where a country has none it is not missed.
    """
    found = list(form_faults(address))
    named = {fault.field for fault in found}
    if not address.name:
        found.insert(0, AddressFault("name", "the name is missing"))
    if not address.email or not _EMAIL.fullmatch(address.email):
        found.append(AddressFault("email", "an e-mail address is missing"))
    if not address.city and "city" not in named:
        found.append(AddressFault("city", "the city is missing"))
    form = country_form(address.country_code or "")
    if not address.zip and "zip" not in named and form is not None and form.has_zips:
        found.append(AddressFault("zip", "the postal code is missing"))
    return tuple(found)


def can_be_forced(address: Address) -> bool:
    """Whether force_address helps: what has no country at all cannot be sent anywhere."""
    return bool(address.country_code and _COUNTRY.fullmatch(address.country_code))


def bad_addresses(found: Mapping[str, Sequence[AddressFault]]) -> Refused:
    """The refusal of a request with bad addresses, by the references of their orders."""
    reasons = [
        Reason(fault.why, field=f"address.{FIELDS[fault.field]}", customer_ref_id=ref)
        if fault.field in FIELDS
        else Reason(fault.why, field="address", customer_ref_id=ref)
        for ref, faults in found.items()
        for fault in faults
    ]
    return Refused(
        Number.BAD_ADDRESS, reasons, body={"invalid_address_customer_ref_ids": list(found)}
    )
