"""The sandbox: what it sends is exact, bounded, and goes to the account's own endpoints alone."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from datetime import timedelta

import pytest

from milepost.dashboard import plays
from milepost.dashboard.plays import MOST_ORDERS, Play, Standing, play_of
from milepost.delivery.model import Reply
from milepost.ports.people import Role
from milepost_receiver import Receiver
from tests.doors.desk import Desk
from tests.doors.pages import Visitor, a_person

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()


def played(desk: Desk, *, lasting_s: float = 20.0) -> Play:
    """The account's play when it is over."""
    play = play_of(desk.account_id)
    assert play is not None
    assert play.task is not None
    desk.run(asyncio.wait_for(asyncio.shield(play.task), lasting_s))
    return play


def begin(visitor: Visitor, to: str, **form: str) -> None:
    visitor.get("/sandbox")
    told = {"scenario": "door_to_door", "to": to, "orders": "1", "speed": "max", "seed": "7"}
    seen = visitor.post("/sandbox/play", **(told | form))
    assert seen.status == 303, seen.text


def made(desk: Desk, contract: str = "standard", **given: object) -> str:
    endpoint_id: str = desk.endpoint(contract, **given)["endpoint"]["endpoint_id"]
    return endpoint_id


def test_an_account_without_an_endpoint_is_told_what_it_can_do(desk: Desk) -> None:
    seen = a_person(desk).get("/sandbox")
    assert "There is no endpoint to play to yet" in seen.text
    assert "nobody: only show · shipmonk" in seen.text
    assert "Nothing has been played yet" in seen.text


def test_a_play_sends_the_bytes_that_the_endpoints_own_secret_proves(desk: Desk) -> None:
    visitor = a_person(desk, Role.MERCHANT)
    begin(visitor, made(desk, secret=SECRET))
    play = played(desk)
    assert play.standing is Standing.DONE
    assert play.report is not None
    assert play.report.good
    sent = desk.outside.requests
    assert len(sent) == len(play.rows) == play.report.totals.requests
    receiver = Receiver.standard(secrets=[SECRET])
    for request in sent:
        assert receiver.read(dict(request.headers), request.body).type.startswith("order.")
        assert request.url == "https://receiver.example/hook"
    seen = visitor.get("/sandbox?request=1")
    assert dict(sent[0].headers)["webhook-signature"] in seen.text
    assert "SIM-7-door_to_door-1" in seen.text
    assert "The receiver took everything" in seen.text


def test_what_the_receiver_refuses_is_seen_with_its_answer(desk: Desk) -> None:
    desk.outside.answer = lambda _request: Reply(500, body=b"no room <here>")
    visitor = a_person(desk)
    begin(visitor, made(desk), scenario="cancelled")
    play = played(desk)
    assert play.report is not None
    assert not play.report.good
    seen = visitor.get("/sandbox")
    assert "The receiver did not take everything" in seen.text
    assert "no room <here>" in seen.text
    assert 'class="refused"' in seen.html


def test_each_word_of_chaos_can_be_asked_for(desk: Desk) -> None:
    visitor = a_person(desk)
    for word in ("duplicate", "reorder", "drop", "lose", "delay", "error"):
        begin(visitor, made(desk), chaos=word)
        play = played(desk)
        assert play.report is not None
        totals = play.report.totals
        seen = totals.duplicates, totals.reordered, totals.dropped, totals.lost, totals.delayed
        assert any(seen) or totals.pretended, word


def test_nothing_is_sent_where_the_requests_are_only_shown(desk: Desk) -> None:
    visitor = a_person(desk)
    for contract in ("standard", "withings", "shipmonk"):
        begin(visitor, f"show:{contract}")
        play = played(desk)
        assert play.standing is Standing.DONE, play.why
        sent = play.rows[0].sent
        assert sent.startswith("POST https://receiver.example/notifications")
        hidden = "authorization: (a secret of the endpoint)" in sent
        assert hidden == (contract == "shipmonk")
    assert desk.outside.requests == []
    assert "sent to nobody" in visitor.get("/sandbox").text


def test_nothing_is_played_that_was_not_offered(desk: Desk) -> None:
    visitor = a_person(desk)
    visitor.get("/sandbox")
    usual = {"scenario": "shipped", "to": made(desk), "orders": "1", "speed": "max"}
    for field, value in (
        ("to", "https://elsewhere.example/hook"),
        ("to", "ep_0000000000"),
        ("to", "show:nonesuch"),
        ("to", "hub"),
        ("scenario", "nonesuch"),
        ("orders", str(MOST_ORDERS + 1)),
        ("seed", "-1"),
        ("speed", "warp"),
        ("chaos", "earthquake"),
    ):
        seen = visitor.post("/sandbox/play", **(usual | {field: value}))
        assert seen.status in (404, 422), (field, value, seen.text)
    assert desk.outside.requests == []
    assert play_of(desk.account_id) is None


