"""What whoever runs the hub can see of it: figures, log lines and health; never a secret."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from milepost import __version__
from milepost.api.app import ROUTES, create_app
from milepost.delivery.model import Reply
from milepost.errors import StoreError
from milepost.logs import set_up_logs
from milepost.settings import Settings
from tests.doors.desk import Desk, opened
from tests.doors.test_limits import look
from tests.doors.test_problems import failing

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text(encoding="utf-8")


def scrape(desk: Desk) -> dict[str, Metric]:
    answer = desk.get("/metrics", key="")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {one.name: one for one in text_string_to_metric_families(answer.body.decode())}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """The samples of a counter or gauge by the values of their labels."""
    return {tuple(s.labels.values()): s.value for s in family.samples}


def live(desk: Desk) -> None:
    """An order's life with something of everything."""
    desk.endpoint()
    desk.order()
    desk.update(state="shipped", source="test")
    desk.clock.forward(seconds=1)
    desk.update(state="verifying", source="test")
    desk.update("B-9", state="shipped", source="test")
    desk.get("/v1/orders/ord_nothing")
    desk.get("/nowhere/at/all")
    desk.send("BREW", "/v1/orders")
    desk.quiet()


def test_the_metrics_tell_what_was_taken_in_sent_and_answered(sending: Desk) -> None:
    live(sending)
    told = scrape(sending)
    assert values(told["milepost_orders"]) == {("created",): 1}
    assert values(told["milepost_updates"]) == {("applied",): 1, ("illegal",): 1, ("orphan",): 1}
    assert values(told["milepost_deliveries_queued"]) == {("standard",): 2}
    assert values(told["milepost_attempts"]) == {("standard", "acknowledged"): 2}
    assert values(told["milepost_deliveries_acknowledged"]) == {("standard",): 2}
    (build,) = told["milepost_build_info"].samples
    assert (build.value, build.labels["version"], build.labels["store"]) == (
        1,
        __version__,
        "sqlite",
    )
    assert values(told["milepost_http_refused"]) == {
        ("illegal-move",): 1,
        ("method-not-allowed",): 1,
        ("no-such-path",): 1,
        ("unknown-record",): 1,
    }
    requests = values(told["milepost_http_requests"])
    assert requests["POST", "/v1/updates", "409"] == 1
    assert requests["GET", "/v1/orders/{order_id}", "404"] == 1
    assert requests["", "", "404"] == 1
    assert requests["", "", "405"] == 1
    for name in ("receipt", "attempt"):
        samples = told[f"milepost_{name}_seconds"].samples
        assert [s.value for s in samples if s.name.endswith("_count")] == [2]
        buckets = [s.value for s in samples if s.name.endswith("_bucket")]
        assert buckets == sorted(buckets)
        assert buckets[-1] == 2
    assert values(told["milepost_http_requests_under_way"]) == {(): 1}
    assert told["milepost_store_commit_seconds"].samples


