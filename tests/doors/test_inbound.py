"""The door that providers send to: what is let in, what is refused how, and what nobody is told."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import structlog

from milepost.delivery.signature import sign
from milepost.errors import Overloaded, StoreError
from milepost.inbound.clients import client_of
from milepost.logs import set_up_logs
from milepost.lookups import MOST_UNKNOWN_PER_S
from tests.doors.desk import Answer, Desk, opened

SECRET = "whsec_" + b64encode(b"s" * 32).decode()
SHIPPED = {"customer_id": "4711", "customer_ref": "B-1", "status": "SHIPPED"}


def add(desk: Desk, name: str = "w", **given: Any) -> str:
    """The path that a new source in Withings' words sends to."""
    told = {"source": name, "kind": "withings", "store": "berlin", **given}
    answer = desk.post("/v1/sources", told)
    assert answer.status == 201, answer.body
    path: str = answer.json["path"]
    assert len(path) == len("/in/") + 43
    return path


def state(desk: Desk, order_id: str) -> str:
    return str(desk.get(f"/v1/orders/{order_id}").json["state"])


def refused(desk: Desk, name: str = "w") -> tuple[int, str]:
    desk.run(desk.hub.receiving.note_refused())
    shown = desk.get(f"/v1/sources/{name}").json
    return shown["refused"], shown["refused_why"]


def test_a_message_is_stored_and_decided_on_before_it_is_answered(desk: Desk) -> None:
    path, order_id = add(desk), desk.order()
    answer = desk.post(path, SHIPPED, key="")
    assert (answer.status, answer.json["verdict"]) == (200, "applied")
    assert state(desk, order_id) == "shipped"
    shown = desk.get(f"/v1/receipts/{answer.json['receipt_id']}").json
    assert json.loads(shown["body"]) == SHIPPED
    assert (shown["encoding"], shown["receipt"]["order_id"]) == ("utf-8", order_id)
    (listed,) = desk.get(f"/v1/orders/{order_id}/receipts").json["receipts"]
    assert listed == shown["receipt"]
    assert desk.get("/v1/sources/w").json["last_received_at"] == listed["received_at"]


def test_a_form_says_the_same_as_json(desk: Desk) -> None:
    path, order_id = add(desk), desk.order()
    form = b"customer_id=4711&customer_ref=B-1&status=SHIPPED"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert desk.post(path, raw=form, headers=headers).json["verdict"] == "applied"
    assert state(desk, order_id) == "shipped"


def test_nothing_but_post_is_taken(desk: Desk) -> None:
    path = add(desk)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = desk.send(method, path)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_path_that_nobody_has_is_not_there(desk: Desk) -> None:
    path = add(desk)
    for wrong in (path[:-1], f"{path}/", "/in/", "/in/" + "x" * 5_000, "/in/%00", "/in/é"):
        assert desk.post(wrong, SHIPPED).status == 404
    assert desk.get("/v1/receipts").json["receipts"] == []


def test_guessing_paths_does_not_reach_the_database_for_long(desk: Desk) -> None:
    path = add(desk)
    assert desk.post(path, SHIPPED).status == 200
    looked: list[str] = []
    store = desk.hub.store
    inside = store.source_of_path

    async def counted(digest: str) -> Any:
        looked.append(digest)
        return await inside(digest)

    gates = desk.hub.receiving.gates
    gates._store.source_of_path = counted  # type: ignore[method-assign]
    # All of it within one second, however slow the machine is.
    lookups = gates._lookups
    standing = lookups._clock()
    lookups._clock = lambda: standing
    statuses = {desk.post(f"/in/guess-{i}", SHIPPED).status for i in range(MOST_UNKNOWN_PER_S + 9)}
    assert statuses == {404, 429}
    assert len(looked) <= MOST_UNKNOWN_PER_S
    assert desk.post(path, SHIPPED).status == 200


def test_what_is_not_signed_is_refused_counted_and_leaves_nothing(desk: Desk) -> None:
    path, order_id = add(desk, credentials={"secrets": [SECRET]}), desk.order()
    body = json.dumps(SHIPPED).encode()
    now = int(desk.clock().timestamp())
    signed = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign((SECRET,), delivery_id="m-1", timestamp=now, body=body),
    }
    for headers, sent in (({}, body), (signed, body + b" "), ({**signed, "webhook-id": "m"}, body)):
        answer = desk.post(path, raw=sent, headers=headers)
        assert (answer.status, answer.json["error"]) == (401, "not-proved")
    assert refused(desk)[0] == 3
    assert desk.get("/v1/receipts").json["receipts"] == []
    assert state(desk, order_id) == "created"
    assert desk.post(path, raw=body, headers=signed).json["verdict"] == "applied"
    assert desk.post(path, raw=body, headers=signed).json["verdict"] == "repeated"


