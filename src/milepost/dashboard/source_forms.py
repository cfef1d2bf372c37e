"""A source as a form, in its provider's own words: a new one, and one that is changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from milepost.contracts import INCOMING, Incoming
from milepost.contracts.read_access import SHAPES
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.dashboard.sources import SOURCES, shown_once, source_in
from milepost.dashboard.struct_forms import Input, inputs, read
from milepost.errors import AlreadyExists, InvalidInput
from milepost.people import Right
from milepost.ports.receiving import Source
from milepost.receiving import SourceChange, SourceInput
from milepost.receiving.gates import shown_credentials

FORM = "sources/form.html"
USUAL = "withings"
_PLACE = re.compile(r"\[\d+\]$")
_STORE = re.compile(r"^stores\..*$", re.DOTALL)


async def show_new(view: View) -> Shown:
    return await _form(view, _room(view.query.get("kind", USUAL)))


async def add(view: View) -> Result:
    room = _room(view.form.get("kind", ""))
    try:
        made = await view.hub.receiving.add(view.account_id, _wanted(view, room))
    except InvalidInput as error:
        return await _form(view, room, errors=_at(error))
    except AlreadyExists:
        taken = {"source": "a name that no source of the account has yet"}
        return await _form(view, room, errors=taken)
    # Shown once, so it cannot wait for another request.
    return shown_once(view, made, is_new=True)


async def show_edit(view: View) -> Shown:
    source = await view.hub.receiving.source(view.account_id, source_in(view))
    return await _form(view, INCOMING[source.kind], source=source)


async def change(view: View) -> Result:
    source = await view.hub.receiving.source(view.account_id, source_in(view))
    room = INCOMING[source.kind]
    try:
        await view.hub.receiving.change(view.account_id, source.source, _change(view, room))
    except InvalidInput as error:
        return await _form(view, room, source=source, errors=_at(error))
    flash = Flash("Saved. Each process goes by it within seconds.")
    return Gone(f"{SOURCES}/{source.source}", flash)


# what was typed


def _wanted(view: View, room: Incoming) -> SourceInput:
    return SourceInput(
        source=_text(view, "source"),
        kind=room.name,
        credentials=_raw(_part(view, "credentials", room.credentials)),
        options=_raw(_part(view, "options", room.options)),
        read_access=_access(view, room),
        **_plainly(view),
    )


def _change(view: View, room: Incoming) -> SourceChange:
    """What is secret and was left empty stays as it is."""
    given: dict[str, Any] = {}
    if credentials := _part(view, "credentials", room.credentials):
        given = {"credentials": _raw(credentials), "overlap": view.form.get("overlap") == "yes"}
    return SourceChange(
        options=_raw(_part(view, "options", room.options)),
        read_access=_access(view, room),
        **given,
        **_plainly(view),
    )


def _plainly(view: View) -> dict[str, Any]:
    return {
        "store": _text(view, "store"),
        "stores": _stores(view),
        "networks": tuple(_text(view, "networks").split()),
        "precedence": _number(view),
        "trusted": view.form.get("trusted") == "yes",
    }


def _text(view: View, name: str) -> str:
    text = view.form.get(name, "").strip()
    if "\0" in text:
        raise InvalidInput(field=name, expected="text without NUL characters")
    return text


def _number(view: View) -> int:
    try:
        return int(_text(view, "precedence") or "0")
    except ValueError:
        raise InvalidInput(field="precedence", expected="a whole number") from None


def _stores(view: View) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, _text(view, "stores").splitlines())):
        theirs, equals, ours = line.partition("=")
        if not equals or not theirs.strip() or not ours.strip():
            raise InvalidInput(field="stores", expected="lines such as 12 = berlin")
        found[theirs.strip()] = ours.strip()
    return found


def _part(view: View, part: str, shape: type[msgspec.Struct]) -> dict[str, Any]:
    told = read(shape, part=part, fields=view.fields)
    if "\0" in str(told) or "\\x00" in str(told):
        raise InvalidInput(field=part, expected="text without NUL characters")
    return told


def _access(view: View, room: Incoming) -> msgspec.Raw:
    """How the provider is asked; nothing unless something secret of it was typed."""
    shape = SHAPES.get(room.name)
    if shape is None:
        return msgspec.Raw()
    told = _part(view, "read_access", shape)
    required = {one.name for one in msgspec.structs.fields(shape) if one.required}
    return _raw(told) if required & told.keys() else msgspec.Raw()


def _raw(told: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(told))


def _at(error: InvalidInput) -> dict[str, str]:
    field = _STORE.sub("stores", _PLACE.sub("", error.field))
    return {field: error.expected}


# the form


async def _form(
    view: View,
    room: Incoming,
    *,
    source: Source | None = None,
    errors: Mapping[str, str] | None = None,
) -> Shown:
    errors = errors or {}
    access = SHAPES.get(room.name)
    known = {} if source is None else msgspec.json.decode(source.options or b"{}")
    options = inputs(room.options, part="options", contract=room.name, form=view.form, known=known)
    secrets = inputs(
        room.credentials, part="credentials", contract=room.name, form=view.form, secret=True
    )
    asked: Sequence[Input] = ()
    if access is not None:
        asked = inputs(access, part="read_access", contract=room.name, form=view.form, secret=True)
    plain = {"source", "store", "stores", "networks", "precedence", "trusted"}
    shown = plain | {one.name for one in (*options, *secrets, *asked)}
    context = {
        "room": room,
        "rooms": INCOMING,
        "source": source,
        "form": view.form or _known(source),
        "errors": errors,
        "elsewhere": [
            f"{k}: expected {v}" if k else v for k, v in errors.items() if k not in shown
        ],
        "options": options,
        "credentials": secrets,
        "read_access": asked,
        "access_wrong": any(one.name in errors for one in asked),
        "set": {} if source is None else shown_credentials(source.credentials),
        "is_asked": source is not None and source.read_access not in {b"", b"{}", b"null"},
        "stores": await view.hub.store.stores(view.account_id),
    }
    return Shown(FORM, context, 422 if errors else 200)


def _known(source: Source | None) -> dict[str, str]:
    if source is None:
        return {}
    return {
        "store": source.store,
        "stores": "\n".join(f"{theirs} = {ours}" for theirs, ours in source.stores.items()),
        "networks": "\n".join(source.networks),
        "precedence": str(source.precedence),
        "trusted": "yes" if source.trusted else "",
    }


def _room(name: str) -> Incoming:
    return INCOMING.get(name) or INCOMING[USUAL]


NEW = SOURCES + "/_new"
"""No source can be called so."""

EDIT = SOURCES + "/{source}/edit"

PAGES = (
    Page(path=NEW, act=show_new, right=Right.CHANGE, place=SOURCES),
    Page(path=NEW, act=add, method="POST", right=Right.CHANGE, place=SOURCES),
    Page(path=EDIT, act=show_edit, right=Right.CHANGE, place=SOURCES),
    Page(path=EDIT, act=change, method="POST", right=Right.CHANGE, place=SOURCES),
)
