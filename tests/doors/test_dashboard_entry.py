"""Getting in: the first operator, log-in, sessions, merchants' links, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milepost.dashboard import all_pages
from milepost.dashboard.chips import UNCOLORED
from milepost.dashboard.rendering import environment
from milepost.people import Right
from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import ORIGIN, PASSWORD, Visitor, a_person

WHATEVER = {"name": "Ada", "password": PASSWORD}
SEEN_BY_ALL = {"/log-out", "/account", "/you/password", "/you/sessions/{session}/end"}
"""Forms that change nothing but the visitor's own."""


def first_run(desk: Desk) -> tuple[Visitor, str]:
    token = desk.run(desk.hub.people.first_token())
    visitor = Visitor(desk)
    visitor.get(f"/welcome?token={token}")
    return visitor, token


def test_without_an_operator_every_page_leads_to_the_first_run(desk: Desk) -> None:
    visitor = Visitor(desk)
    seen = visitor.get("/orders?find=1001")
    assert (seen.status, seen.location) == (303, "/log-in?next=/orders%3Ffind%3D1001")
    assert visitor.follow(seen).location == "/welcome"


def test_the_token_makes_the_operator_and_is_void_then(desk: Desk) -> None:
    visitor, token = first_run(desk)
    seen = visitor.post("/welcome", token=token, **WHATEVER)
    assert "Welcome, ada" in visitor.follow(seen).text
    assert desk.run(desk.hub.people.first_token()) is None
    other = Visitor(desk)
    assert other.get(f"/welcome?token={token}").location == "/log-in"


def test_a_token_is_good_for_an_hour(desk: Desk) -> None:
    visitor, token = first_run(desk)
    desk.clock.forward(hours=1)
    seen = visitor.post("/welcome", token=token, **WHATEVER)
    assert seen.status == 422
    assert "printed last" in seen.text


