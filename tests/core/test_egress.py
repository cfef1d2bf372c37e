"""The list of networks that are sent from, over time, and the record that tells of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.egress import (
    NOTICE,
    STRING_BYTES,
    Action,
    EgressChange,
    beginning_of,
    check_change,
    earliest_day,
    in_use,
    network_of,
    record_text,
    strings_of,
    to_announce,
    to_come,
    zone_line,
)
from milepost.errors import InvalidInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "192.0.2.0/24", "198.51.100.0/24"


def day(number: int) -> datetime:
    """The beginning of the day so many days after today."""
    return beginning_of(NOW.date() + timedelta(days=number))


def change(network: str, number: int, action: Action = Action.ADD, **given: object) -> EgressChange:
    told = {"change_id": f"{network} {number}", "network": network, "action": action}
    when = {"effective_at": day(number), "planned_at": min(NOW, day(number)), **given}
    return EgressChange(**told, **when)  # type: ignore[arg-type]


def texts(networks: object) -> list[str]:
    return [str(network) for network in networks]  # type: ignore[attr-defined]


MOVE = (change(OLD, -100), change(NEW, 10), change(OLD, 20, Action.REMOVE))


@pytest.mark.parametrize(
    ("number", "used", "announced"),
    [
        (-101, [], [OLD, NEW]),
        (-100, [OLD], [OLD, NEW]),
        (0, [OLD], [OLD, NEW]),
        (10, [OLD, NEW], [OLD, NEW]),
        (19, [OLD, NEW], [OLD, NEW]),
        (20, [NEW], [NEW]),
    ],
)
def test_a_network_is_announced_from_when_it_is_planned_until_it_is_no_longer_used(
    number: int, used: list[str], announced: list[str]
) -> None:
    assert texts(in_use(MOVE, at=day(number))) == used
    assert texts(to_announce(MOVE, at=day(number))) == announced


def test_a_cancelled_change_does_not_count() -> None:
    cancelled = msgspec.structs.replace(MOVE[1], cancelled_at=NOW)
    changes = (MOVE[0], cancelled, MOVE[2])
    assert texts(to_announce(changes, at=NOW)) == [OLD]
    assert to_come(changes, at=NOW) == (MOVE[2],)


def test_changes_to_come_are_told_with_the_next_one_first() -> None:
    assert to_come(tuple(reversed(MOVE)), at=NOW) == MOVE[1:]
    assert to_come(MOVE, at=day(10)) == MOVE[2:]


def test_a_week_ahead_is_the_first_midnight_that_is_a_week_away() -> None:
    assert timedelta(days=7) == NOTICE
    assert earliest_day(NOW) == date(2026, 3, 9)
    assert earliest_day(datetime(2026, 3, 1, tzinfo=UTC)) == date(2026, 3, 8)


@pytest.mark.parametrize("action", Action)
def test_a_change_in_under_a_week_is_refused_unless_it_is_forced(action: Action) -> None:
    network = NEW if action is Action.ADD else OLD
    before = MOVE[:1]
    for number in (-1, 0, 1, 7):
        soon = change(network, number, action)
        with pytest.raises(InvalidInput, match="2026-03-09 or later") as refused:
            check_change(soon, before, now=NOW)
        assert refused.value.field == "on"
        check_change(msgspec.structs.replace(soon, forced=True), before, now=NOW)
    check_change(change(network, 8, action), before, now=NOW)


@pytest.mark.parametrize(
    "useless",
    [
        change(OLD, 30),
        change(NEW, 9, Action.REMOVE),
        change(OLD, 15, Action.REMOVE),
        change(NEW, 8),
        change("203.0.113.0/24", 30, Action.REMOVE),
    ],
    ids=lambda c: c.change_id,
)
def test_a_change_that_changes_nothing_is_refused(useless: EgressChange) -> None:
    changes = MOVE if useless.network != OLD or useless.action is Action.REMOVE else MOVE[:2]
    with pytest.raises(InvalidInput) as refused:
        check_change(useless, changes, now=NOW)
    assert refused.value.field == "network"


def test_a_network_can_come_back_after_it_was_removed() -> None:
    check_change(change(OLD, 30), MOVE, now=NOW)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("2001:DB8::/48", "2001:db8::/48"),
        ("2001:db8::1", "2001:db8::1/128"),
    ],
)
def test_a_network_is_read_in_its_usual_forms(text: str, network: str) -> None:
    assert str(network_of(text)) == network


@pytest.mark.parametrize("text", ["", "192.0.2.1/24", "example.com", "192.0.2.0/33", "10/8 "])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="network"):
        network_of(text)


# --- the record -----------------------------------------------------------------------------------


def test_the_record_names_networks_by_their_version_and_single_addresses_plainly() -> None:
    networks = [
        ip_network(n) for n in ("192.0.2.0/24", "192.0.2.7", "2001:db8::/48", "2001:db8::1")
    ]
    text = record_text(networks)
    assert text == ("v=milepost1 ip4:192.0.2.0/24 ip4:192.0.2.7 ip6:2001:db8::/48 ip6:2001:db8::1")
    assert strings_of(text) == (text,)
    assert zone_line("_m.example.com.", (text,)) == f'_m.example.com. 3600 IN TXT "{text}"'
    assert record_text([]) == "v=milepost1"


def test_a_long_record_is_one_record_of_strings_that_are_read_as_one() -> None:
    text = record_text([ip_network(f"10.{n}.0.0/16") for n in range(200)])
    strings = strings_of(text)
    assert len(strings) > 10
    assert "".join(strings) == text
    assert all(len(part.encode()) <= STRING_BYTES for part in strings)
    assert zone_line("x", strings).count('"') == 2 * len(strings)


@given(st.lists(st.integers(0, 2**24 - 1), max_size=100))
def test_however_many_networks_there_are_the_strings_are_short_enough_and_whole(
    numbers: list[int],
) -> None:
    text = record_text([ip_network((n << 8, 24)) for n in numbers])
    strings = strings_of(text)
    assert "".join(strings) == text
    assert all(0 < len(part.encode()) <= STRING_BYTES for part in strings)


@given(
    st.lists(st.tuples(st.sampled_from(Action), st.integers(0, 3), st.integers(8, 60)), max_size=12)
)
def test_receivers_that_followed_the_record_of_a_week_ago_refuse_nothing_that_is_sent(
    wanted: list[tuple[Action, int, int]],
) -> None:
    changes: list[EgressChange] = [change("10.9.0.0/16", -50)]
    for action, network, number in wanted:
        planned = change(f"10.{network}.0.0/16", number, action)
        try:
            check_change(planned, changes, now=NOW)
        except InvalidInput:
            continue
        changes.append(planned)
    for number in range(70):
        sent_from = in_use(changes, at=day(number) + timedelta(hours=12))
        record = to_announce(changes, at=max(NOW, day(number) + timedelta(hours=12) - NOTICE))
        assert set(sent_from) <= set(record)