def test_a_source_that_is_refused_asks_for_a_person_until_it_is_let_in(desk: Desk) -> None:
    path = add(desk, credentials={"secrets": [SECRET]})
    desk.post(path, SHIPPED)
    assert refused(desk)[0] == 1
    (matter,) = desk.get("/v1/attention?kind=source_refused").json["matters"]
    assert matter["source"] == "w"
    assert desk.post("/v1/attention/dismiss", {"items": [matter["attention_id"]]}).status == 200
    assert desk.get("/v1/attention?kind=source_refused").json["matters"] == []
    desk.clock.forward(seconds=9)
    body, now = json.dumps(SHIPPED).encode(), int(desk.clock().timestamp())
    signed = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign((SECRET,), delivery_id="m-1", timestamp=now, body=body),
    }
    assert desk.post(path, raw=body, headers=signed).status == 200
    assert desk.get("/v1/attention?kind=source_refused").json["matters"] == []


def test_a_header_that_says_two_things_proves_nothing(desk: Desk) -> None:
    path = add(desk, credentials={"secrets": [SECRET]})
    body = json.dumps(SHIPPED).encode()
    now = int(desk.clock().timestamp())
    signed = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign((SECRET,), delivery_id="m-1", timestamp=now, body=body),
    }
    for name in ("webhook-id", "webhook-timestamp"):
        for twice in ({name.upper(): "7", **signed}, {**signed, name.upper(): "7"}):
            assert desk.post(path, raw=body, headers=twice).status in (400, 401), twice
    twice = {**signed, "content-type": "application/json", "Content-Type": "text/xml"}
    assert desk.post(path, raw=body, headers=twice).status == 415
    assert desk.get("/v1/receipts").json["receipts"] == []
    repeating = {**signed, "WEBHOOK-ID": "m-1"}
    assert desk.post(path, raw=body, headers=repeating).json["verdict"] == "orphan"


def test_methods_that_anybody_makes_up_are_counted_as_one(desk: Desk) -> None:
    path = add(desk)
    for method in ("GET", "BREW", "M1", "M2"):
        assert desk.send(method, path).status == 405
    text = desk.get("/metrics").body.decode()
    assert "BREW" not in text
    assert 'milepost_http_refused_total{problem="wrong-method"} 4.0' in text


def test_other_networks_are_refused(desk: Desk) -> None:
    path = add(desk, networks=["192.0.2.0/24"])
    assert desk.post(path, SHIPPED).status == 403
    forged = {"x-forwarded-for": "192.0.2.9"}
    assert desk.post(path, SHIPPED, headers=forged).status == 403
    assert refused(desk)[0] == 2


def test_behind_a_trusted_proxy_the_clients_own_address_counts(tmp_path: Path) -> None:
    with opened(tmp_path, trusted_proxies=("127.0.0.0/8",)) as desk:
        path = add(desk, networks=["192.0.2.0/24"])
        for hops, status in (
            ("192.0.2.9", 200),
            ("192.0.2.9, 203.0.113.1", 403),
            ("203.0.113.1, 192.0.2.9, 127.0.0.2", 200),
            ("nonsense", 403),
        ):
            answer = desk.post(path, SHIPPED, headers={"x-forwarded-for": hops})
            assert answer.status == status, hops


@pytest.mark.parametrize(
    ("peer", "hops", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "192.0.2.1", "203.0.113.7"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1:443", "192.0.2.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1, , 10.0.0.2", None),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_forwarded_addresses_are_read_from_the_right(
    peer: str, hops: str, client: str | None
) -> None:
    headers = [(b"x-forwarded-for", hops.encode())] if hops else []
    found = client_of((peer, 1), headers, proxies=(ip_network("10.0.0.0/8"),))
    assert found == (None if client is None else ip_address(client))


def test_bodies_have_their_limits(tmp_path: Path) -> None:
    with opened(tmp_path, body_within_s=0.05, max_order_bytes=1_000) as desk:
        path = add(desk)
        assert desk.post(path, raw=b"x" * 1_001).status == 413
        assert desk.post(path, chunks=[b"x" * 600] * 2).status == 413
        assert desk.post(path, chunks=[b"{"], hang=True).status == 408
        for headers in (
            {"content-type": "text/xml"},
            {"content-type": "multipart/form-data; boundary=x"},
            {"content-encoding": "gzip"},
        ):
            assert desk.post(path, raw=b"{}", headers=headers).status == 415
        assert desk.get("/v1/receipts").json["receipts"] == []
        assert refused(desk)[0] == 6


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"customer_id": "1", "customer_ref": {}, "status": []}',
        b'{"customer_id": "1", "customer_ref": "\\ud800", "status": "SHIPPED"}',
        b'{"customer_id": "1", "customer_ref": "%s", "status": "SHIPPED"}' % (b"x" * 300),
    ],
)
def test_what_cannot_be_read_is_refused_and_counted(desk: Desk, body: bytes) -> None:
    path = add(desk)
    answer = desk.post(path, raw=body)
    assert (answer.status, answer.json["error"]) == (400, "unreadable")
    assert refused(desk)[0] == 1