def test_nobody_plays_to_the_endpoint_of_another_account(desk: Desk) -> None:
    theirs = desk.another().endpoint("standard")["endpoint"]["endpoint_id"]
    visitor = a_person(desk, Role.MERCHANT)
    visitor.get("/sandbox")
    seen = visitor.post("/sandbox/play", scenario="shipped", to=theirs)
    assert seen.status == 404
    assert theirs not in visitor.get("/sandbox").html
    assert desk.outside.requests == []


def test_who_may_only_read_watches_and_plays_nothing(desk: Desk) -> None:
    reader = a_person(desk, Role.READER)
    seen = reader.get("/sandbox")
    assert "/sandbox/play" not in seen.html
    assert reader.post("/sandbox/play", scenario="shipped", to="show:standard").status == 403
    assert reader.post("/sandbox/stop").status == 403


def test_one_play_at_a_time_which_can_be_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = a_person(desk)
    begin(visitor, made(desk), speed="watch")
    first = play_of(desk.account_id)
    assert first is not None
    seen = visitor.follow(visitor.post("/sandbox/play", scenario="shipped", to="show:standard"))
    assert "A rehearsal is being played" in seen.text
    monkeypatch.setattr(plays, "MOST_PLAYING", 1)
    other = desk.another()
    theirs = a_person(other, Role.MERCHANT, name="other", sees=other.account_id)
    theirs.get("/sandbox")
    theirs.post("/sandbox/play", scenario="shipped", to="show:standard")
    assert play_of(other.account_id) is None
    visitor.get("/sandbox")
    assert "Stopped." in visitor.follow(visitor.post("/sandbox/stop")).text
    assert first.task is not None
    desk.run(asyncio.wait((first.task,), timeout=20))
    assert first.standing is Standing.STOPPED
    assert len(first.rows) < first.expected


def test_a_play_is_watched_part_by_part(desk: Desk) -> None:
    visitor = a_person(desk)
    begin(visitor, "show:standard")
    played(desk)
    for part, words in {
        "status": "Done",
        "lines": "SIM-7-door_to_door-1",
        "requests": "shown",
        "exact": "POST https://receiver.example",
        "report": "sent to nobody",
    }.items():
        seen = visitor.get("/sandbox", **{"milepost-part": part})
        assert words in seen.html, part
        assert "<main" not in seen.html


def sandbox_account(desk: Desk) -> Desk:
    account = desk.run(desk.hub.operations.add_account("rehearsals", sandbox=True))
    return Desk(desk.runner, desk.hub, desk.app, desk.clock, desk.outside, account.account_id, "")


def test_a_sandbox_account_plays_through_the_hub_and_has_the_orders_then(desk: Desk) -> None:
    its = sandbox_account(desk)
    visitor = a_person(desk, Role.MERCHANT, name="its", sees=its.account_id)
    begin(visitor, "hub", chaos="duplicate")
    play = played(its)
    assert play.standing is Standing.DONE, play.why
    assert {row.result for row in play.rows} >= {"created", "applied", "duplicate"}
    order_id = play.rows[-1].order_id
    assert order_id is not None
    order = desk.run(desk.hub.insights.order(its.account_id, order_id))
    assert order.state == "delivered"
    assert f'href="/orders/{order_id}"' in visitor.get("/sandbox").html


def test_the_test_clock_is_shown_and_moved_forward(sending: Desk) -> None:
    its = sandbox_account(sending)
    visitor = a_person(sending, Role.MERCHANT, name="its", sees=its.account_id)
    seen = visitor.get("/sandbox")
    assert "The test clock" in seen.text
    assert visitor.post("/sandbox/clock", by="soon").status == 422
    assert visitor.post("/sandbox/clock", by="3d").status == 303

    async def moved() -> bool:
        for _ in range(2_000):
            clock = await sending.hub.clocks.show(its.account_id)
            if clock.ahead_s >= timedelta(days=3).total_seconds():
                return True
            await asyncio.sleep(0.01)
        return False

    assert sending.run(moved())
    assert re.search(r"Ahead of the real time 3 d", visitor.get("/sandbox").text)
    ours = a_person(sending)
    assert "The test clock" not in ours.get("/sandbox").text
    assert ours.post("/sandbox/clock", by="3d").status == 404
