"""Endpoints' records: put there with what they lead to or not at all, and told in a lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from milepost.delivery.health import (
    Cause,
    Condition,
    Health,
    OperationalEvent,
    OperationalNotice,
    OperationalType,
    Pulse,
)
from milepost.delivery.model import (
    Body,
    DeliveryState,
    Endpoint,
    EndpointState,
    Operational,
    Outcome,
)
from milepost.delivery.outcome import Pause
from milepost.errors import StoreError, UnknownRecord
from milepost.ports import DeliveryFilter, Judged, Lease, Page, Settlement
from tests.store.desk import ACCOUNT, ME, NOW, Desk, an_attempt, at

RECORD = Health(
    failures=7,
    failing_since=at(1),
    last_success_at=at(2),
    last_failure_at=at(3),
    last_outcome=Outcome.TLS,
    failing=True,
    abandoned=3,
    abandoned_since=at(4),
    abandoned_told_at=at(5),
)
TO_OPS: dict[str, Any] = {"operational": Operational.ONLY}
OPS = "ops_a"
"""The lane of what happens to ep_a."""


class Broken(Exception):
    """The power goes."""


def notice(endpoint: Endpoint, kind: OperationalType = OperationalType.PAUSED) -> OperationalNotice:
    def bodies(number: int) -> Mapping[str, Body]:
        return {"standard": Body(f"{kind} {number}".encode())}

    return OperationalNotice(OperationalEvent(kind, NOW, endpoint, Cause.RULE, "because"), bodies)


def broken_notice(endpoint: Endpoint) -> OperationalNotice:
    def bodies(number: int) -> Mapping[str, Body]:
        raise Broken

    return OperationalNotice(notice(endpoint).event, bodies)


def pulse(endpoint: Endpoint) -> Pulse:
    return Pulse(endpoint.account_id, endpoint.endpoint_id)


def beat(desk: Desk, endpoint: Endpoint, judged: Judged, *, now: float = 0) -> list[Health]:
    """Puts this on record; returns what the judge was shown."""
    seen: list[Health] = []

    def judge(_: Endpoint, health: Health, __: Pulse) -> Judged:
        seen.append(health)
        return judged

    desk.run(desk.store.beat([pulse(endpoint)], judge=judge, now=at(now)))
    return seen


def record(desk: Desk, endpoint: Endpoint) -> Health:
    found: Mapping[str, Health] = desk.run(desk.store.health(desk.account_id))
    return found[endpoint.endpoint_id]


def state_of(desk: Desk, endpoint: Endpoint) -> tuple[EndpointState, str]:
    found = desk.run(desk.store.endpoint(desk.account_id, endpoint.endpoint_id))
    return found.state, found.state_why


def told(desk: Desk, *, to: str = "ep_ops") -> list[tuple[int, int, str, DeliveryState]]:
    """The operational events of ep_a that were queued for an endpoint, the oldest first."""
    wanted = DeliveryFilter(endpoint_id=to, order_id=OPS)
    found, _ = desk.run(desk.store.deliveries(desk.account_id, wanted=wanted, page=Page()))
    return sorted((d.sequence, d.previous, d.status, d.state) for d in found)


def test_a_new_endpoint_has_a_clean_record(desk: Desk) -> None:
    endpoint = desk.endpoint()
    assert record(desk, endpoint) == Health()
    assert beat(desk, endpoint, Judged(RECORD)) == [Health()]


def test_every_figure_of_a_record_is_kept(desk: Desk) -> None:
    endpoint = desk.endpoint()
    beat(desk, endpoint, Judged(RECORD))
    assert record(desk, endpoint) == RECORD
    assert beat(desk, endpoint, Judged(Health())) == [RECORD]
    assert record(desk, endpoint) == Health()


def test_a_record_outlives_a_change_of_its_endpoint_and_goes_with_it(desk: Desk) -> None:
    endpoint = desk.endpoint()
    beat(desk, endpoint, Judged(RECORD))
    desk.endpoint(description="new", updated_at=at(1))
    assert record(desk, endpoint) == RECORD
    desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=at(2)))
    assert desk.run(desk.store.health(ACCOUNT)) == {}
    assert beat(desk, endpoint, Judged(RECORD)) == []
    assert record(desk, desk.endpoint()) == Health()


def test_endpoints_are_judged_as_they_are_now(desk: Desk) -> None:
    endpoint = desk.endpoint()
    changed = desk.endpoint(pause_after_h=3.5, updated_at=at(1))
    seen: list[Endpoint] = []

    def judge(known: Endpoint, health: Health, given: Pulse) -> Judged:
        assert given == pulse(endpoint)
        seen.append(known)
        return Judged(health)

    desk.run(desk.store.beat([pulse(endpoint)], judge=judge, now=NOW))
    assert seen[-1] == changed


def test_a_pause_its_notice_and_the_record_are_one(desk: Desk) -> None:
    endpoint, ops = desk.endpoint(), desk.endpoint("ep_ops", **TO_OPS)
    beat(desk, endpoint, Judged(RECORD, [notice(endpoint)], "nothing but failures"), now=9)
    assert state_of(desk, endpoint) == (EndpointState.PAUSED, "nothing but failures")
    assert desk.run(desk.store.endpoint(ACCOUNT, "ep_a")).state_at == at(9)
    assert record(desk, endpoint) == RECORD
    (claimed,) = desk.claim(now=at(9))
    assert (claimed.endpoint, claimed.order_id, claimed.sequence) == (ops, OPS, 1)
    assert claimed.body == Body(b"endpoint.paused 1")


def test_what_fails_in_the_middle_leaves_nothing_behind(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.endpoint("ep_ops", **TO_OPS)
    with pytest.raises((Broken, StoreError)):
        beat(desk, endpoint, Judged(RECORD, [broken_notice(endpoint)], "because"))
    with pytest.raises((Broken, StoreError)):
        desk.run(
            desk.store.set_endpoint_state(
                ACCOUNT,
                "ep_a",
                state=EndpointState.PAUSED,
                why="because",
                now=NOW,
                notice=broken_notice(endpoint),
            )
        )
    assert state_of(desk, endpoint) == (EndpointState.ACTIVE, "")
    assert record(desk, endpoint) == Health()
    assert told(desk) == []
    beat(desk, endpoint, Judged(RECORD, [notice(endpoint)]))
    assert [row[0] for row in told(desk)] == [1]


def test_a_settlement_that_pauses_is_one_with_its_notice(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.endpoint("ep_ops", **TO_OPS)
    desk.place("K1", to=[endpoint])
    (head,) = desk.claim()
    settlement = Settlement(
        head, an_attempt(head, Outcome.GONE), Pause("410 Gone"), broken_notice(endpoint)
    )
    lease = Lease(ME, at(60))
    with pytest.raises((Broken, StoreError)):
        desk.run(desk.store.settle([settlement], lease=lease, now=at(1)))
    assert state_of(desk, endpoint) == (EndpointState.ACTIVE, "")
    whole = msgspec.structs.replace(settlement, notice=notice(endpoint))
    desk.run(desk.store.settle([whole], lease=lease, now=at(2)))
    assert state_of(desk, endpoint) == (EndpointState.PAUSED, "410 Gone")
    assert told(desk) == [(1, 0, "endpoint.paused", DeliveryState.PENDING)]


def test_several_settlements_that_pause_one_endpoint_are_told_once(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.endpoint("ep_ops", **TO_OPS)
    for key in ("K1", "K2", "K3"):
        desk.place(key, to=[endpoint])
    heads = desk.claim()
    lease = Lease(ME, at(60))

    def gone(*those: Any) -> list[Settlement]:
        return [
            Settlement(c, an_attempt(c, Outcome.GONE), Pause("410 Gone"), notice(endpoint))
            for c in those
        ]

    desk.run(desk.store.settle(gone(*heads[:2]), lease=lease, now=at(1)))
    desk.run(desk.store.settle(gone(heads[2]), lease=lease, now=at(2)))
    assert [row[0] for row in told(desk)] == [1]
    assert desk.run(desk.store.endpoint(ACCOUNT, "ep_a")).state_at == at(1)
    assert desk.states(endpoint, desk.place("K4")) == []


def test_news_of_an_endpoint_follow_each_other_in_its_lane(desk: Desk) -> None:
    endpoint, other = desk.endpoint(), desk.endpoint("ep_b")
    desk.endpoint("ep_ops", **TO_OPS)
    for number, kind in enumerate(
        (OperationalType.FAILING, OperationalType.RECOVERED, OperationalType.FAILING)
    ):
        beat(desk, endpoint, Judged(RECORD, [notice(endpoint, kind)]), now=number)
    beat(desk, other, Judged(RECORD, [notice(other)]), now=3)
    assert [row[:2] for row in told(desk)] == [(1, 0), (2, 1), (3, 2)]
    heads = desk.claim(now=at(3))
    assert sorted((c.order_id, c.sequence) for c in heads) == [("ops_a", 1), ("ops_b", 1)]
    following = desk.settle(*heads, now=at(4))
    assert [(c.order_id, c.sequence) for c in following] == [("ops_a", 2)]


def test_news_is_for_those_who_asked_for_it_but_for_whom_it_is_about(desk: Desk) -> None:
    endpoint = desk.endpoint(operational=Operational.ALSO)
    desk.endpoint("ep_ops", **TO_OPS)
    desk.endpoint("ep_also", operational=Operational.ALSO)
    desk.endpoint("ep_none")
    desk.endpoint("ep_else", operational=Operational.ONLY, contract="withings")
    beat(desk, endpoint, Judged(RECORD, [notice(endpoint)]))
    assert {c.endpoint.endpoint_id for c in desk.claim()} == {"ep_ops", "ep_also"}


def test_news_for_who_is_paused_is_parked(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.endpoint("ep_ops", state=EndpointState.PAUSED, **TO_OPS)
    beat(desk, endpoint, Judged(RECORD, [notice(endpoint)]))
    assert desk.claim(now=at(9)) == ()
    desk.run(
        desk.store.set_endpoint_state(
            ACCOUNT, "ep_ops", state=EndpointState.ACTIVE, why="", now=at(10)
        )
    )
    assert [c.order_id for c in desk.claim(now=at(10))] == [OPS]


@pytest.mark.parametrize("again", [EndpointState.PAUSED, EndpointState.ACTIVE])
def test_a_person_s_word_is_told_when_it_changes_something(
    desk: Desk, again: EndpointState
) -> None:
    endpoint = desk.endpoint()
    desk.endpoint("ep_ops", **TO_OPS)

    def say(state: EndpointState, why: str, *, now: float) -> Endpoint:
        changed: Endpoint = desk.run(
            desk.store.set_endpoint_state(
                ACCOUNT, "ep_a", state=state, why=why, now=at(now), notice=notice(endpoint)
            )
        )
        return changed

    assert say(EndpointState.ACTIVE, "", now=1).state_at is None
    assert told(desk) == []
    first = say(EndpointState.PAUSED, "one", now=2)
    assert (first.state_why, first.state_at) == ("one", at(2))
    second = say(again, "two", now=3)
    assert second.state_why == "two"
    assert second.state_at == (at(2) if again is EndpointState.PAUSED else at(3))
    assert len(told(desk)) == (1 if again is EndpointState.PAUSED else 2)


def test_resuming_clears_the_failures_of_the_record_and_nothing_else(desk: Desk) -> None:
    endpoint = desk.endpoint()
    beat(desk, endpoint, Judged(RECORD, pause="because"))
    desk.run(
        desk.store.set_endpoint_state(
            ACCOUNT, "ep_a", state=EndpointState.ACTIVE, why="", now=at(9)
        )
    )
    assert record(desk, endpoint) == msgspec.structs.replace(
        RECORD, failures=0, failing_since=None, failing=False
    )


def test_the_state_of_an_endpoint_that_is_not_there_cannot_be_changed(desk: Desk) -> None:
    with pytest.raises(UnknownRecord):
        desk.run(
            desk.store.set_endpoint_state(
                ACCOUNT, "ep_x", state=EndpointState.PAUSED, why="", now=NOW
            )
        )


def test_endpoints_are_counted_by_how_they_are_doing(desk: Desk, neighbor: Desk) -> None:
    assert desk.run(desk.store.conditions()) == dict.fromkeys(Condition, 0)
    well, ill, paused = (desk.endpoint(name) for name in ("ep_a", "ep_b", "ep_c"))
    neighbor.endpoint()
    for endpoint in (ill, paused):
        beat(desk, endpoint, Judged(RECORD))
    beat(desk, paused, Judged(RECORD, pause="because"))
    beat(desk, well, Judged(Health(failures=2)))
    assert desk.run(desk.store.paused_endpoints()) == {"ep_c"}
    assert desk.run(desk.store.conditions()) == {
        Condition.HEALTHY: 2,
        Condition.FAILING: 1,
        Condition.PAUSED: 1,
    }


def test_what_was_not_told_for_a_while_is_found(desk: Desk) -> None:
    records = {
        "ep_a": Health(),
        "ep_b": Health(abandoned=1, abandoned_told_at=at(100)),
        "ep_c": Health(abandoned=1, abandoned_told_at=at(50)),
        "ep_d": Health(abandoned=1),
    }
    for name, health in records.items():
        beat(desk, desk.endpoint(name), Judged(health))
    found = desk.run(desk.store.untold(before=at(60)))
    assert sorted(found) == [(ACCOUNT, "ep_c"), (ACCOUNT, "ep_d")]


def test_records_of_accounts_are_apart(desk: Desk, neighbor: Desk) -> None:
    mine, theirs = desk.endpoint(), neighbor.endpoint()
    neighbor.endpoint("ep_ops", **TO_OPS)
    beat(desk, mine, Judged(RECORD, [notice(mine)], "because"))
    assert record(neighbor, theirs) == Health()
    assert state_of(neighbor, theirs)[0] is EndpointState.ACTIVE
    assert told(neighbor) == []
    judged: list[str] = []

    def judge(endpoint: Endpoint, health: Health, _: Pulse) -> Judged:
        judged.append(endpoint.account_id)
        return Judged(health)

    desk.run(desk.store.beat([pulse(theirs), pulse(mine)], judge=judge, now=NOW))
    assert sorted(set(judged)) == sorted((mine.account_id, theirs.account_id))