def test_a_source_that_sends_too_much_waits_and_the_others_do_not(tmp_path: Path) -> None:
    with opened(tmp_path, source_requests_per_s=1, source_requests_burst=2) as desk:
        loud, quiet = add(desk, "loud"), add(desk, "quiet")
        assert [desk.post(loud, SHIPPED).status for _ in range(3)] == [200, 200, 429]
        assert desk.post(loud, SHIPPED).headers["retry-after"] == "1"
        assert desk.post(quiet, SHIPPED).status == 200
        desk.clock.forward(seconds=1)
        assert desk.post(loud, SHIPPED).status == 200


@pytest.mark.parametrize("error", [StoreError("it is away"), Overloaded("too much waits")])
def test_while_nothing_can_be_stored_nothing_is_taken_and_a_retry_is(
    desk: Desk, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order_id = add(desk), desk.order()

    async def away(*_given: object, **_named: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(desk.hub.store, "change_orders", away)
        answer = desk.post(path, SHIPPED)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert b"away" not in answer.body
    assert desk.post(path, SHIPPED).json["verdict"] == "applied"
    assert state(desk, order_id) == "shipped"


def test_whoever_does_not_hear_the_answer_sends_again_and_nothing_happens_twice(
    tmp_path: Path,
) -> None:
    body = json.dumps(SHIPPED).encode()
    headers = {"webhook-id": "m-1"}
    with opened(tmp_path) as desk:
        path, order_id = add(desk), desk.order()
        assert desk.post(path, raw=body, headers=headers).json["verdict"] == "applied"
        account_id = desk.account_id
    with opened(tmp_path) as desk:
        answer: Answer = desk.post(path, raw=body, headers=headers)
        assert answer.json["verdict"] == "repeated"
        events = desk.run(desk.hub.store.history(account_id, order_id, after=0, limit=9))
        assert [event.sequence for event in events] == [1, 2]


@pytest.fixture
def logged() -> Iterator[None]:
    set_up_logs(level="debug", form="text")
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("logged")
def test_the_secret_of_a_path_is_told_once_and_never_again(
    desk: Desk, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add(desk, credentials={"secrets": [SECRET]})
    secret = path.removeprefix("/in/")
    shown = [desk.get("/v1/sources").body, desk.get("/v1/sources/w").body]
    shown.append(desk.post(path, SHIPPED).body)

    async def broken(*_given: object) -> None:
        raise RuntimeError("something unexpected")

    monkeypatch.setattr(desk.hub.receiving.gates, "gate", broken)
    answer = desk.post(path, SHIPPED)
    assert answer.status == 500
    shown += [answer.body, desk.get("/metrics").body]
    out, err = capfd.readouterr()
    assert "unexpected" in out + err
    for text in (*shown, out.encode(), err.encode()):
        assert secret.encode() not in text
        assert SECRET.encode() not in text
    file = Path(str(desk.hub.settings.database_url).removeprefix("sqlite:///"))
    kept = file.read_bytes() + file.with_name(f"{file.name}-wal").read_bytes()
    assert secret.encode() not in kept
    assert SECRET.encode() not in kept


def test_messages_are_counted_by_kind_and_verdict(desk: Desk) -> None:
    path = add(desk)
    desk.post(path, SHIPPED)
    desk.post(path, raw=b"{")
    text = desk.get("/metrics").body.decode()
    assert 'milepost_messages_total{kind="withings",verdict="orphan"} 1.0' in text
    assert 'milepost_messages_total{kind="withings",verdict="unreadable"} 1.0' in text
    assert 'route="/in/{source}"' in text


def test_a_source_can_be_changed_given_another_path_and_removed(desk: Desk) -> None:
    path = add(desk)
    changed = desk.send("PATCH", "/v1/sources/w", {"precedence": 7, "networks": ["127.0.0.1"]})
    assert (changed.json["precedence"], changed.json["networks"]) == (7, ["127.0.0.1"])
    rotated = desk.post("/v1/sources/w/rotate").json["path"]
    assert rotated != path
    assert desk.post(path, SHIPPED).status == 404
    assert desk.post(rotated, SHIPPED).status == 200
    assert desk.post("/v1/sources", {"source": "w", "kind": "withings", "store": "x"}).status == 409
    assert desk.send("DELETE", "/v1/sources/w").json == {"source": "w"}
    assert desk.post(rotated, SHIPPED).status == 404
    assert len(desk.get("/v1/receipts").json["receipts"]) == 1


def test_what_means_nothing_is_listed_and_can_be_decided_again(desk: Desk) -> None:
    path = add(desk)
    unmapped = desk.post(path, {**SHIPPED, "status": "TELEPORTED"}).json
    assert unmapped["verdict"] == "unmapped"
    (listed,) = desk.get("/v1/receipts?verdict=unmapped").json["receipts"]
    assert "TELEPORTED" in listed["why"]
    order_id = desk.order()
    again = desk.post(f"/v1/receipts/{listed['receipt_id']}/retry")
    assert (again.status, again.json["order_id"]) == (200, order_id)
    done = desk.post(path, SHIPPED).json
    assert desk.post(f"/v1/receipts/{done['receipt_id']}/retry").status == 422