@pytest.mark.parametrize("password", ["elevenchars", "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_poor_password_is_refused_and_not_sent_back(desk: Desk, password: str) -> None:
    visitor, token = first_run(desk)
    seen = visitor.post("/welcome", token=token, name="Ada", password=password)
    assert seen.status == 422
    assert password not in seen.html
    assert visitor.post("/welcome", token=token, **WHATEVER).status == 303


def test_a_wrong_password_and_an_unknown_name_read_the_same(desk: Desk) -> None:
    a_person(desk, name="ada")
    texts = set()
    for name in ("ada", "nobody"):
        seen = Visitor(desk).log_in(name, "not the password at all")
        assert seen.status == 422
        texts.add(seen.html.replace(name, "NAME").replace(seen.html[0:0], ""))
        assert "do not go together" in seen.text
    assert len({text.split('name="csrf"')[0] for text in texts}) == 1


def test_guesses_are_bounded_for_a_name_from_an_address_and_not_for_others(desk: Desk) -> None:
    a_person(desk, name="ada")
    guesser = Visitor(desk)
    statuses = [guesser.log_in("ada", f"guess {n} of many").status for n in range(6)]
    assert statuses == [422] * 5 + [429]
    late = guesser.log_in("ada")
    assert late.status == 429
    assert int(late.header("retry-after")) > 0
    assert Visitor(desk, address="192.0.2.2").log_in("ada").status == 303
    desk.clock.forward(seconds=61)
    assert guesser.log_in("ada").status in (303, 429)


def test_a_session_ends_in_every_tab_at_once(desk: Desk) -> None:
    tab = a_person(desk)
    tab.get("/")
    other = Visitor(desk, cookies=dict(tab.cookies), csrf=tab.csrf)
    assert "logged out" in tab.follow(tab.post("/log-out")).text
    seen = other.post("/links", days="7", role="merchant")
    assert (seen.status, seen.location) == (303, "/log-in")
    assert not desk.run(desk.hub.portal.links(desk.account_id))


def test_a_session_is_over_after_idle_hours_and_after_two_weeks(desk: Desk) -> None:
    idle, busy = a_person(desk, name="idle"), a_person(desk, name="busy")
    for _ in range(31):
        desk.clock.forward(hours=11)
        assert busy.get("/").status == (200 if desk.clock.seconds() < 14 * 86_400 else 303)
    assert idle.get("/").status == 303


def test_a_disabled_person_is_out_at_once(desk: Desk) -> None:
    visitor = a_person(desk, name="ada")
    desk.run(desk.hub.people.disable("ada"))
    assert visitor.get("/").status == 303
    assert visitor.log_in("ada").status == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_from_another_site_changes_nothing(desk: Desk, headers: dict[str, str]) -> None:
    visitor = a_person(desk)
    visitor.get("/links")
    told = {"csrf": visitor.csrf, "days": "7", "role": "merchant"}
    assert visitor.send("POST", "/links", told, headers=headers).status == 409
    assert not desk.run(desk.hub.portal.links(desk.account_id))


@pytest.mark.parametrize("csrf", ["", "bm90IHRoZSB0b2tlbg=="])
def test_a_form_without_its_token_changes_nothing(desk: Desk, csrf: str) -> None:
    visitor = a_person(desk)
    seen = visitor.post("/links", csrf=csrf, days="7", role="merchant")
    assert seen.status == 409
    assert "out of date" in seen.text


def test_a_form_of_a_tab_with_another_account_changes_nothing(desk: Desk) -> None:
    other = desk.another()
    visitor = a_person(desk)
    visitor.get("/links")
    old = visitor.csrf
    assert visitor.post("/account", account=other.account_id).status == 303
    assert visitor.post("/links", csrf=old, days="7", role="merchant").status == 409
    assert "other" in visitor.get("/links").text


def test_a_merchant_sees_one_account_and_runs_nothing(desk: Desk) -> None:
    other = desk.another()
    merchant = a_person(desk, Role.MERCHANT)
    for path in ("/people", "/links"):
        assert merchant.get(path).status == 403
    merchant.get("/")
    assert merchant.post("/account", account=other.account_id).status == 404


def test_a_link_opens_one_account_until_it_is_revoked(desk: Desk) -> None:
    made = desk.run(
        desk.hub.portal.make(
            desk.account_id, role=Role.READER, lasting=timedelta(days=7), made_by="ada"
        )
    )
    guests = [Visitor(desk), Visitor(desk)]
    for guest in guests:
        assert guest.follow(guest.get(f"/portal/{made.text}")).status == 200
        assert guest.get("/people").status == 403
    desk.run(desk.hub.portal.revoke(desk.account_id, made.link.link_id))
    assert guests[0].get("/").status == 303
    assert "expired" in Visitor(desk).get(f"/portal/{made.text}").text


def test_a_link_that_is_over_or_changed_shows_a_friendly_page(desk: Desk) -> None:
    made = desk.run(
        desk.hub.portal.make(
            desk.account_id, role=Role.MERCHANT, lasting=timedelta(hours=1), made_by=""
        )
    )
    guest = Visitor(desk)
    for text in (made.text[:-1] + ("A" if made.text[-1] != "A" else "B"), "x", "é", made.text * 9):
        assert guest.get(f"/portal/{text.encode().hex() if text == 'é' else text}").status == 403
    assert guest.follow(guest.get(f"/portal/{made.text}")).status == 200
    desk.clock.forward(hours=1)
    seen = guest.get(f"/portal/{made.text}")
    assert (seen.status, guest.get("/").status) == (403, 303)
    assert "Ask whoever sent it to you for a new one" in seen.text


def test_every_page_has_a_strict_policy_and_is_not_kept(desk: Desk) -> None:
    visitor = a_person(desk)
    for path in ("/", "/people", "/you", "/log-in", "/nowhere"):
        seen = visitor.get(path)
        policy = seen.header("content-security-policy")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert seen.header("cache-control") == "no-store"
        assert " style=" not in seen.html
        assert "<style" not in seen.html
        assert " onclick=" not in seen.html


def test_the_cookie_is_out_of_reach_of_scripts_and_by_https_bound_to_the_host(desk: Desk) -> None:
    a_person(desk, name="ada")
    visitor = Visitor(desk)
    seen = visitor.log_in("ada")
    session = next(v for k, v in seen.headers if k == "set-cookie" and "session=" in v)
    assert session.startswith("milepost_session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))


def test_next_leads_to_our_own_pages_only(desk: Desk) -> None:
    a_person(desk, name="ada")
    for told in ("//evil.example", "https://evil.example", "/\\evil.example", "people", ""):
        visitor = Visitor(desk)
        visitor.get("/log-in")
        seen = visitor.post("/log-in", name="ada", password=PASSWORD, next=told)
        assert seen.location == "/"


def test_files_have_names_of_their_content_and_are_kept_for_ever(desk: Desk) -> None:
    visitor = Visitor(desk)
    html = visitor.get("/welcome").html
    path = html.split('rel="stylesheet" href="')[1].split('"')[0]
    seen = visitor.get(path)
    assert seen.status == 200
    assert "immutable" in seen.header("cache-control")
    packed = visitor.get(path, accept_encoding="gzip")
    assert packed.header("content-encoding") == "gzip"
    assert len(packed.body) < len(seen.body) / 2
    assert visitor.get("/static/milepost.000000000000.css").status == 404
    assert visitor.get("/static/../door.py").status == 404


def test_what_is_not_there_is_a_page_for_browsers_and_a_problem_for_programs(desk: Desk) -> None:
    visitor = a_person(desk)
    assert "Nothing here" in visitor.get("/nowhere").text
    assert desk.get("/v1/nowhere").headers["content-type"] == "application/problem+json"


def test_every_room_of_the_navigation_has_a_page(desk: Desk) -> None:
    from milepost.dashboard.places import PLACES

    visitor = a_person(desk)
    for place in PLACES:
        assert visitor.get(place.path).status == 200, place.path


def test_a_page_costs_a_bounded_number_of_queries(desk: Desk) -> None:
    visitor = a_person(desk)
    assert visitor.get("/links").calls == ["find_session", "accounts", "links"]
    assert Visitor(desk).get("/orders").calls == []


def test_whoever_only_sees_reaches_no_form_that_changes_something() -> None:
    posts = [page for page in all_pages() if page.method == "POST" and not page.public]
    open_to_all = {page.path for page in posts if page.right is Right.SEE}
    assert open_to_all <= SEEN_BY_ALL


def test_every_state_has_a_color() -> None:
    assert UNCOLORED == []


def test_a_refused_form_comes_back_with_what_was_typed_but_the_password(desk: Desk) -> None:
    a_person(desk, name="ada")
    visitor = Visitor(desk)
    visitor.get("/log-in?next=/links")
    seen = visitor.post("/log-in", name="ada", password="not the password", next="/links")
    assert seen.status == 422
    assert 'name="next" value="/links"' in seen.html
    assert 'value="ada"' in seen.html
    assert "not the password" not in seen.html


def test_a_template_that_fails_is_a_page_that_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("a drawing that cannot be drawn")

    visitor = a_person(desk)
    monkeypatch.setattr("milepost.dashboard.overview.bars", broken)
    act = visitor.get("/")
    monkeypatch.undo()
    seen = visitor.get("/people?x=1")
    assert act.status == 500
    assert "text/html" in act.header("content-type")
    assert "cannot be drawn" not in act.text
    assert seen.status == 200


def test_what_fails_while_it_is_rendered_is_a_page_too(desk: Desk) -> None:
    visitor = a_person(desk)
    environment().globals["time_text"], kept = None, environment().globals["time_text"]
    try:
        seen = visitor.get("/people")
    finally:
        environment().globals["time_text"] = kept
    assert seen.status == 500
    assert "text/html" in seen.header("content-type")
