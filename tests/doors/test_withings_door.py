"""The doors of Withings' order interface: whatever comes in, HTTP 200 and a published number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.contracts.withings.numbers import MEANINGS, Number
from milepost.contracts.withings.signing import signature
from milepost.emulators.withings import PATHS
from milepost.errors import Overloaded, StoreError
from tests.doors.desk import Answer, Desk, opened

FORM = {"content-type": "application/x-www-form-urlencoded"}
SECRET = "test_client_secret"
ADDRESS = {
    "name": "Ada",
    "email": "ada@example.com",
    "address1": "2 rue Maurice Hartmann",
    "city": "Issy",
    "zip": "92130",
    "country": "FR",
}
ORDER = {
    "customer_ref_id": "R-1",
    "address": ADDRESS,
    "products": [{"partner_ref": "X", "quantity": 1}],
}


@pytest.fixture
def client(desk: Desk) -> Desk:
    """A desk with a client application called c."""
    told = {"name": "shop", "billing_id": "4711", "client_id": "c", "secret": SECRET}
    assert desk.post("/v1/clients", told).status == 201
    return desk


def send(desk: Desk, path: str, told: dict[str, str], **given: Any) -> Answer:
    answer = desk.post(path, raw=urlencode(told).encode(), headers=FORM, **given)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    return answer


def signed(desk: Desk, action: str, **told: str) -> dict[str, str]:
    """The parameters of a call with a nonce of its own."""
    once = {"action": "getnonce", "client_id": "c", "timestamp": "1"}
    answer = send(desk, PATHS[0], once | {"signature": signature(SECRET, "getnonce,c,1")})
    nonce = answer.json["body"]["nonce"]
    by = {"signature": signature(SECRET, f"{action},c,{nonce}"), "nonce": nonce}
    return {"action": action, "client_id": "c"} | by | told


def number(answer: Answer) -> int:
    assert set(answer.json) <= {"status", "body", "error", "reasons", "warnings"}
    status: int = answer.json["status"]
    assert (status == 0) == ("error" not in answer.json)
    return status


def test_a_parameter_may_be_there_twice_if_it_is_the_same(client: Desk) -> None:
    told = signed(client, "getdetail", customer_ref_ids='["x"]')
    body = urlencode(told).encode()
    both = client.post(f"{PATHS[2]}?action=getdetail", raw=body, headers=FORM)
    assert number(both) == 0
    other = client.post(f"{PATHS[2]}?action=delete", raw=body, headers=FORM)
    assert number(other) == Number.INVALID


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("POST", {"raw": b"{}"}),
        ("POST", {"raw": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}}),
        ("POST", {"raw": b"\xff=%ff", "headers": FORM}),
        ("POST", {"raw": b"action=%00", "headers": FORM}),
        ("POST", {"raw": b"&".join(b"a%d=1" % n for n in range(101)), "headers": FORM}),
        ("POST", {"raw": b"", "headers": {"content-length": str(10**9)}}),
        ("DELETE", {}),
        ("GET", {}),
    ],
)
def test_what_cannot_be_read_is_an_invalid_parameter(
    desk: Desk, method: str, given: dict[str, Any]
) -> None:
    for path in PATHS:
        answer = desk.send(method, path, **given)
        assert answer.status == 200
        assert number(answer) == Number.INVALID
        assert answer.json["body"] == {}


def test_a_body_that_never_ends_is_a_timeout(tmp_path: Path) -> None:
    with opened(tmp_path, body_within_s=0.05) as desk:
        answer = desk.post(PATHS[1], chunks=[b"action="], hang=True, headers=FORM)
    assert number(answer) == Number.TOO_SLOW
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreError("the disk is on fire at /secret/path"), Number.FAILED),
        (Overloaded("later"), Number.NOT_NOW),
        (ValueError("/secret/path"), Number.FAILED),
    ],
)
def test_what_goes_wrong_inside_has_the_same_form_and_tells_nothing_of_it(
    client: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: Number
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise error

    told = signed(client, "createorder", order=json.dumps([ORDER]))
    monkeypatch.setattr(client.hub.intake, "orders", fails)
    answer = send(client, PATHS[1], told)
    assert number(answer) == expected
    assert answer.json["error"] == MEANINGS[expected]
    assert "secret/path" not in answer.body.decode()


def test_refusals_are_counted_by_their_number_and_routes_by_their_path(client: Desk) -> None:
    send(client, PATHS[1], {"action": "steal"})
    metrics = client.hub.metrics
    assert dict(metrics.refused.counts())[("withings-2554",)] == 1
    assert dict(metrics.requests.counts())[("POST", PATHS[1], "200")] == 1


def test_a_signature_of_another_action_does_not_count(client: Desk) -> None:
    told = signed(client, "getorderstatus", customer_ref_ids='["x"]')
    assert number(send(client, PATHS[1], told | {"action": "delete"})) == Number.NOT_SIGNED
    assert number(send(client, PATHS[1], told)) == 0


def test_a_client_of_one_account_sees_nothing_of_another(client: Desk) -> None:
    other = client.another()
    told = {"name": "shop", "billing_id": "1", "client_id": "d", "secret": "another secret of it"}
    assert other.post("/v1/clients", told).status == 422
    assert other.post("/v1/clients", told | {"secret": "another-secret-of"}).status == 201
    made = send(client, PATHS[1], signed(client, "createorder", order=json.dumps([ORDER])))
    order_id = made.json["body"]["orders"][0]["order_id"]
    assert other.get("/v1/clients/c").status == 404
    assert other.get("/v1/orders").json["orders"] == []
    again = other.post("/v1/clients", told | {"client_id": "c", "secret": SECRET})
    assert again.status == 409
    detail = send(client, PATHS[2], signed(client, "getdetail", order_ids=f'["{order_id}"]'))
    assert detail.json["body"]["orders"][0]["customer_ref_id"] == "R-1"


def test_an_oddity_is_a_warning_beside_the_answer(client: Desk) -> None:
    odd = {**ORDER, "products": [{"ean": "3700546702519", "quantity": 1}]}
    answer = send(client, PATHS[1], signed(client, "createorder", order=json.dumps([odd])))
    assert number(answer) == 0
    (warning,) = answer.json["warnings"]
    assert warning["field"] == "products[0].ean"


@given(
    path=st.sampled_from(PATHS),
    told=st.dictionaries(st.sampled_from(["action", "client_id", "nonce", "x"]), st.text()),
    method=st.sampled_from(["GET", "POST"]),
)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_parameters_get_a_published_number(
    desk: Desk, path: str, told: dict[str, str], method: str
) -> None:
    query = urlencode(told)
    if method == "GET":
        answer = desk.get(f"{path}?{query}")
    else:
        answer = desk.post(path, raw=query.encode(), headers=FORM)
    assert answer.status == 200
    assert answer.json["status"] in set(Number)
