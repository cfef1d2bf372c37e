"""What a reply means and what is done next: every outcome leads to one step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.model import Failure, Outcome, Reply
from milepost.delivery.outcome import Abandon, Acknowledge, Pause, Retry, next_step, outcome_of
from milepost.delivery.retry import Schedule

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEDULE = Schedule(name="s", title="", source="a test", waits_s=(30, 60))


def any_2xx(status: int) -> bool:
    return 200 <= status < 300


def below_400(status: int) -> bool:
    return 200 <= status < 400


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACKNOWLEDGED),
        (204, Outcome.ACKNOWLEDGED),
        (299, Outcome.ACKNOWLEDGED),
        (301, Outcome.REDIRECTED),
        (308, Outcome.REDIRECTED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (410, Outcome.GONE),
        (429, Outcome.THROTTLED),
        (499, Outcome.REFUSED),
        (500, Outcome.SERVER_ERROR),
        (503, Outcome.SERVER_ERROR),
        (599, Outcome.SERVER_ERROR),
        (100, Outcome.REFUSED),
        (0, Outcome.REFUSED),
        (999, Outcome.SERVER_ERROR),
    ],
)
def test_a_status_means(status: int, outcome: Outcome) -> None:
    assert outcome_of(Reply(status), received=any_2xx) is outcome


@pytest.mark.parametrize("status", [302, 399])
def test_the_contract_decides_what_counts_as_received(status: int) -> None:
    assert outcome_of(Reply(status), received=below_400) is Outcome.ACKNOWLEDGED
    assert outcome_of(Reply(status), received=any_2xx) is Outcome.REDIRECTED


@pytest.mark.parametrize("failure", Failure)
def test_a_failed_exchange_has_the_outcome_of_its_failure(failure: Failure) -> None:
    assert outcome_of(Reply(0, failure=failure), received=any_2xx) == Outcome(failure.value)


@pytest.mark.parametrize("failure", [f for f in Failure if f is not Failure.OVERSIZED])
def test_a_status_does_not_help_an_exchange_that_failed(failure: Failure) -> None:
    assert outcome_of(Reply(200, failure=failure), received=any_2xx) == Outcome(failure.value)


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, Outcome.ACKNOWLEDGED), (500, Outcome.SERVER_ERROR)]
)
def test_of_a_reply_that_was_too_large_the_status_decides(status: int, outcome: Outcome) -> None:
    assert outcome_of(Reply(status, failure=Failure.OVERSIZED), received=any_2xx) is outcome


@given(st.integers(-1, 1_000), st.none() | st.sampled_from(Failure), st.booleans())
def test_every_reply_has_an_outcome(status: int, failure: Failure | None, kind: bool) -> None:
    rule: Callable[[int], bool] = any_2xx if kind else below_400
    outcome = outcome_of(Reply(status, failure=failure), received=rule)
    assert outcome in Outcome
    if outcome is Outcome.ACKNOWLEDGED:
        assert rule(status)
        assert failure in (None, Failure.OVERSIZED)


def step(outcome: Outcome, *, tries: int = 1, retry_after: str | None = None) -> object:
    return next_step(
        outcome, schedule=SCHEDULE, tries=tries, now=NOW, chance=0.0, retry_after=retry_after
    )


def test_what_was_acknowledged_is_done() -> None:
    assert step(Outcome.ACKNOWLEDGED) == Acknowledge()
    assert step(Outcome.ACKNOWLEDGED, tries=99) == Acknowledge()


def test_a_receiver_that_is_gone_is_asked_no_more() -> None:
    paused = step(Outcome.GONE)
    assert isinstance(paused, Pause)
    assert "410" in paused.why


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in (Outcome.ACKNOWLEDGED, Outcome.GONE)]
)
def test_everything_else_is_tried_again_until_the_schedule_ends(outcome: Outcome) -> None:
    assert step(outcome) == Retry(NOW + timedelta(seconds=30))
    assert step(outcome, tries=2) == Retry(NOW + timedelta(seconds=60))
    assert step(outcome, tries=3) == Abandon()


def test_a_receiver_may_ask_for_a_longer_wait() -> None:
    assert step(Outcome.THROTTLED, retry_after="300") == Retry(NOW + timedelta(minutes=5))
    assert step(Outcome.SERVER_ERROR, retry_after="1") == Retry(NOW + timedelta(seconds=30))
