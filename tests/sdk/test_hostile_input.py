"""Whatever bytes and headers arrive, read answers a notification or raises a ReceiverError."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milepost_receiver import BodyMalformed, Receiver, ReceiverError
from milepost_receiver.body import DEEPEST, MOST_FORM_FIELDS, read_form, read_json
from tests.sdk.senders import (
    SECRET,
    envelope,
    now,
    numbered,
    shipmonk_order,
    signed,
    text,
    withings_update,
)

UNSIGNED = Receiver.withings(accept_unsigned=True)
BASIC = Receiver.shipmonk(basic=[("hub", "secret")])
AUTHORIZATION = {"authorization": "Basic aHViOnNlY3JldA=="}
RECEIVERS: list[Receiver[Any]] = [
    UNSIGNED,
    BASIC,
    Receiver.standard(secrets=[SECRET], now=now),
    Receiver.shipmonk(signature_secrets=["shared"]),
    Receiver.shipmonk(secrets=[SECRET], now=now),
]
NAMES = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "milepost-order",
    "milepost-sequence",
    "milepost-previous",
    "milepost-attempt",
    "milepost-replay",
    "authorization",
    "x-sm-signature",
    "content-type",
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
header_value = (
    st.text(max_size=40)
    | st.binary(max_size=40)
    | st.sampled_from(["v1,", "Basic ", "sha512=", "1767600000", "7", "application/json", "²"])
    | anything
)
header_name = st.sampled_from(NAMES) | st.sampled_from(NAMES).map(str.encode) | st.text()


def outcome(receiver: Receiver[Any], headers: Any, body: Any) -> None:
    # Any other error goes through and fails the test.
    with contextlib.suppress(ReceiverError):
        hash(receiver.read(headers, body))


@settings(max_examples=300, deadline=None)
@given(
    headers=st.lists(st.tuples(header_name, header_value), max_size=8) | anything,
    body=st.binary() | json_value.map(lambda value: json.dumps(value).encode()) | anything,
)
@example(headers=[("webhook-timestamp", "²"), ("webhook-id", "a")], body=b"")
def test_no_headers_and_no_body_raise_anything_else(headers: Any, body: Any) -> None:
    for receiver in RECEIVERS:
        outcome(receiver, headers, body)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_raise_anything_else_once_the_sender_is_proven(body: bytes) -> None:
    outcome(BASIC, AUTHORIZATION, body)
    outcome(UNSIGNED, {}, body)
    outcome(UNSIGNED, {"content-type": "application/x-www-form-urlencoded"}, body)


def paths(value: Any, *, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(found for key, part in inner for found in paths(part, path=(*path, key)))]


def replaced(value: Any, *, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    made = dict(value) if isinstance(value, dict) else list(value)
    made[path[0]] = replaced(value[path[0]], path=path[1:], by=by)
    return made


@settings(max_examples=300, deadline=None)
@given(data=st.data(), odd=json_value)
def test_one_odd_value_anywhere_in_a_good_body_raises_nothing_else(
    data: st.DataObject, odd: object
) -> None:
    sent = data.draw(st.sampled_from([envelope(), withings_update(), shipmonk_order()]))
    body = text(replaced(sent, path=data.draw(st.sampled_from(paths(sent))), by=odd))
    outcome(BASIC, AUTHORIZATION, body)
    outcome(UNSIGNED, {}, body)
    for receiver in RECEIVERS:
        outcome(receiver, {**signed(body), **numbered()}, body)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_body_raises_nothing_else(data: st.DataObject) -> None:
    body = bytearray(text(shipmonk_order(customer_notes="\N{GRINNING FACE} ü")))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
        body = body or bytearray(b" ")
    outcome(BASIC, AUTHORIZATION, bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}{}",
        b'{"a":1,}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"\\u0061":1}}',
        b'{"a":"\\ud800"}',
        b'{"\\uDFFF":1}',
        b'{"a":["\\udc00\\ud800"]}',
        b'{"a":' * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a":' + b'[{"a":' * 40 + b"1" + b"}]" * 40 + b"}",
    ],
)
def test_json_with_no_meaning_or_more_than_one_is_refused(body: bytes) -> None:
    with pytest.raises(BodyMalformed):
        read_json(body)


def test_json_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    inner = DEEPEST - 1
    assert read_json(b'{"a":' + b"[" * inner + b"]" * inner + b"}")
    with pytest.raises(BodyMalformed):
        read_json(b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}")
    assert read_json(text({"a": ["[" * 500, [], {}] * 500}))["a"]


def test_whole_surrogate_pairs_and_other_escapes_are_text() -> None:
    body = b'{"a":"\\ud83d\\ude00 \\u0000 \\\\ud800","b":-0.0,"c":1e300}'
    assert read_json(body) == {"a": "\N{GRINNING FACE} \0 \\ud800", "b": -0.0, "c": 1e300}


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(st.text(st.characters(codec="utf-8")), json_value, max_size=4))
def test_what_is_json_is_read_as_json_reads_it(value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return
    assert json.loads(json.dumps(read_json(text(value)))) == value


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60))
def test_a_form_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(BodyMalformed):
        assert all(isinstance(value, str) for value in read_form(body).values())


@settings(max_examples=400, deadline=None)
@given(form=st.text(st.sampled_from("ab=&%2+;é \x00\n"), max_size=24) | st.text(max_size=24))
@example(form="")
@example(form="&".join(f"f{n}=" for n in range(MOST_FORM_FIELDS)))
@example(form="&".join(f"f{n}=" for n in range(MOST_FORM_FIELDS + 1)))
def test_a_form_is_read_as_the_standard_library_reads_it(form: str) -> None:
    body = form.encode(errors="surrogatepass")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FORM_FIELDS,
        )
    except ValueError:
        pairs = []
    if not pairs or len(dict(pairs)) != len(pairs):
        with pytest.raises(BodyMalformed):
            read_form(body)
    else:
        assert read_form(body) == dict(pairs)


def test_a_refusal_repeats_nothing_that_was_received() -> None:
    body = text(withings_update(carrier={"private": "Ada Novak"}))
    with pytest.raises(BodyMalformed) as caught:
        UNSIGNED.read({}, body)
    error = caught.value
    assert str(error) == "The body is not what the contract says it is. (carrier: expected text)"
    assert error.__context__ is None
    with pytest.raises(BodyMalformed) as caught:
        UNSIGNED.read({}, b'{"customer_id": "Ada Novak')
    assert caught.value.__context__ is None
