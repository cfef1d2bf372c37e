"""An endpoint as a form, in its contract's own words: a new one, and one that is changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from milepost.contracts import ROOMS, Contract
from milepost.contracts.contract import read_as
from milepost.contracts.refusal import refusal
from milepost.dashboard.endpoint_acts import MADE
from milepost.dashboard.endpoint_words import BACKLOGS, LANES, OPERATIONS, SUBSCRIPTIONS, URLS
from milepost.dashboard.endpoints import ENDPOINTS, name_in
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.dashboard.struct_forms import inputs, read
from milepost.delivery.model import Endpoint
from milepost.errors import InvalidInput
from milepost.people import Right
from milepost.rules import EndpointChange, EndpointInput

FORM = "endpoints/form.html"
USUAL = "standard"

PLAIN = ("url", "description", "schedule", "timeout_s", "concurrency", "requests_per_s")
RULES = ("lane_policy", "backlog_policy", "pause_after_h", "operational")
CHOICES = ("stores", "statuses")
NONE_WHEN_EMPTY = ("requests_per_s", "pause_after_h")
T = TypeVar("T")
_PLACE = re.compile(r"\[\d+\]$")
_COMPARED = (*PLAIN, *RULES, *CHOICES, "options")


async def show_new(view: View) -> Shown:
    return await _form(view, _room(view.query.get("contract", USUAL)))


async def add(view: View) -> Result:
    room = _room(view.form.get("contract", ""))
    try:
        wanted = _wanted(view, room)
        endpoint = await view.hub.operations.add_endpoint(view.account_id, wanted)
    except InvalidInput as error:
        return await _form(view, room, errors=_at(error))
    # Shown once, so it cannot wait for another request.
    return Shown(MADE, {"endpoint": endpoint, "secret": endpoint.secrets[0], "is_new": True})


async def show_edit(view: View) -> Shown:
    endpoint = await view.hub.store.endpoint(view.account_id, name_in(view))
    return await _form(view, ROOMS[endpoint.contract], endpoint=endpoint)


async def change(view: View) -> Result:
    """Saves what was typed, unless somebody else has saved something since it was opened."""
    endpoint = await view.hub.store.endpoint(view.account_id, name_in(view))
    room = ROOMS[endpoint.contract]
    if view.form.get("seen") != edition_of(endpoint):
        return await _form(view, room, endpoint=endpoint, outdated=True)
    try:
        told = _change(view, room)
        await view.hub.operations.change_endpoint(view.account_id, endpoint.endpoint_id, told)
    except InvalidInput as error:
        return await _form(view, room, endpoint=endpoint, errors=_at(error))
    flash = Flash("Saved. The next attempt goes by it.")
    return Gone(f"{ENDPOINTS}/{endpoint.endpoint_id}", flash)


def edition_of(endpoint: Endpoint) -> str:
    """What tells one state of the settings from another; nothing of a secret is in it."""
    told = [getattr(endpoint, name) for name in _COMPARED]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]


# what was typed


def _wanted(view: View, room: Contract) -> EndpointInput:
    told: dict[str, Any] = {"contract": room.name}
    told |= {name: text for name, text in _typed(view).items() if text}
    told |= {name: chosen for name in CHOICES if (chosen := _chosen(view, name))}
    if secret := view.form.get("secret", "").strip():
        told["secret"] = secret
    wanted = _converted(told, EndpointInput)
    return msgspec.structs.replace(
        wanted,
        options=_raw(read(room.options, part="options", fields=view.fields)),
        credentials=_raw(read(room.credentials, part="credentials", fields=view.fields)),
    )


def _change(view: View, room: Contract) -> EndpointChange:
    told: dict[str, Any] = {}
    for name, text in _typed(view).items():
        if text or name in {"url", "description"}:
            told[name] = text
        elif name in NONE_WHEN_EMPTY:
            told[name] = None
    told |= {name: _chosen(view, name) or None for name in CHOICES}
    change = _converted(told, EndpointChange)
    options = _raw(read(room.options, part="options", fields=view.fields))
    change = msgspec.structs.replace(change, options=options)
    credentials = read(room.credentials, part="credentials", fields=view.fields)
    if credentials or view.form.get("forget_credentials"):
        change = msgspec.structs.replace(change, credentials=_raw(credentials))
    return change


def _typed(view: View) -> dict[str, str]:
    for name, values in view.fields.items():
        if any("\0" in value for value in values):
            raise InvalidInput(field=name, expected="text without NUL characters")
    return {name: view.form.get(name, "").strip() for name in (*PLAIN, *RULES)}


def _chosen(view: View, name: str) -> Sequence[str]:
    return [text for text in view.fields.get(name, ()) if text]


def _converted(told: Mapping[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(told, shape, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, shape=shape) from None


def _raw(told: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(told))


def _at(error: InvalidInput) -> dict[str, str]:
    return {_PLACE.sub("", error.field): error.expected}


# the form


async def _form(
    view: View,
    room: Contract,
    *,
    endpoint: Endpoint | None = None,
    errors: Mapping[str, str] | None = None,
    outdated: bool = False,
) -> Shown:
    known = {} if endpoint is None else msgspec.to_builtins(read_as(room.options, endpoint.options))
    stores = await view.hub.store.stores(view.account_id)
    form = view.form or _known(endpoint, room)
    errors = errors or {}
    own = inputs(room.options, part="options", contract=room.name, form=view.form, known=known)
    secret = inputs(
        room.credentials, part="credentials", contract=room.name, form=view.form, secret=True
    )
    sent = [status for status in room.statuses if status in room.sends]
    shown = {
        *PLAIN,
        *RULES,
        *CHOICES,
        "secret",
        *(one.name for one in (*own, *secret)),
    }
    context = {
        "room": room,
        "rooms": ROOMS,
        "endpoint": endpoint,
        "form": form,
        "errors": errors,
        "elsewhere": [f"{k}: expected {v}" for k, v in errors.items() if k not in shown],
        "options": own,
        "credentials": secret,
        "credentials_set": _names(endpoint),
        "stores": stores,
        "statuses": sent,
        "chosen": {
            name: set(view.fields.get(name, ()) if view.form else _of(endpoint, name))
            for name in CHOICES
        },
        "url": URLS[room.name],
        "subscription": SUBSCRIPTIONS[room.name],
        "lanes": LANES,
        "backlogs": BACKLOGS,
        "operations": OPERATIONS,
        "seen": "" if endpoint is None else edition_of(endpoint),
        "outdated": outdated,
    }
    return Shown(FORM, context, 409 if outdated else 422 if errors else 200)


def _known(endpoint: Endpoint | None, room: Contract) -> dict[str, str]:
    """The form as it is before anybody has typed in it."""
    if endpoint is None:
        return {"timeout_s": f"{room.timeout_s:g}", "concurrency": "32"}
    told = {name: getattr(endpoint, name) for name in (*PLAIN, *RULES)}
    return {
        name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in told.items()
    }


def _names(endpoint: Endpoint | None) -> Sequence[str]:
    if endpoint is None:
        return ()
    told: dict[str, Any] = msgspec.json.decode(endpoint.credentials)
    return [name.replace("_", " ") for name, value in told.items() if value]


def _of(endpoint: Endpoint | None, name: str) -> Sequence[str]:
    return () if endpoint is None else getattr(endpoint, name) or ()


def _room(name: str) -> Contract:
    return ROOMS.get(name) or ROOMS[USUAL]


NEW = ENDPOINTS + "/new"
EDIT = ENDPOINTS + "/{endpoint}/edit"

PAGES = (
    Page(path=NEW, act=show_new, right=Right.CHANGE, place=ENDPOINTS),
    Page(path=NEW, act=add, method="POST", right=Right.CHANGE, place=ENDPOINTS),
    Page(path=EDIT, act=show_edit, right=Right.CHANGE, place=ENDPOINTS),
    Page(path=EDIT, act=change, method="POST", right=Right.CHANGE, place=ENDPOINTS),
)
