"""The pages of endpoints: what they say, what they change, and how often they ask the store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from milepost.dashboard.endpoint_words import OUTCOMES
from milepost.delivery.health import Health, Pulse, judge
from milepost.delivery.model import Endpoint, Outcome, Reply
from milepost.ports import Judged
from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import Seen, Visitor, a_person

URL = "https://receiver.example/hook"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{20,}")


def settled(desk: Desk, done: Callable[[], bool]) -> None:
    """Lets the hub work until this holds."""
    for _ in range(1_000):
        if done():
            return
        desk.run(asyncio.sleep(0.01))
    raise AssertionError("it did not come to that within ten seconds")


def failing(desk: Desk, endpoint_id: str) -> None:
    """Puts on record that nothing of it was acknowledged for two minutes."""
    desk.clock.forward(minutes=2)
    now = desk.clock.at
    pulse = Pulse(
        account_id=desk.account_id,
        endpoint_id=endpoint_id,
        failures=9,
        first_failure_at=now - timedelta(minutes=2),
        last_failure_at=now,
        outcome=Outcome.SERVER_ERROR,
    )

    def judged(endpoint: Endpoint, health: Health, beat: Pulse) -> Judged:
        return Judged(judge(endpoint, health=health, pulse=beat, now=now).health)

    desk.run(desk.hub.store.beat([pulse], judge=judged, now=now))


def created(visitor: Visitor, **fields: str) -> Seen:
    contract = fields.get("contract", "standard")
    visitor.get(f"/endpoints/new?contract={contract}")
    return visitor.post("/endpoints/new", **{"contract": contract, "url": URL, **fields})


def only(desk: Desk) -> str:
    """The id of the one endpoint that there is."""
    (found,) = desk.get("/v1/endpoints").json["endpoints"]
    name: str = found["endpoint_id"]
    return name


# the list


def test_where_there_is_no_endpoint_the_page_leads_to_making_one(desk: Desk) -> None:
    seen = a_person(desk).get("/endpoints")
    assert "Nobody is notified yet" in seen.text
    assert 'href="/endpoints/new"' in seen.html
    reader = a_person(desk, Role.READER, sees=desk.account_id).get("/endpoints")
    assert 'href="/endpoints/new"' not in reader.html


def test_the_list_says_who_fails_since_when_and_what_waits(desk: Desk) -> None:
    well, ill = (desk.endpoint(description=d)["endpoint"]["endpoint_id"] for d in ("well", "ill"))
    desk.order("O-1")
    failing(desk, ill)
    visitor = a_person(desk)
    seen = visitor.get("/endpoints")
    assert "Failing 1" in seen.text
    assert seen.text.index("ill Standard") < seen.text.index("well Standard")
    assert "Server error" in seen.text
    narrowed = visitor.get("/endpoints?condition=failing")
    assert f"/endpoints/{ill}" in narrowed.html
    assert f"/endpoints/{well}" not in narrowed.html
    assert visitor.get("/endpoints?condition=strange").status == 422


def test_the_list_asks_the_store_the_same_few_times_however_many_there_are(desk: Desk) -> None:
    for number in range(12):
        desk.endpoint(description=f"number {number}")
    calls = a_person(desk).get("/endpoints").calls
    assert calls == [
        "find_session",
        "accounts",
        "endpoints",
        "health",
        "endpoint_trends",
        "waiting",
    ]


# one


def test_the_page_of_one_that_fails_says_why_and_shows_the_answer(sending: Desk) -> None:
    name = sending.endpoint()["endpoint"]["endpoint_id"]
    sending.outside.answer = lambda _request: Reply(500, body=b"out of <memory>")
    sending.order("O-1")
    settled(sending, lambda: bool(sending.outside.requests))
    settled(sending, lambda: not sending.hub.dispatcher.on_wire)
    failing(sending, name)
    visitor = a_person(sending)
    seen = visitor.get(f"/endpoints/{name}")
    assert "Nothing was acknowledged since" in seen.text
    assert OUTCOMES[Outcome.SERVER_ERROR].means in seen.text
    assert "HTTP 500" in seen.text
    assert "out of <memory>" in seen.text
    assert "<memory>" not in seen.html
    # What the dispatcher does beside in that moment is no read of the page.
    assert [call for call in seen.calls if call not in ("claim", "settle", "beat")] == [
        "find_session",
        "accounts",
        "endpoint",
        "health",
        "waiting",
        "deliveries",
        "undelivered",
        "delivery",
        "attempts",
        "resends",
        "trends",
    ]


def test_each_outcome_has_words_that_say_what_it_means_and_what_helps() -> None:
    assert set(OUTCOMES) == set(Outcome)
    for outcome, words in OUTCOMES.items():
        assert words.name
        assert words.means.endswith(".")
        assert words.advice.endswith(".") or outcome is Outcome.ACKNOWLEDGED


def test_deliveries_come_page_by_page_and_by_state(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    for number in range(25):
        desk.order(f"O-{number}")
    visitor = a_person(desk)
    first = visitor.get(f"/endpoints/{name}?state=pending")
    assert first.html.count('href="/deliveries/') == 20
    following = re.search(r'rel="next" href="([^"]+)"', first.html)
    assert following is not None
    second = visitor.get(following[1].replace("&amp;", "&"))
    assert second.html.count('href="/deliveries/') == 5
    assert "None here" in visitor.get(f"/endpoints/{name}?state=abandoned").text


def test_the_schedule_is_a_table_with_its_source_and_no_secret_is_shown(desk: Desk) -> None:
    made = desk.endpoint("shipmonk", credentials={"username": "hub", "password": "hunter2"})
    seen = a_person(desk).get(f"/endpoints/{made['endpoint']['endpoint_id']}")
    assert "up to 100 times with 5 minutes between attempts" in seen.text
    assert seen.html.count('<td class="right">5 min</td>') == 100
    assert made["secret"] not in seen.html
    assert "hunter2" not in seen.html
    assert "password" in seen.text


# making and changing


def test_a_new_endpoint_shows_its_secret_this_once(desk: Desk) -> None:
    visitor = a_person(desk)
    seen = created(visitor, description="shop", statuses="shipped")
    found = SECRET.search(seen.html)
    assert seen.status == 200
    assert found is not None
    name = only(desk)
    shown = desk.get(f"/v1/endpoints/{name}").json
    assert (shown["statuses"], shown["description"]) == (["shipped"], "shop")
    assert SECRET.search(visitor.get(f"/endpoints/{name}").html) is None


def test_each_contract_asks_in_its_own_words(desk: Desk) -> None:
    visitor = a_person(desk)
    withings = visitor.get("/endpoints/new?contract=withings").text
    assert "Dropshipment notify URI" in withings
    assert "Customer ID" in withings
    shipmonk = visitor.get("/endpoints/new?contract=shipmonk").text
    assert "Encoding of X-Sm-Signature" in shipmonk
    assert "Basic username" in shipmonk
    given = {"options.customer_id": "77", "options.profile": "form", "options.order_id": "yes"}
    assert created(visitor, contract="withings", **given).status == 200
    options = desk.get(f"/v1/endpoints/{only(desk)}").json["options"]
    assert options == {
        "customer_id": "77",
        "profile": "form",
        "order_id": True,
        "original_serial_number": False,
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "ftp://receiver.example"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"timeout_s": "soon"}, "timeout_s"),
        ({"concurrency": "1000"}, "concurrency"),
        ({"pause_after_h": "0"}, "pause_after_h"),
        ({"contract": "shipmonk", "credentials.username": "hub"}, "credentials.password"),
        ({"contract": "shipmonk", "options.currency": "euro"}, "options.currency"),
        ({"contract": "withings"}, "options.customer_id"),
        ({"statuses": "flying"}, "statuses"),
        ({"secret": "short"}, "secret"),
        ({"description": "a\0b"}, "description"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field_and_the_rest_stays(
    desk: Desk, given: dict[str, str], field: str
) -> None:
    seen = created(a_person(desk), **{"description": "kept words", **given})
    assert seen.status == 422
    place = seen.html.index('class="error"')
    before = seen.html[:place]
    assert before.rindex(f'name="{field}"') > before.rindex("<form") if field != "statuses" else 1
    assert "Expected" in seen.text
    assert field == "description" or "kept words" in seen.html
    assert desk.get("/v1/endpoints").json["endpoints"] == []


def test_a_change_keeps_what_is_left_empty_and_never_shows_a_credential(desk: Desk) -> None:
    made = desk.endpoint("shipmonk", credentials={"username": "hub", "password": "hunter2"})
    name = made["endpoint"]["endpoint_id"]
    visitor = a_person(desk)
    form = visitor.get(f"/endpoints/{name}/edit")
    assert "hunter2" not in form.html
    fields = {**typed_in(form), "url": "https://receiver.example/other"}
    assert visitor.post(f"/endpoints/{name}/edit", **fields).location == f"/endpoints/{name}"
    shown = desk.get(f"/v1/endpoints/{name}").json
    assert shown["url"] == "https://receiver.example/other"
    assert shown["credentials_set"] == ["password", "username"]
    again = typed_in(visitor.get(f"/endpoints/{name}/edit"))
    visitor.post(f"/endpoints/{name}/edit", **again, forget_credentials="yes")
    assert desk.get(f"/v1/endpoints/{name}").json["credentials_set"] == []


def test_of_two_who_change_the_same_endpoint_the_second_is_told(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    visitor = a_person(desk)
    fields = typed_in(visitor.get(f"/endpoints/{name}/edit"))
    visitor.post(f"/endpoints/{name}/edit", **{**fields, "description": "first"})
    late = visitor.post(f"/endpoints/{name}/edit", **{**fields, "description": "second"})
    assert late.status == 409
    assert "Somebody has saved this endpoint" in late.text
    assert desk.get(f"/v1/endpoints/{name}").json["description"] == "first"
    again = typed_in(late)
    assert again["description"] == "second"
    assert visitor.post(f"/endpoints/{name}/edit", **again).status == 303


def typed_in(seen: Seen) -> dict[str, str]:
    """The fields of the form as they stand, without boxes that are not ticked."""
    form = seen.html[seen.html.index('class="wide-form"') :]
    fields = {}
    for tag in re.findall(r"<input[^>]+>", form):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag) and name[1] != "csrf":
            fields[name[1]] = value[1] if value else ""
    for name, body in re.findall(
        r'<select[^>]+name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        fields[name] = chosen[1] if chosen else ""
    return fields


# acts


def test_it_is_paused_with_a_reason_and_resumed_with_what_was_parked(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    visitor = a_person(desk)
    visitor.get(f"/endpoints/{name}")
    page = visitor.follow(visitor.post(f"/endpoints/{name}/pause", why="the shop moves"))
    assert "The shop moves" in page.text
    desk.order("O-1")
    assert "Resume (1 parked)" in visitor.get(f"/endpoints/{name}").text
    page = visitor.follow(visitor.post(f"/endpoints/{name}/resume"))
    assert "What was parked of 1 order is sent now." in page.text
    wrong = visitor.post(f"/endpoints/{name}/pause", why="x" * 201)
    assert wrong.status == 422
    assert 'data-open-now="pause"' in wrong.html


def test_a_test_shows_the_answer_on_the_same_page(sending: Desk) -> None:
    name = sending.endpoint()["endpoint"]["endpoint_id"]
    sending.outside.answer = lambda _request: Reply(401, body=b"who are you?")
    visitor = a_person(sending)
    visitor.get(f"/endpoints/{name}")
    sent = visitor.post(f"/endpoints/{name}/test")
    assert f"/endpoints/{name}?test=tst_" in sent.location
    settled(sending, lambda: "The test failed" in visitor.get(sent.location).text)
    page = visitor.get(sent.location)
    assert "HTTP 401" in page.text
    assert "who are you?" in page.text
    other = sending.endpoint()["endpoint"]["endpoint_id"]
    assert visitor.get(sent.location.replace(name, other, 1)).status == 404


def test_a_new_secret_is_shown_once_and_the_old_one_signs_until_it_ends(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    visitor = a_person(desk)
    visitor.get(f"/endpoints/{name}")
    seen = visitor.post(f"/endpoints/{name}/rotate", overlap_s="3600")
    assert SECRET.search(seen.html) is not None
    page = visitor.get(f"/endpoints/{name}")
    assert "1 from before signs as well, until" in page.text
    page = visitor.follow(visitor.post(f"/endpoints/{name}/retire"))
    assert "from before signs" not in page.text
    assert visitor.post(f"/endpoints/{name}/rotate", overlap_s="-1").status == 422


def test_it_is_removed_only_by_its_typed_name(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    desk.order("O-1")
    visitor = a_person(desk)
    visitor.get(f"/endpoints/{name}")
    wrong = visitor.post(f"/endpoints/{name}/delete", typed="yes")
    assert wrong.status == 422
    assert f"Expected {name}." in wrong.text
    page = visitor.follow(visitor.post(f"/endpoints/{name}/delete", typed=f" {name} "))
    assert "1 pending notifications were given up" in page.text
    assert visitor.get(f"/endpoints/{name}").status == 404


# replays


def test_a_replay_is_counted_first_then_begun_and_seen(sending: Desk) -> None:
    name = sending.endpoint()["endpoint"]["endpoint_id"]
    for number in range(3):
        sending.order(f"O-{number}")
    sending.quiet()
    sending.clock.forward(minutes=1)
    visitor = a_person(sending)
    counted = visitor.get(f"/endpoints/{name}/replay?what=between&since=1d")
    assert "3 notifications would be sent again" in counted.text
    assert len(sending.outside.requests) == 3
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', counted.html))
    told = {key: fields[key] for key in ("what", "since", "until")}
    begun = visitor.post(f"/endpoints/{name}/replay", **told)
    assert begun.location == f"/endpoints/{name}#replays"
    settled(sending, lambda: len(sending.outside.requests) == 6)
    settled(sending, lambda: "Done" in visitor.get(f"/endpoints/{name}").text)
    assert (
        "Nothing would be sent again" in visitor.get(f"/endpoints/{name}/replay?what=failed").text
    )


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("failed", "notifications that were given up; the newest 2 were looked at"),
        ("between", "notifications of that time; the oldest 2 were looked at"),
        ("latest", "orders that changed since then; the 2 that changed first were looked at"),
    ],
)
def test_a_count_that_ends_early_says_among_what_it_looked(
    sending: Desk, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    monkeypatch.setattr("milepost.dashboard.replays.GLANCE", 2)
    if what == "failed":
        sending.outside.answer = lambda _request: Reply(500)
    name = sending.endpoint(schedule="rehearsal")["endpoint"]["endpoint_id"]
    for number in range(3):
        sending.order(f"O-{number}")

    def all_settled() -> bool:
        sending.clock.forward(minutes=1)
        listed = sending.get("/v1/deliveries").json["deliveries"]
        return all(one["state"] != "pending" for one in listed)

    settled(sending, all_settled)
    seen = a_person(sending).get(f"/endpoints/{name}/replay?what={what}&since=30d")
    assert "2 or more notifications would be sent again" in seen.text
    assert f"There are more than 2 {said} for this page." in seen.text
    assert "Send them again" in seen.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("what=all", "what"),
        ("what=failed&since=never", "since"),
        ("what=between&since=own", "from"),
        ("what=between&since=own&from=2026-11-23T08:00&to=2026-11-22T08:00", "to"),
    ],
)
def test_times_that_cannot_be_are_said_at_their_field(desk: Desk, query: str, field: str) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    seen = a_person(desk).get(f"/endpoints/{name}/replay?{query}")
    assert seen.status == 422
    assert seen.html.count('class="error"') == 1
    assert f'name="{field}"' in seen.html[: seen.html.index('class="error"')]


def test_times_are_read_in_the_zone_of_whoever_types_them(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    visitor = a_person(desk)
    visitor.cookies["milepost_zone"] = "Asia/Tokyo"
    seen = visitor.get(
        f"/endpoints/{name}/replay?what=between&since=own&from=2026-11-23T08:00&to=2026-11-23T09:00"
    )
    assert 'datetime="2026-11-22T23:00:00Z"' in seen.html