def test_the_metrics_tell_what_waits(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        paused = desk.endpoint()["endpoint"]["endpoint_id"]
        desk.endpoint("shipmonk", credentials={"username": "u", "password": "p"})
        desk.order("A")
        desk.post(f"/v1/endpoints/{paused}/pause")
        desk.clock.forward(seconds=90)
        desk.order("B")
        look(desk)
        told = scrape(desk)
        assert values(told["milepost_deliveries_pending"]) == {(): 4}
        assert values(told["milepost_lanes_waiting"]) == {("active",): 2, ("paused",): 2}
        assert values(told["milepost_oldest_pending_seconds"]) == {(): 90}
        assert values(told["milepost_oldest_due_seconds"]) == {(): 90}
        assert values(told["milepost_disk_free_bytes"])[()] > 0


def test_no_account_order_endpoint_or_address_is_in_the_metrics(sending: Desk) -> None:
    live(sending)
    text = sending.get("/metrics").body.decode()
    assert not re.search(r"acc_|ord_|ep_[a-z2-7]{10}|key_[0-9a-z]|https?://|nowhere|BREW|B-1", text)
    labels = set(re.findall(r'(\w+)="', text))
    assert labels <= {
        "contract", "endpoints", "health", "implementation", "kind", "le", "major", "method",
        "minor", "outcome",
        "patchlevel", "problem", "python", "route", "status", "store", "verdict", "version",
    }  # fmt: skip
    templates = {route.path for route in ROUTES} | {"", "/metrics", "/openapi.json"}
    assert set(re.findall(r'route="([^"]*)"', text)) <= templates


def test_the_page_on_operations_lists_every_figure_and_no_other(sending: Desk) -> None:
    live(sending)
    listed = re.findall(r"^\| `(milepost_\w+)` \| (\w+) \|", PAGE, re.MULTILINE)
    told = {
        name + ("_total" if family.type == "counter" else ""): family.type
        for name, family in scrape(sending).items()
        if name.startswith("milepost_")
    }
    assert dict(listed) == told
    assert len(listed) == len(told)


def test_the_limits_on_the_page_on_operations_are_those_of_the_code() -> None:
    listed = re.findall(r"\| `([A-Z_]+)` \| ([\d,]+) \|", PAGE)
    assert len(listed) >= 8
    for name, value in listed:
        assert getattr(Settings(), name.lower()) == int(value.replace(",", "")), name


def test_scraping_does_not_ask_the_database_more_often(
    sending: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    backlog = sending.hub.store.backlog

    async def counted(**given: Any) -> Any:
        looks.append(given)
        return await backlog(**given)

    monkeypatch.setattr(sending.hub.store, "backlog", counted)
    for _ in range(20):
        scrape(sending)
    assert len(looks) <= 2


def test_the_metrics_can_be_turned_off(tmp_path: Path) -> None:
    with opened(tmp_path, metrics=False) as desk:
        assert desk.get("/metrics").status == 404


def test_the_metrics_can_ask_for_a_token(tmp_path: Path) -> None:
    with opened(tmp_path, metrics_token="scrape-me") as desk:
        for header in ("", "scrape-me", "Bearer ", "Bearer scrape-m", f"Bearer {desk.key}"):
            assert desk.get("/metrics", headers={"authorization": header}).status == 401
        given = {"authorization": "Bearer scrape-me"}
        assert desk.get("/metrics", headers=given).status == 200
        assert "scrape-me" not in repr(desk.hub.settings)


# health


def test_readiness_is_refused_while_the_dispatcher_does_not_work(
    sending: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sending.get("/readyz").status == 200
    monkeypatch.setattr(sending.hub.dispatcher, "works", lambda **_given: False)
    answer = sending.get("/readyz")
    assert answer.status == 503
    assert answer.json["type"].endswith("not-dispatching")
    assert sending.get("/livez").status == 200


def test_readiness_is_refused_once_the_dispatcher_has_stopped(sending: Desk) -> None:
    sending.run(sending.hub.dispatcher.stop(within_s=1))
    assert sending.get("/readyz").status == 503


def test_a_hub_that_is_not_meant_to_send_is_ready_without(desk: Desk) -> None:
    assert desk.get("/readyz").status == 200


def test_liveness_asks_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.hub.store, "keys", failing(AssertionError("asked")))
    assert desk.get("/livez").status == 200


# the log


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Every line of the log so far, as `serve` would write them as JSON."""
    known = structlog.get_config()
    set_up_logs(level="debug", form="json")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.configure(**known)


def logging(desk: Desk) -> Desk:
    """The same desk, with a line for each request."""
    desk.app = create_app(desk.hub, clock=desk.clock.seconds, log_requests=True)
    return desk


def test_each_request_is_one_line_that_names_route_account_and_request(
    desk: Desk, lines: Any
) -> None:
    logging(desk)
    answer = desk.get("/v1/orders/ord_1?secret=hunter2")
    (line,) = lines()
    assert line.pop("ms") >= 0
    assert line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "info",
        "room": "api",
        "method": "GET",
        "route": "/v1/orders/{order_id}",
        "status": 422,
        "problem": "invalid-input",
        "account": desk.account_id,
        "request_id": answer.headers["x-request-id"],
    }


def test_a_path_that_is_not_there_is_logged_without_it(desk: Desk, lines: Any) -> None:
    logging(desk).send("X" * 5_000, "/hunter2")
    (line,) = lines()
    assert (line["route"], line["account"], line["status"]) == (None, None, 404)
    assert line["method"] == "X" * 16


def test_health_checks_are_logged_only_when_they_fail(
    desk: Desk, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging(desk)
    for target in ("/livez", "/readyz", "/metrics"):
        desk.get(target)
    assert lines() == []
    monkeypatch.setattr(desk.hub.store, "keys", failing(TimeoutError()))
    desk.get("/readyz")
    assert [(line["event"], line.get("status")) for line in lines()][-1] == ("request", 503)


def test_a_failed_attempt_is_logged_with_its_order_and_delivery(sending: Desk, lines: Any) -> None:
    sending.outside.answer = lambda _request: Reply(410)
    sending.endpoint()
    order_id = sending.order()
    sending.run(_until_attempted(sending))
    (line,) = [line for line in lines() if line["event"] == "attempt_failed"]
    assert line["order"] == order_id
    assert line["delivery"].startswith(f"{order_id}-1-ep_")
    assert (line["outcome"], line["next"]) == ("gone", "pause")


async def _until_attempted(desk: Desk) -> None:
    for _ in range(400):
        await asyncio.sleep(0.005)
        if desk.hub.metrics.attempts.counts():
            return
    raise AssertionError("nothing was sent within two seconds")


SECRETS = {
    "whsec_bWlsZXBvc3QtaGlkZGVuLXNlY3JldC0wMDE=",
    "hidden-user",
    "hidden-password",
    "hidden-signature-secret",
    "aGlkZGVuLXVzZXI6aGlkZGVuLXBhc3N3b3Jk",
}


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_ever_in_the_log(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    known = structlog.get_config()
    set_up_logs(level="debug", form=form)
    try:
        with opened(tmp_path, dispatch=True, slow_store_s=1e-9) as desk:
            _run_into_everything(logging(desk), monkeypatch)
            secrets = {*SECRETS, desk.key, desk.key.rpartition("_")[2]}
    finally:
        structlog.configure(**known)
    log = capsys.readouterr().err
    for event in ("request", "attempt_failed", "unexpected", "store failed", "slow_transaction"):
        assert event in log
    assert [secret for secret in secrets if secret in log] == []
    assert "[redacted]" in log


def _run_into_everything(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    whsec = next(secret for secret in SECRETS if secret.startswith("whsec_"))
    basic = {"username": "hidden-user", "password": "hidden-password"}
    desk.outside.answer = lambda _request: Reply(500, body=f"no {whsec}".encode())
    desk.endpoint(secret=whsec)
    desk.endpoint("shipmonk", credentials={**basic, "signature_secret": "hidden-signature-secret"})
    desk.order()
    desk.run(_until_attempted(desk))
    for body in ({"contract": "shipmonk", "credentials": {**basic, "odd": 1}}, {"secret": whsec}):
        assert desk.post("/v1/endpoints", body).status == 422
    desk.get(f"/v1/orders?key={desk.key}&secret={whsec}")
    desk.get(f"/v1/{desk.key}/{whsec}")
    desk.get("/v1/orders", key=desk.key + "x")
    desk.get("/v1/orders", headers={"authorization": "Basic aGlkZGVuLXVzZXI6aGlkZGVuLXBhc3N3b3Jk"})
    desk.get("/v1/orders", headers={"x-request-id": whsec})
    # An error of somebody else's that repeats what it was given.
    loud = (
        f"{whsec} and {desk.key}, postgresql://hidden-user:hidden-password@host/db,"
        " Basic aGlkZGVuLXVzZXI6aGlkZGVuLXBhc3N3b3Jk"
    )
    monkeypatch.setattr(desk.hub.insights, "order", failing(RuntimeError(loud)))
    assert desk.get("/v1/orders/ord_1").status == 500
    monkeypatch.setattr(desk.hub.insights, "order", failing(StoreError(loud)))
    assert desk.get("/v1/orders/ord_1").status == 503


def test_a_log_that_cannot_be_written_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    known = structlog.get_config()
    monkeypatch.setattr("sys.stderr", Full())
    set_up_logs(level="debug", form="json")
    replies = [Reply(500)]
    try:
        with opened(tmp_path, dispatch=True, slow_store_s=1e-9) as desk:
            desk.outside.answer = lambda _request: replies.pop() if replies else Reply(204)
            logging(desk).endpoint(concurrency=1)
            desk.order("A")
            desk.order("B")
            desk.run(_until_attempted(desk))
            desk.clock.forward(days=1)
            desk.quiet()
            assert len(desk.outside.requests) == 3
    finally:
        structlog.configure(**known)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///milepost.db", "sqlite:///milepost.db"),
        ("postgresql://me:p@ss@host/db", "postgresql://host/db"),
        ("postgresql://me@a:1,b:2/db", "postgresql://a:1,b:2/db"),
    ],
)
def test_the_database_is_shown_without_its_password(url: str, shown: str) -> None:
    settings = Settings(database_url=url)
    assert settings.shown_database_url == shown
    assert repr(settings) == f"Settings({shown})"


@pytest.mark.parametrize(
    ("level", "wanted", "logged"),
    [("info", True, True), ("debug", True, True), ("info", False, False), ("warning", True, False)],
)
def test_requests_are_logged_where_lines_of_their_level_are_written(
    level: str, wanted: bool, logged: bool
) -> None:
    assert Settings(log_level=level, log_requests=wanted).logs_requests is logged
