"""The notifications that go out, as the `webhooks` of the published document.

The examples are what the contracts' own rooms make of the order that test notifications tell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from milepost.contracts import sample
from milepost.contracts.contract import Contract, Notice
from milepost.contracts.shipmonk.shapes import OrderDetail
from milepost.contracts.standard.operational import OperationalEnvelope
from milepost.contracts.standard.operational import body as operational_body
from milepost.contracts.standard.payloads import Envelope
from milepost.delivery.health import Cause, OperationalEvent, OperationalType
from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.delivery.signature import common_headers, new_secret
from milepost.orders.model import Store

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_ACCOUNT, _ORDER_ID = "acc_01k8x5v0q2m4n6p8r0s2t4v6w8", "tst_01k8x5v0q2m4n6p8r0s2t4v6w9"
_SECRET = new_secret(b"an example and no secret")


class WithingsNotification(msgspec.Struct, frozen=True):
    """A change of an order, or of its parcel once it has shipped; what is not due is left out.

    The option `profile` with the value `form` sends the same fields as a form.
    """

    customer_id: str
    customer_ref: str
    is_replacement: bool
    order_id: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    parcel_status: str | msgspec.UnsetType = msgspec.UNSET
    carrier: str | msgspec.UnsetType = msgspec.UNSET
    carrier_service: str | msgspec.UnsetType = msgspec.UNSET
    tracking_number: str | msgspec.UnsetType = msgspec.UNSET
    original_customer_ref: str | msgspec.UnsetType = msgspec.UNSET
    original_serial_number: str | msgspec.UnsetType = msgspec.UNSET


OPERATIONAL = "operational"
"""What happens to endpoints, which is told in the contract `standard` to those that subscribed."""

SHAPES: Mapping[str, Any] = MappingProxyType(
    {
        "standard": Envelope,
        "shipmonk": OrderDetail,
        "withings": WithingsNotification,
        OPERATIONAL: OperationalEnvelope,
    }
)
"""The body's shape where it is known; another contract's is described by its example alone."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-type": "The media type of the body.",
        "user-agent": "Milepost and its version.",
        "webhook-id": "The delivery's name, the same on every attempt; a replay has a new one.",
        "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
        "webhook-signature": "Standard Webhooks: v1, and the HMAC-SHA256 of `id.timestamp.body` in"
        " base64; several, separated by spaces, while the secret is changed.",
        "milepost-order": "The order's id.",
        "milepost-sequence": "The number of this event in the order's history.",
        "milepost-previous": "The sequence of the notification before this one, for this order and"
        " this endpoint; 0 when there was none. Another one than the last that you have is a gap.",
        "milepost-attempt": "The number of this attempt, from 1.",
        "milepost-replay": "How often an operator sent this again; only on replays.",
        "authorization": "Basic, when the endpoint has a username and password.",
        "x-sm-signature": "The HMAC-SHA512 of the body, when the endpoint has a signature secret.",
    }
)
_OPTIONAL = frozenset(("milepost-replay", "authorization", "x-sm-signature"))


def webhooks(
    rooms: Mapping[str, Contract], *, shapes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One entry for each contract; `shapes` are the schemas of those bodies that are known."""
    told: dict[str, Any] = {
        name: {"post": _operation(room, rooms=rooms, schema=shapes.get(name, {"type": "object"}))}
        for name, room in rooms.items()
    }
    told[OPERATIONAL] = {"post": _operational(rooms["standard"], schema=shapes[OPERATIONAL])}
    return told


def _operation(
    room: Contract, *, rooms: Mapping[str, Contract], schema: Mapping[str, Any]
) -> dict[str, Any]:
    return _notification(
        f"{room.name}Notification",
        summary=f"{room.title}: what an endpoint of the contract {room.name} is sent.",
        room=room,
        body=example_body(room, rooms=rooms),
        schema=schema,
        example="shipped",
    )


def _operational(room: Contract, *, schema: Mapping[str, Any]) -> dict[str, Any]:
    return _notification(
        "operationalNotification",
        summary="What happened to another endpoint: for endpoints that subscribed to that.",
        room=room,
        body=operational_body(example_event(), 1),
        schema=schema,
        example="paused",
    )


def example_event() -> OperationalEvent:
    """An endpoint whose receiver wants no more."""
    endpoint = _endpoint("withings", schedule="milepost-growing")
    why = "the receiver answered 410 Gone"
    return OperationalEvent(OperationalType.PAUSED, _AT, endpoint, Cause.RECEIVER, why)


def _notification(
    name: str,
    *,
    summary: str,
    room: Contract,
    body: Body,
    schema: Mapping[str, Any],
    example: str,
) -> dict[str, Any]:
    examples = {example: {"value": msgspec.json.decode(body.content)}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["notifications"],
        "security": [],
        "parameters": list(_parameters(room, body)),
        "requestBody": {
            "required": True,
            "content": {body.content_type: {"schema": dict(schema), "examples": examples}},
        },
        "responses": {
            "2XX": {"description": "The receiver has it; nothing more is sent of it."},
            "410": {"description": "The receiver wants no more: the endpoint is paused."},
            "default": {"description": "It is tried again by the endpoint's schedule."},
        },
    }


def example_body(room: Contract, *, rooms: Mapping[str, Contract]) -> Body:
    """What a test notification of this contract holds."""
    store = Store(_ACCOUNT, "berlin", 7, "Berlin", _AT)
    order, event = sample(store, now=_AT, order_id=_ORDER_ID)
    others = {r.name: r.words(order) for r in rooms.values() if r is not room}
    notice = Notice(order, event, store, others if room.shows_others else {})
    return room.body(notice, _filled(room.options, only_required=True))


def _filled(shape: type[msgspec.Struct], *, only_required: bool) -> msgspec.Struct:
    """Options or credentials with a made-up text in each field that has to have one."""
    fields = msgspec.structs.fields(shape)
    names = [f.name for f in fields if f.required or not only_required]
    return msgspec.convert(dict.fromkeys(names, "12345"), shape)


def _endpoint(contract: str, *, schedule: str) -> Endpoint:
    return Endpoint(
        account_id=_ACCOUNT,
        endpoint_id="ep_7m2k9q4t0x",
        contract=contract,
        url="https://example.com/notifications",
        schedule=schedule,
        created_at=_AT,
        updated_at=_AT,
    )


def _parameters(room: Contract, body: Body) -> Iterator[dict[str, Any]]:
    credentials = _filled(room.credentials, only_required=False)
    endpoint = msgspec.structs.replace(
        _endpoint(room.name, schedule=room.schedules[0].name),
        options=msgspec.json.encode(_filled(room.options, only_required=True)),
        credentials=msgspec.json.encode(credentials),
        secrets=(_SECRET,),
    )
    claimed = Claimed(endpoint, _ORDER_ID, 1, 0, 0, 0, 0, body)
    common = common_headers(claimed, timestamp=int(_AT.timestamp()), user_agent="Milepost/1")
    given = dict((*common, *room.headers(claimed)))
    given["milepost-replay"] = "1"
    for name, value in given.items():
        if name == "content-type":
            continue
        yield {
            "name": name,
            "in": "header",
            "required": name not in _OPTIONAL,
            "description": HEADERS.get(name, "Of this contract."),
            "schema": {"type": "string"},
            "example": value,
        }
