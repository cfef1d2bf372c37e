"""Spans of what comes in and of what is sent, and what keeps them from being made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from milepost.delivery.model import Body, Failure, Reply, Request
from milepost.intake import OrderInput
from milepost.orders.model import OrderContent
from milepost.ports import Account
from milepost.settings import Settings
from milepost.traces import open_traces, wanted_exporter
from milepost.traces import spans as spans_module
from milepost.traces.spans import Traces
from milepost.wiring import Hub, build
from tests.flows.house import ACCOUNT, START, Clock, House, Outside

TO = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


class Kept(SpanExporter):
    """Keeps every span."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def traces(kept: Kept) -> Traces:
    return Traces(kept, resource=Resource.create())


def named(kept: Kept, name: str) -> list[ReadableSpan]:
    return [span for span in kept.spans if span.name == name]


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def traced_house(folder: Path, traces: Traces) -> tuple[Hub, House]:
    outside = Outside()
    settings = Settings(database_url=f"sqlite:///{folder / 'test.db'}", poll_s=0.02)
    clock = Clock()
    hub = build(settings, traces=traces, post=outside.post, clock=clock)
    await hub.open(dispatch=True)
    await hub.store.add_account(Account(ACCOUNT, "test", START))
    await hub.store.put_store(ACCOUNT, "main", name="Main", number=None, now=START)
    return hub, House(hub, outside, clock)


def test_a_transaction_is_linked_to_every_request_that_it_holds(
    tmp_path: Path, traces: Traces, kept: Kept
) -> None:
    async def tell() -> None:
        hub, at_home = await traced_house(tmp_path, traces)
        await at_home.endpoint()

        async def request(key: str) -> None:
            with traces.request("POST", ()):
                wanted = OrderInput("main", key, OrderContent())
                await hub.intake.orders(ACCOUNT, [wanted])

        await asyncio.gather(*(request(f"K{n}") for n in range(4)))
        await at_home.quiet()
        await hub.close()

    asyncio.run(tell())
    requests = {span.context.span_id for span in named(kept, "POST") if span.context}
    transactions = named(kept, "intake transaction")
    linked = {link.context.span_id for span in transactions for link in span.links} | {
        span.parent.span_id for span in transactions if span.parent
    }
    assert linked == requests
    assert len(requests) == 4
    assert sum(told(span)["milepost.items"] for span in transactions) == 4
    attempts = named(kept, "attempt")
    ids = {span.context.span_id for span in transactions if span.context}
    assert len(attempts) == 4
    assert {link.context.span_id for span in attempts for link in span.links} <= ids
    assert {told(span)["server.address"] for span in attempts} == {"receiver.example"}
    assert {told(span)["milepost.attempt"] for span in attempts} == {1}


def test_what_fails_is_an_error_that_says_how_and_nothing_more(
    tmp_path: Path, traces: Traces, kept: Kept
) -> None:
    async def tell() -> None:
        hub, at_home = await traced_house(tmp_path, traces)
        await at_home.endpoint()
        replies = iter([Reply(0, failure=Failure.TIMEOUT, detail="10.0.0.1"), Reply(503)])
        at_home.outside.answer = lambda _request: next(replies, Reply(204))
        await at_home.order("K1")
        for _ in range(60):
            await asyncio.sleep(0.02)
            at_home.clock.forward(hours=1)
            if len(at_home.outside.requests) == 3:
                break
        await at_home.quiet()
        await hub.close()

    asyncio.run(tell())
    first, second, third = named(kept, "attempt")
    assert [s.status.status_code for s in (first, second, third)] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    assert told(first)["error.type"] == "timeout"
    assert told(second)["http.response.status_code"] == 503
    assert [told(s)["milepost.attempt"] for s in (first, second, third)] == [1, 2, 3]
    assert "10.0.0.1" not in str([told(s) for s in kept.spans])


def test_a_transaction_that_fails_is_an_error(traces: Traces, kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError), traces.transaction([], items=1):
        raise ZeroDivisionError
    traces.close()
    (span,) = kept.spans
    assert (span.status.status_code, told(span)["error.type"]) == (
        StatusCode.ERROR,
        "ZeroDivisionError",
    )


def test_only_so_many_events_are_remembered(
    traces: Traces, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans_module, "REMEMBERED", 2)
    with traces.transaction([], items=3) as transaction:
        transaction.queued((f"ord_{n}", 1) for n in range(3))
    requests: list[Request] = []

    def post(request: Request, done: Callable[[Reply], None]) -> None:
        requests.append(request)
        done(Reply(204))

    for n in range(3):
        headers = (("milepost-order", f"ord_{n}"), ("milepost-sequence", "1"))
        request = Request("https://receiver.example/x", headers, b"", 1.0)
        traces.sending(post)(request, lambda _reply: None)
    traces.close()
    assert [len(span.links) for span in named(kept, "attempt")] == [0, 1, 1]
    assert all(dict(request.headers)["traceparent"] for request in requests)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        (TO, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({**TO, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({**TO, "OTEL_SDK_DISABLED": "TRUE"}, None),
    ],
)
def test_the_standard_variables_say_whether_there_are_spans(
    environment: dict[str, str], wanted: str | None
) -> None:
    assert wanted_exporter(environment) == wanted


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({**TO, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc; only http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin; known are otlp, console, none"),
    ],
)
def test_what_stands_in_the_way_of_spans_is_told_and_stops_nothing(
    environment: dict[str, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert open_traces(environment) is None
    # Where it goes depends on whether the log was set up before.
    said = capsys.readouterr()
    assert why in said.out + said.err


def test_a_collector_that_is_away_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "CLOSE_WITHIN_S", 0.2)
    traces = open_traces({**TO, "OTEL_SERVICE_NAME": "shop"})
    assert traces is not None
    with traces.request("POST", ()):
        assert traces.here()
    traces.close()
    assert not logging.getLogger("opentelemetry").propagate


def test_a_body_is_sent_as_it_was(traces: Traces) -> None:
    sent: list[Request] = []
    body = Body(b"\x00exact")
    request = Request("https://receiver.example/x", (("webhook-id", "a"),), body.content, 1.0)
    traces.sending(lambda request, _done: sent.append(request))(request, lambda _reply: None)
    (one,) = sent
    assert (one.body, one.url, one.headers[0]) == (body.content, request.url, request.headers[0])
