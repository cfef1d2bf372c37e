"""Whatever arrives, the answer is a problem that says why, and never an error of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.api.bodies import OrderBody, UpdateBody
from tests.doors.desk import JSON, Desk, opened

GOOD = b'{"store":"berlin","order_key":"B-1"}'


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json-seq"},
        {"content-encoding": "gzip"},
        {"content-encoding": "br"},
        {"content-encoding": "identity, gzip"},
    ],
)
def test_a_body_that_is_not_plain_json_is_refused_by_its_headers(
    desk: Desk, headers: dict[str, str]
) -> None:
    answer = desk.post("/v1/orders", raw=GOOD, headers=headers)
    assert answer.status == 415
    assert answer.headers["accept"] == JSON


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_is_taken_however_its_type_is_written(desk: Desk, content_type: str) -> None:
    answer = desk.post("/v1/orders", raw=GOOD, headers={"content-type": content_type})
    assert answer.status == 201


@pytest.mark.parametrize(
    ("target", "limit"),
    [("/v1/orders", 1_000), ("/v1/updates", 1_000), ("/v1/orders/batch", 5_000)],
)
def test_a_body_over_the_limit_is_refused_however_it_comes(
    tmp_path: Path, target: str, limit: int
) -> None:
    with opened(tmp_path, max_order_bytes=1_000, max_body_bytes=5_000) as desk:
        declared = desk.post(target, raw=b" " * (limit + 1))
        streamed = desk.post(target, chunks=[b" " * 400] * (limit // 400 + 1), hang=True)
        lying = desk.post(
            target, raw=b" " * (limit + 1), headers={"content-length": str(limit - 1)}
        )
        boasting = desk.post(target, raw=GOOD, headers={"content-length": "9" * 4_500})
        just_right = desk.post(target, raw=b"7".rjust(limit))
    for answer in (declared, streamed, lying, boasting):
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert str(limit) in answer.json["detail"]
    assert just_right.status == 422


def test_a_body_in_many_chunks_is_put_together(desk: Desk) -> None:
    assert desk.post("/v1/orders", chunks=[bytes([b]) for b in GOOD]).status == 201


def test_a_body_that_does_not_come_to_its_end_is_given_up(tmp_path: Path) -> None:
    with opened(tmp_path, body_within_s=0.05) as desk:
        answer = desk.post("/v1/orders", chunks=[GOOD], hang=True)
        assert answer.status == 408
        assert answer.headers["connection"] == "close"
        assert desk.post("/v1/orders", raw=GOOD).status == 201


def test_a_client_that_goes_away_is_not_answered(desk: Desk) -> None:
    async def ask() -> list[object]:
        sent: list[object] = []
        messages = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> object:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: object) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/orders",
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"authorization", f"Bearer {desk.key}".encode()),
                (b"content-type", b"application/json"),
            ],
        }
        await desk.app(scope, receive, send)  # type: ignore[arg-type]
        return sent

    assert desk.run(ask()) == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (GOOD + GOOD, 400),
        (b"\xef\xbb\xbf" + GOOD, 400),
        (GOOD.replace(b"B-1", b"\xff\xfe"), 400),
        (GOOD.replace(b"B-1", b"\xed\xa0\x80"), 400),
        (GOOD.decode().encode("utf-16"), 400),
        (GOOD.replace(b"B-1", b"\\ud800"), 400),
        (GOOD.replace(b"B-1", b"\\u0000"), 422),
        (GOOD.replace(b"B-1", b"a\\\\\\u0000"), 422),
        (b"[" * 100_000, 422),
        (b'{"a":' * 50_000, 422),
        (b'{"store":"berlin","order_key":"B-1","extensions":{"withings":' + b"[" * 100_000, 422),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":NaN}', 400),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":Infinity}', 400),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":"-Infinity"}', 422),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":1' + b"0" * 400 + b"}", 422),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":1' + b"0" * 9_000 + b"}", 422),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":1e999999999999}', 422),
        (b'{"store":"berlin","order_key":"B-1","shipping_paid":1e-999999999999}', 422),
        (b'{"store":1e400,"order_key":"B-1"}', 422),
        (b"null", 422),
        (b"7", 422),
        (b'"text"', 422),
        (b"[]", 422),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_json_that_is_broken_or_absurd_is_refused_cleanly(
    desk: Desk, raw: bytes, status: int
) -> None:
    for target in ("/v1/orders", "/v1/updates", "/v1/endpoints"):
        answer = desk.post(target, raw=raw)
        assert answer.status in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
    assert desk.post("/v1/orders", raw=raw).status == status
    items = desk.post("/v1/orders/batch", raw=b'{"orders":[' + raw + b"]}")
    assert items.status in (200, 400, 422)
    assert desk.get("/v1/orders").json["orders"] == []


@pytest.mark.parametrize(
    ("target", "before"),
    [
        ("/v1/orders", b'{"store":"berlin","order_key":"B-1","extensions":{"withings":'),
        ("/v1/orders", b'{"store":"berlin","order_key":"B-1","extensions":{"withings":{"a":'),
        ("/v1/endpoints", b'{"contract":"standard","url":"https://a.example/","options":'),
        ("/v1/endpoints", b'{"contract":"standard","url":"https://a.example/","options":{"a":'),
        ("/v1/endpoints", b'{"contract":"standard","url":"https://a.example/","credentials":'),
    ],
)
def test_nesting_is_refused_at_every_depth(desk: Desk, target: str, before: bytes) -> None:
    for depth in range(10, 1_200, 20):
        raw = before + b"[" * depth + b"]" * depth + b"}" * before.count(b"{")
        assert desk.post(target, raw=raw).status == 422, depth
        item = desk.post("/v1/orders/batch", raw=b'{"orders":[' + raw + b"]}")
        assert item.status == 422 or item.json["results"][0]["problem"]["status"] == 422, depth


def test_a_websocket_is_closed(desk: Desk) -> None:
    async def ask() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/v1/orders", "headers": [], "query_string": b""}
        await desk.app(scope, receive, send)
        return sent

    assert [message["type"] for message in desk.run(ask())] == ["websocket.close"]


def test_an_escaped_backslash_before_u0000_is_no_nul(desk: Desk) -> None:
    assert desk.post("/v1/orders", raw=GOOD.replace(b"B-1", b"\\\\u0000")).status == 201


def test_of_a_field_that_comes_twice_the_last_one_counts(desk: Desk) -> None:
    raw = b'{"store":"paris","store":"berlin","order_key":"1","order_key":"2"}'
    answer = desk.post("/v1/orders", raw=raw)
    assert answer.status == 201
    assert answer.json["order_key"] == "2"


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE orders; --", "<script>", "\u202e", "a" * 255, "🎁", "%s%n", "\n\r\t"]
)
def test_any_text_is_kept_as_it_came(desk: Desk, text: str) -> None:
    order_id = desk.order(text, order_number=text)
    desk.update(text, state="shipped", tracking_number=text, source=text, raw=text, note=text)
    shown = desk.get(f"/v1/orders/{order_id}").json
    assert (shown["order_key"], shown["order_number"]) == (text, text)
    assert shown["parcels"][0]["tracking_number"] == text
    events = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert (events[1]["source"], events[1]["raw"], events[1]["note"]) == (text, text, text)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders/" + "x" * 5_000,
        "/v1/orders/%00",
        "/v1/orders/%ff%fe",
        "/v1/orders/..%2f..%2fetc%2fpasswd",
        "/v1/orders/%F0%9F%8E%81",
        "/v1/orders/'%20OR%201=1",
        "/v1/deliveries/a-b-c",
        "/v1/deliveries/a-1-b-r",
        "/v1/deliveries/a-1-b-rx",
        "/v1/deliveries/a-99999999999999999999-b",
        "/v1/deliveries/a-%D9%A1-b",
        "/v1/deliveries/-1-",
        "/v1/endpoints/%00",
        "/v1/stores/%00",
        "/v1/orders/",
        "/v1/orders//events",
        "/v2/orders",
        "//v1/orders",
    ],
)
def test_an_odd_path_is_not_found(desk: Desk, path: str) -> None:
    assert desk.get(path).status == 404
    if path.startswith("/v1/deliveries/"):
        assert desk.post(f"{path}/resend").status == 404


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_no_body_at_all_makes_an_error_of_ours(desk: Desk) -> None:
    desk.order()
    fields = {*OrderBody.__struct_fields__, *UpdateBody.__struct_fields__, "orders", "updates"}
    names = st.sampled_from(sorted(fields))

    @settings(max_examples=150)
    @given(
        told=st.dictionaries(names, JSONISH, max_size=5),
        target=st.sampled_from(
            ["/v1/orders", "/v1/updates", "/v1/orders/batch", "/v1/updates/batch", "/v1/endpoints"]
        ),
    )
    def throw(told: dict[str, object], target: str) -> None:
        answer = desk.post(target, raw=msgspec.json.encode(told))
        assert answer.status in (200, 201, 202, 400, 404, 409, 422)

    throw()
