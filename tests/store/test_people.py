"""People, their sessions and merchants' links, as every store keeps them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports.people import PersonRecord, PortalLink, Role, SessionRecord
from tests.store.desk import ACCOUNT, NOW, OTHER, Desk, at

ADA = PersonRecord("ada", Role.OPERATOR, None, "kept", NOW)
BOB = PersonRecord("bob", Role.MERCHANT, ACCOUNT, "kept too", NOW)
LINK = PortalLink(ACCOUNT, "lnk_1", Role.READER, "ada", NOW, at(3_600))
LONG_AGO = at(-86_400)


def a_session(digest: str, *, name: str = "ada", link: str = "", **given: Any) -> SessionRecord:
    return SessionRecord(
        **{
            "digest": digest,
            "session_id": f"ses_{digest}",
            "name": name,
            "link_account_id": ACCOUNT if link else "",
            "link_id": link,
            "made_at": NOW,
            "seen_at": NOW,
            "until_at": at(7_200),
            "address": "192.0.2.1",
            "agent": "A browser / 1.0 – é",
            **given,
        }
    )


def test_people_come_back_by_name_as_they_were_kept(desk: Desk) -> None:
    for person in (BOB, ADA):
        desk.run(desk.store.add_person(person))
    assert desk.run(desk.store.people()) == [ADA, BOB]
    assert desk.run(desk.store.person("bob")) == BOB
    assert desk.run(desk.store.person("eve")) is None
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.add_person(ADA))


def test_a_token_makes_one_operator_and_voids_all(desk: Desk) -> None:
    store, run = desk.store, desk.run
    assert run(store.add_first_token("one", until=at(60), now=NOW))
    assert run(store.add_first_token("two", until=at(60), now=NOW))
    assert not run(store.has_operator())
    assert not run(store.add_first_operator(ADA, digest="three", now=NOW))
    assert not run(store.add_first_operator(ADA, digest="one", now=at(60)))
    assert run(store.add_first_operator(ADA, digest="one", now=NOW))
    eve = msgspec.structs.replace(ADA, name="eve")
    assert not run(store.add_first_operator(eve, digest="two", now=NOW))
    assert not run(store.add_first_token("four", until=at(60), now=NOW))
    assert run(store.people()) == [ADA]


def test_a_session_is_found_with_what_its_person_may_do_today(desk: Desk) -> None:
    store, run = desk.store, desk.run
    run(store.add_person(BOB))
    kept = a_session("d1", name="bob")
    run(store.add_session(kept, stale=LONG_AGO))
    found = run(store.find_session("d1", now=NOW))
    assert (found.session, found.role, found.sees) == (kept, Role.MERCHANT, ACCOUNT)
    run(store.see_session("d1", now=at(9)))
    assert run(store.find_session("d1", now=NOW)).session.seen_at == at(9)
    assert run(store.find_session("d2", now=NOW)) is None


def test_changing_a_person_ends_the_sessions_of_that_one_alone(desk: Desk) -> None:
    store, run = desk.store, desk.run
    for person, digest in ((ADA, "d1"), (BOB, "d2")):
        run(store.add_person(person))
        run(store.add_session(a_session(digest, name=person.name), stale=LONG_AGO))
    changed = msgspec.structs.replace(BOB, role=Role.READER, sees=None, disabled_at=NOW)
    run(store.replace_person(changed))
    assert run(store.person("bob")) == changed
    assert run(store.find_session("d2", now=NOW)) is None
    assert run(store.find_session("d1", now=NOW)) is not None
    with pytest.raises(UnknownRecord):
        run(store.replace_person(msgspec.structs.replace(BOB, name="eve")))


def test_a_session_of_somebody_who_is_disabled_is_not_found(desk: Desk) -> None:
    store, run = desk.store, desk.run
    run(store.add_person(msgspec.structs.replace(ADA, disabled_at=NOW)))
    run(store.add_session(a_session("d1"), stale=LONG_AGO))
    assert run(store.find_session("d1", now=NOW)) is None


def test_a_new_session_clears_away_those_that_are_over(desk: Desk) -> None:
    store, run = desk.store, desk.run
    run(store.add_person(ADA))
    over, idle = a_session("over", until_at=at(-1)), a_session("idle", seen_at=at(-100_000))
    for one in (over, idle, a_session("kept")):
        run(store.add_session(one, stale=at(-200_000)))
    run(store.add_session(a_session("new", seen_at=at(1)), stale=LONG_AGO))
    assert [s.digest for s in run(store.sessions("ada"))] == ["new", "kept"]


def test_a_session_is_ended_by_its_owner_or_its_token(desk: Desk) -> None:
    store, run = desk.store, desk.run
    run(store.add_person(ADA))
    for digest in ("d1", "d2", "d3"):
        run(store.add_session(a_session(digest), stale=LONG_AGO))
    run(store.end_session("bob", "ses_d1"))
    run(store.end_session("ada", "ses_d2"))
    run(store.end_session_of("d3"))
    assert [s.digest for s in run(store.sessions("ada"))] == ["d1"]


def test_a_link_opens_sessions_until_it_is_over_or_revoked(desk: Desk, neighbor: Desk) -> None:
    store, run = desk.store, desk.run
    run(store.add_link(LINK))
    run(store.add_link(msgspec.structs.replace(LINK, account_id=OTHER)))
    for digest in ("d1", "d2"):
        run(store.add_session(a_session(digest, name="", link="lnk_1"), stale=LONG_AGO))
    found = run(store.find_session("d1", now=NOW))
    assert (found.role, found.sees) == (Role.READER, ACCOUNT)
    assert run(store.find_session("d1", now=LINK.until_at)) is None
    run(store.revoke_link(ACCOUNT, "lnk_1", now=at(5)))
    assert run(store.find_session("d2", now=NOW)) is None
    assert run(store.link(ACCOUNT, "lnk_1")).revoked_at == at(5)
    assert run(store.links(OTHER))[0].revoked_at is None
    with pytest.raises(UnknownRecord):
        run(store.revoke_link(ACCOUNT, "lnk_2", now=NOW))
