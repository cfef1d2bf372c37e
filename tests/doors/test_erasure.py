"""A person's data is erased on demand, and nothing brings it back; upkeep does the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from milepost.delivery.model import Reply, Request
from tests.doors.command_line import CommandLine
from tests.doors.desk import Desk, opened

PERSON = {
    "customer_email": "Ada.Lovelace@example.com",
    "customer_notes": "ring at Lovelace",
    "gift_message": "for Lovelace",
    "ship_to": {
        "name": "Ada Lovelace",
        "street1": "Analytical Way 1",
        "phone": "+39 011 1815",
        "country_code": "IT",
    },
    "attributes": [{"name": "birthday", "value": "1815-12-10"}],
    "lines": [{"sku": "ENGINE-1", "quantity": 2, "price": "99.95"}],
}
WORDS = ("ovelace", "Analytical", "011 1815", "1815-12-10", "1Z999LOVE", "love-letter")


def seen_in(*shown: bytes) -> list[str]:
    return [word for word in WORDS if any(word.encode() in piece for piece in shown)]


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, dispatch=True) as desk:
        desk.outside.answer = lambda request: Reply(200, body=b"thanks, " + request.body[:500])
        yield desk


def bought(desk: Desk, key: str = "B-1") -> str:
    order_id = desk.order(key, **PERSON)
    parcel = {"parcel": "1Z999LOVE", "tracking_number": "1Z999LOVE", "carrier": "ups"}
    desk.update(key, state="delivered", raw="love-letter box", source="carrier", **parcel)
    desk.update(key, state="picking", note="love-letter", **parcel)
    return order_id


def known_of(desk: Desk, order_id: str) -> list[bytes]:
    """All that the interface tells of an order."""
    target = f"/v1/orders/{order_id}"
    listed = desk.get(f"{target}/deliveries").json["deliveries"]
    return [
        desk.get(target).body,
        desk.get(f"{target}/events").body,
        desk.get("/v1/orders").body,
        desk.get("/v1/quarantine").body,
        *(desk.get(f"/v1/deliveries/{d['delivery_id']}").body for d in listed),
    ]


def test_nothing_of_the_person_is_told_or_in_the_file_afterwards(
    sending: Desk, tmp_path: Path
) -> None:
    sending.endpoint("shipmonk")
    sending.endpoint()
    order_id = bought(sending)
    sending.quiet()
    assert len(seen_in(*known_of(sending, order_id))) == len(WORDS)
    sent: dict[str, Request] = {dict(r.headers)["webhook-id"]: r for r in sending.outside.requests}
    answer = sending.post(f"/v1/orders/{order_id}/erase", {"note": "request 4711"})
    assert answer.json == {
        "order_id": order_id,
        "store": "berlin",
        "order_key": "B-1",
        "erased_at": "2026-11-23T08:00:00Z",
        "abandoned": 0,
    }
    assert seen_in(*known_of(sending, order_id)) == []
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("test.db")]
    assert seen_in(*files) == []
    left = sending.get(f"/v1/orders/{order_id}").json
    assert left["state"] == "delivered"
    assert left["content"]["lines"] == PERSON["lines"]
    assert left["content"]["ship_to"] == {"country_code": "IT"}
    for delivery_id, request in sent.items():
        detail = sending.get(f"/v1/deliveries/{delivery_id}").json
        assert (detail["body"], detail["outcome"]) == ("", "acknowledged")
        assert detail["erased"] == {
            "sha256": hashlib.sha256(request.body).hexdigest(),
            "size": len(request.body),
            "content_type": "application/json",
        }


def test_an_erased_order_takes_nothing_more_and_keeps_nothing_of_it(sending: Desk) -> None:
    order_id = bought(sending)
    sending.quiet()
    sending.post(f"/v1/orders/{order_id}/erase", {})
    again = sending.post("/v1/orders", {"store": "berlin", "order_key": "B-1", **PERSON})
    assert again.status == 409
    assert again.json["type"].endswith(":order-erased")
    batch = {"orders": [{"store": "berlin", "order_key": "B-1", **PERSON}]}
    (item,) = sending.post("/v1/orders/batch", batch).json["results"]
    assert item["outcome"] == "refused"
    told = sending.update(state="returning", note="love-letter", tracking_number="1Z999LOVE")
    assert (told.status, told.json["allowed"]) == (409, [])
    assert "erased" in told.json["detail"]
    assert seen_in(*known_of(sending, order_id)) == []


def test_what_was_erased_cannot_be_sent_again(sending: Desk) -> None:
    sending.endpoint()
    order_id = bought(sending)
    sending.quiet()
    sending.post(f"/v1/orders/{order_id}/erase", {})
    requests = len(sending.outside.requests)
    for delivery in sending.get(f"/v1/orders/{order_id}/deliveries").json["deliveries"]:
        answer = sending.post(f"/v1/deliveries/{delivery['delivery_id']}/resend")
        assert answer.status == 409
        assert answer.json["type"].endswith(":order-erased")
    assert len(sending.outside.requests) == requests


def test_pending_deliveries_are_waited_for_or_given_up_but_never_sent_without_a_person(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as desk:
        desk.endpoint()
        order_id = bought(desk)
        target = f"/v1/orders/{order_id}/erase"
        refused = desk.post(target, {})
        assert refused.status == 409
        assert refused.json["type"].endswith(":deliveries-pending")
        assert len(seen_in(*known_of(desk, order_id))) == len(WORDS)
        done = desk.post(target, {"abandon_pending": True})
        assert done.json["abandoned"] == 2
        assert seen_in(*known_of(desk, order_id)) == []
        deliveries = desk.get(f"/v1/orders/{order_id}/deliveries").json["deliveries"]
        assert {d["state"] for d in deliveries} == {"abandoned"}


def test_erasing_again_changes_nothing(sending: Desk) -> None:
    order_id = bought(sending)
    target = f"/v1/orders/{order_id}/erase"
    first = sending.post(target, {})
    sending.clock.forward(hours=1)
    assert sending.post(target, {}).json == first.json
    events = sending.get(f"/v1/orders/{order_id}/events").json["events"]
    assert [e["type"] for e in events].count("order.erased") == 1


def test_another_account_can_neither_erase_nor_find(sending: Desk) -> None:
    order_id = bought(sending)
    other = sending.another()
    assert other.post(f"/v1/orders/{order_id}/erase", {}).status == 404
    found = other.post("/v1/people/find", {"email": PERSON["customer_email"]}).json
    assert found == {"orders": [], "looked_at": 0, "next": None}
    assert seen_in(sending.get(f"/v1/orders/{order_id}").body)


def test_a_person_is_found_by_her_address_some_orders_at_a_time(
    sending: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milepost.erasure.Eraser.find.__kwdefaults__", {"limit": 2})
    hers = [bought(sending, f"B-{n}") for n in (1, 4)]
    for n in (2, 3, 5):
        sending.order(f"B-{n}", customer_email="bob@example.com")
    found: list[str] = []
    looked_at, after = 0, None
    while True:
        asked = {"email": " ada.lovelace@EXAMPLE.com ", "after": after}
        answer = sending.post("/v1/people/find", asked).json
        found += [order["order_id"] for order in answer["orders"]]
        looked_at += answer["looked_at"]
        after = answer["next"]
        if after is None:
            break
    assert sorted(found) == sorted(hers)
    assert looked_at == 5


# the command line


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    made.set_up()
    return made


def test_every_order_of_a_person_is_erased_after_a_look_at_which_those_are(
    cli: CommandLine,
) -> None:
    for key, email in (
        ("1", "ada@example.com"),
        ("2", "bob@example.com"),
        ("3", "ADA@example.com"),
    ):
        cli.ok("order", "add", key, "--email", email)
    would = cli.ok("order", "erase", "--email", "ada@example.com", "--dry-run")
    assert (len(would["found"]), would["erased"]) == (2, [])
    done = cli.ok("order", "erase", "--email", "ada@example.com")
    assert sorted(e["order_key"] for e in done["erased"]) == ["1", "3"]
    assert cli.ok("order", "erase", "--email", "ada@example.com")["found"] == []
    assert cli.ok("order", "show", "2")["content"]["customer_email"] == "bob@example.com"


def test_an_order_with_pending_deliveries_is_not_erased_unasked(cli: CommandLine) -> None:
    cli.endpoint()
    cli.ok("order", "add", "1", "--email", "ada@example.com")
    said = cli("order", "erase", "1", "--yes")
    assert said.code == 1
    assert "--abandon-pending" in said.err
    done = cli.ok("order", "erase", "1", "--abandon-pending", "--note", "4711")
    assert done["erased"][0]["abandoned"] == 1
    assert cli("order", "erase").code == 2
    assert cli("order", "erase", "1", "--email", "ada@example.com").code == 2
    assert cli("order", "erase", "none", "--yes").code == 3


def test_upkeep_is_done_by_hand_and_tells_what_it_would_do(cli: CommandLine) -> None:
    cli.ok("order", "add", "1")
    cli.ok("update", "1", "cancelled")
    nothing = cli.ok("upkeep", "run", "--dry-run")
    assert (nothing["dry_run"], nothing["orders"]) == (True, 0)
    shown = cli.ok("upkeep", "show")
    assert (shown["retention_days"], shown["report"]) == (90, None)
    assert cli.ok("upkeep", "run")["orders"] == 0
    assert cli.ok("upkeep", "show")["report"]["orders"] == 0
    assert cli("upkeep", "run").code == 0
    assert "for ever" in cli("upkeep", "show").out or "90 days" in cli("upkeep", "show").out


def test_an_order_goes_when_its_time_is_over_and_not_before(tmp_path: Path) -> None:
    with opened(tmp_path, retention_days=30, retention_open_days=60) as desk:
        # Ids are made by the real time, which orders are looked at by.
        desk.clock.at = began = datetime.now(UTC) + timedelta(seconds=10)
        ended, alive = bought(desk, "B-1"), desk.order("B-2")
        desk.clock.at = began + timedelta(days=30) - timedelta(seconds=1)
        assert desk.run(desk.hub.upkeep.run()).orders == 0
        desk.clock.forward(seconds=1)
        report: Any = desk.run(desk.hub.upkeep.run())
        assert (report.orders, report.updates) == (1, 0)
        assert desk.get(f"/v1/orders/{ended}").status == 404
        assert desk.get(f"/v1/orders/{alive}").status == 200
        desk.clock.forward(days=30)
        assert desk.run(desk.hub.upkeep.run()).orders == 1
        files = [path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".key"]
        assert seen_in(*files) == []
