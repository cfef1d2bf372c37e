"""Requests made from the published document, fitting it or not: every answer is a published one."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SanitizationConfig
from schemathesis.transport.prepare import prepare_request

from milepost.api.app import ROUTES
from milepost.api.door import Nothing
from tests.doors.desk import Desk

EXAMPLES = 15
BASE = "http://desk"
FITTING = [(route.name, GenerationMode.POSITIVE) for route in ROUTES]
UNFITTING = [
    (route.name, GenerationMode.NEGATIVE)
    for route in ROUTES
    if route.takes_body or route.query is not Nothing
]
AS_GENERATED = SanitizationConfig(enabled=False)


@cache
def operation(name: str, document: str) -> Any:
    """The operation of a route as schemathesis reads it."""
    return schemathesis.openapi.from_dict(msgspec.json.decode(document)).find_operation_by_id(name)


def throw(desk: Desk, case: Any) -> None:
    """Sends a generated request; the desk itself checks that the answer is a published one."""
    request: Any = prepare_request(case, None, config=AS_GENERATED, base_url=BASE)
    body = request.body
    headers = {k.lower(): v for k, v in request.headers.items() if k.lower() == "content-type"}
    answer = desk.send(
        request.method,
        request.url.removeprefix(BASE),
        raw=body.encode() if isinstance(body, str) else body,
        headers=headers,
    )
    assert answer.status < 500


@pytest.mark.parametrize(("name", "mode"), [*FITTING, *UNFITTING])
def test_any_request_gets_a_published_answer(desk: Desk, name: str, mode: GenerationMode) -> None:
    desk.order()
    desk.endpoint()
    wanted = operation(name, desk.get("/openapi.json").body.decode())

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(case=wanted.as_strategy(generation_mode=mode))
    def every(case: Any) -> None:
        throw(desk, case)

    every()
