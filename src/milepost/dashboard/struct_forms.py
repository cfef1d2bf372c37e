"""Fields of a form made from a struct of a contract, and what was typed read back as its JSON.

What the fields are called stands in WORDS, in the contract's own words; a field that nobody has
named is called as the struct calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect

Fields = Mapping[str, Sequence[str]]
Texts = Mapping[tuple[str, str], tuple[str, str]]

WORDS: Texts = MappingProxyType(
    {
        ("withings", "customer_id"): (
            "Customer ID",
            "The receiver's dropshipment billing ID (customer_id); it comes in each notification.",
        ),
        ("withings", "profile"): (
            "Profile",
            "Withings' page documents JSON; form is how its other notifications are sent.",
        ),
        ("withings", "order_id"): ("Send order_id", "A field of later versions of the page."),
        ("withings", "original_serial_number"): (
            "Send original_serial_number",
            "A field of later versions of the page.",
        ),
        ("shipmonk", "signature_encoding"): (
            "Encoding of X-Sm-Signature",
            "How the HMAC-SHA512 is written; ShipMonk does not say, so ask the receiver.",
        ),
        ("shipmonk", "currency"): ("Currency", "Three letters, for orders that name none."),
        ("shipmonk", "order_detail_url"): (
            "Order detail URL",
            "May hold {order_id}, {order_key}, {order_number} and {store}.",
        ),
        ("shipmonk", "username"): ("Basic username", "For HTTP Basic, with the password."),
        ("shipmonk", "password"): ("Basic password", ""),
        ("shipmonk", "signature_secret"): (
            "Signature secret",
            "Makes X-Sm-Signature, the HMAC-SHA512 over the raw body.",
        ),
        ("shipmonk", "signature_secrets"): (
            "Signature secrets",
            "What X-Sm-Signature is made with. One a line; any of them will do.",
        ),
        ("shipmonk", "secrets"): (
            "Milepost signing secrets",
            "Only where another Milepost sends: its whsec_… secrets, one a line.",
        ),
        ("withings", "secrets"): (
            "Milepost signing secrets",
            "Withings signs nothing. Only where another Milepost sends: its whsec_… secrets.",
        ),
        ("standard", "secrets"): (
            "Signing secrets",
            "The endpoint's whsec_… secrets, one a line; any of them will do.",
        ),
        ("easypost", "secrets"): (
            "Webhook secrets",
            "The webhook_secret as it was given to EasyPost. One a line; any of them will do.",
        ),
        ("aftership", "secrets"): (
            "Webhook secrets",
            "From AfterShip's webhook settings. One a line; any of them will do.",
        ),
        ("withings", "client_id"): ("Client ID", "Of the Withings application (client_id)."),
        ("withings", "client_secret"): ("Client secret", "Of the Withings application."),
        ("shipmonk", "api_key"): ("API key", "ShipMonk's; it is sent as Api-Key."),
        ("shipmonk", "store_id"): ("Store ID", "ShipMonk's; without one all stores of the key."),
        ("", "base_url"): ("Base URL", "Where its interface is."),
        ("", "every_h"): ("Compare every, in hours", "All open orders; 0 for only on demand."),
        ("", "quiet_h"): ("Compare orders quiet for, in hours", ""),
        ("", "timeout_s"): ("Seconds for one request", ""),
    }
)
"""Label and hint of a field, by the contract (or any) and the field's name."""


class Input(msgspec.Struct, frozen=True):
    """One field of a form; `kind` is text, secret, number, list, choice or flag."""

    name: str
    label: str
    hint: str
    kind: str
    required: bool
    value: str
    choices: tuple[tuple[str, str], ...] = ()


def inputs(
    shape: type[msgspec.Struct],
    *,
    part: str,
    contract: str,
    form: Mapping[str, str],
    known: Mapping[str, Any] | None = None,
    secret: bool = False,
) -> Sequence[Input]:
    """The fields of a struct: what was typed in them, or else what is known, or its defaults.

    Of a `secret` part nothing is shown but what was typed and is no secret by itself.
    """
    return [
        _input(field, part=part, contract=contract, form=form, known=known or {}, secret=secret)
        for field in _fields(shape)
    ]


def read(shape: type[msgspec.Struct], *, part: str, fields: Fields) -> dict[str, Any]:
    """What was typed in them, without what was left empty; the struct's own rules come later."""
    told: dict[str, Any] = {}
    for field in _fields(shape):
        values = [text.strip() for text in fields.get(f"{part}.{field.name}", ())]
        kind = _plain(field.type)
        if isinstance(kind, inspect.BoolType):
            told[field.name] = "yes" in values
            continue
        if isinstance(kind, inspect.VarTupleType):
            lines = [line.strip() for text in values for line in text.splitlines()]
            if given := [line for line in lines if line]:
                told[field.name] = given
            continue
        if not values or not values[-1]:
            continue
        told[field.name] = _number(kind, values[-1])
    return told


def _number(kind: inspect.Type, text: str) -> Any:
    """A number where one is expected and one was typed; the struct refuses the rest by name."""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        try:
            return int(text) if isinstance(kind, inspect.IntType) else float(text)
        except ValueError:
            return text
    return text


def _fields(shape: type[msgspec.Struct]) -> Sequence[inspect.Field]:
    kind = inspect.type_info(shape)
    assert isinstance(kind, inspect.StructType)  # noqa: S101 - says so to the type checker
    return kind.fields


def _plain(kind: inspect.Type) -> inspect.Type:
    """The type without the null that stands for none."""
    if isinstance(kind, inspect.UnionType):
        return next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _input(
    field: inspect.Field,
    *,
    part: str,
    contract: str,
    form: Mapping[str, str],
    known: Mapping[str, Any],
    secret: bool,
) -> Input:
    name = f"{part}.{field.name}"
    kind = _plain(field.type)
    label, hint = WORDS.get((contract, field.name)) or WORDS.get(
        ("", field.name), (field.name.replace("_", " ").capitalize(), "")
    )
    default = None if field.default is msgspec.NODEFAULT else field.default
    shown = form.get(name, _text(known.get(field.name, default)))
    choices: tuple[tuple[str, str], ...] = ()
    if isinstance(kind, inspect.EnumType):
        choices = tuple((str(one.value), str(one.value)) for one in kind.cls)
    hidden = secret and _kind(kind) in {"text", "list"} and not _is_public(field.name)
    return Input(
        name=name,
        label=label,
        hint=hint,
        kind="secret" if hidden and _kind(kind) == "text" else _kind(kind),
        required=field.required,
        value="" if hidden else shown,
        choices=choices,
    )


def _is_public(name: str) -> bool:
    """Whether a field of credentials is shown again after a mistake elsewhere in the form."""
    return name in {"username", "client_id", "base_url"}


def _kind(kind: inspect.Type) -> str:
    kinds: Mapping[type[inspect.Type], str] = {
        inspect.EnumType: "choice",
        inspect.BoolType: "flag",
        inspect.VarTupleType: "list",
        inspect.IntType: "number",
        inspect.FloatType: "number",
    }
    return kinds.get(type(kind), "text")


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case Enum():
            return str(value.value)
        case tuple() | list():
            return "\n".join(map(str, value))
        case _:
            return str(value)
