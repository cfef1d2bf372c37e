"""The published document (OpenAPI 3.1), made of the same table and structs that serve requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from milepost import __version__
from milepost.api.door import Route
from milepost.api.examples import ANSWERS, REQUESTS
from milepost.api.problems import (
    KINDS,
    MEDIA_TYPE,
    TYPE_PREFIX,
    NotJson,
    Problem,
    Status,
    UnsupportedBody,
    kind_of,
    title_of,
)
from milepost.api.webhooks import SHAPES, webhooks
from milepost.contracts.contract import Contract
from milepost.errors import (
    InvalidInput,
    MilepostError,
    RateLimited,
    StoreError,
    TooLarge,
    Unauthorized,
)
from milepost.exchange import TooSlow

_REF = "#/components/schemas/{name}"
_DESCRIPTION = (
    "Tell Milepost of orders and of what happens to them; it decides whether that is a legal, "
    "newer step of the order's life, and tells every endpoint that cares, in order and signed. "
    "Amounts are strings in answers and may be numbers in requests; times are RFC 3339 with an "
    "offset, in answers always UTC; fields and parameters that are not known are refused."
)
_TAGS: Mapping[str, str] = MappingProxyType(
    {
        "orders": "What was ordered, where it is, and its history.",
        "updates": "What sources say happened to orders, and what could not be applied.",
        "stores": "The sales channels of an account.",
        "endpoints": "Where notifications go, and in which contract.",
        "clients": "Programs that ask a provider's own interface for the account.",
        "sources": "Who tells us by webhook, and what they have sent.",
        "deliveries": "One event for one endpoint, with every attempt.",
        "attention": "What asks for a person, and what can be done about it.",
        "contracts": "What an endpoint can speak.",
        "health": "Whether the process runs and can take requests.",
        "notifications": "What endpoints are sent.",
    }
)
_PATH_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "identifier": "The warehouse's identifier, such as `FL1`.",
        "order_id": "The order's id, `ord_…`.",
        "endpoint_id": "The endpoint's id, `ep_…`.",
        "delivery_id": "The delivery's id: the `webhook-id` of its attempts.",
        "resend_id": "The resend's id, `rsd_…`.",
        "reconciliation_id": "The reconciliation's id, `rec_…`.",
        "source": "The source's name.",
        "receipt_id": "The receipt's id, `rcp_…`.",
        "client_id": "The client application's id.",
        "contract": "The contract's name, as `/v1/contracts` lists it.",
        "store": "The store's name: letters, digits, dots, hyphens and underscores.",
    }
)
_ALWAYS: tuple[type[MilepostError], ...] = (InvalidInput, StoreError, MilepostError)
_WITH_KEY: tuple[type[MilepostError], ...] = (Unauthorized, RateLimited)
_WITH_BODY: tuple[type[MilepostError], ...] = (NotJson, UnsupportedBody, TooLarge, TooSlow)


def document(
    routes: Sequence[Route[Any, Any]], *, rooms: Mapping[str, Contract], most_in_batch: int
) -> dict[str, Any]:
    """The whole document, ready to be encoded."""
    schemas, components = _schemas(routes)
    for schema in components.values():
        _soften(schema, most_in_batch=most_in_batch)
    refused: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route, schemas=schemas, refused=refused)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    shapes = {name: schemas[shape] for name, shape in SHAPES.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Milepost",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": webhooks(rooms, shapes=shapes),
        "components": {
            "schemas": components,
            "responses": refused,
            "headers": {
                "x-request-id": {
                    "description": "The request's own, or one that was made; it is in the log.",
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key of the account: `mp_…`.",
                }
            },
        },
    }


def _schemas(
    routes: Iterable[Route[Any, Any]],
) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    shapes: dict[Any, None] = dict.fromkeys((Problem, *SHAPES.values()))
    for route in routes:
        shapes.update(dict.fromkeys(route.answers.values()))
        if route.takes_body:
            shapes[route.documented or route.body] = None
        shapes.update(dict.fromkeys(field.type for field in msgspec.structs.fields(route.query)))
    made, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    return dict(zip(shapes, made, strict=True)), dict(components)


def _soften(schema: Any, *, most_in_batch: int) -> None:
    """Says what msgspec's own schemas do not: amounts may be numbers, and the batch's limit."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            schema["type"] = ["string", "number"]
        if schema.get("maxItems") == 1_000 and "minItems" in schema and "items" in schema:
            schema["maxItems"] = most_in_batch
        for inner in schema.values():
            _soften(inner, most_in_batch=most_in_batch)
    elif isinstance(schema, list):
        for inner in schema:
            _soften(inner, most_in_batch=most_in_batch)


def _operation(
    route: Route[Any, Any], *, schemas: Mapping[Any, Any], refused: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas=schemas)],
        "responses": {
            **{str(int(s)): _answer(route, s, schemas=schemas) for s in route.answers},
            **_refusals(route, refused=refused),
        },
    }
    if route.public:
        operation["security"] = []
    if route.takes_body:
        content: dict[str, Any] = {"schema": schemas[route.documented or route.body]}
        if route.name in REQUESTS:
            content["examples"] = {"example": {"value": REQUESTS[route.name]}}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _path_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(
    route: Route[Any, Any], *, schemas: Mapping[Any, Any]
) -> list[dict[str, Any]]:
    parameters = []
    for field in msgspec.structs.fields(route.query):
        schema = _without_null(schemas[field.type])
        described = schema.pop("description", None) or (route.query.__doc__ or "").strip()
        if not field.required and field.default is not None:
            schema["default"] = field.default
        parameters.append(
            {
                "name": field.encode_name,
                "in": "query",
                "required": field.required,
                "description": described,
                "schema": schema,
            }
        )
    return parameters


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter is left out and never null."""
    kept = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return dict(kept[0] if kept else schema)


def _answer(
    route: Route[Any, Any], status: Status, *, schemas: Mapping[Any, Any]
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schemas[route.answers[status]]}
    if (route.name, status) in ANSWERS:
        content["examples"] = {"example": {"value": ANSWERS[route.name, status]}}
    shape = route.answers[status]
    return {
        "description": (shape.__doc__ or "").strip().partition("\n")[0],
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": {route.media_type: content},
    }


def _refusals(route: Route[Any, Any], *, refused: dict[str, Any]) -> dict[str, Any]:
    """References to the route's problems by status, each described once in `refused`."""
    raised = set(_ALWAYS) | set(route.problems)
    raised |= set() if route.public else set(_WITH_KEY)
    raised |= set(_WITH_BODY) if route.takes_body else set()
    by_status: dict[Status, list[type[MilepostError]]] = {}
    for cls in KINDS:
        if cls in raised:
            by_status.setdefault(kind_of(cls).status, []).append(cls)
    references = {}
    for status, classes in sorted(by_status.items()):
        name = "_or_".join(kind_of(cls).name for cls in classes)
        refused[name] = _refusal(classes)
        references[str(int(status))] = {"$ref": f"#/components/responses/{name}"}
    return references


def _refusal(classes: Sequence[type[MilepostError]]) -> dict[str, Any]:
    kinds = [kind_of(cls) for cls in classes]
    examples = {
        kind.name: {
            "value": {
                "type": TYPE_PREFIX + kind.name,
                "title": title_of(kind),
                "status": int(kind.status),
                "request_id": "5f3c9a1e-1f",
            }
        }
        for kind in kinds
    }
    schema = {"$ref": _REF.format(name=Problem.__name__)}
    return {
        "description": " ".join(title_of(kind) for kind in kinds),
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
