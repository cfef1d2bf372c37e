"""A real hub sends its spans to a real collector, and goes on without one."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.hub import Hub

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Inbox:
    """A server on this machine that takes whatever is posted to it."""

    def __init__(self) -> None:
        taken: list[tuple[str, dict[str, str], bytes]] = []
        self.taken = taken

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                taken.append((self.path, headers, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


def spans_in(inbox: Inbox) -> list[dict[str, Any]]:
    """Every span that has come, with its attributes by name."""
    found = []
    for path, _, body in list(inbox.taken):
        if path != "/v1/traces":
            continue
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                found += [
                    {
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                        "service": service["service.name"],
                        **{
                            a.key: a.value.string_value or a.value.int_value
                            for a in span.attributes
                        },
                    }
                    for span in scope.spans
                ]
    return found


def until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about within ten seconds")


@pytest.mark.processes
def test_a_collector_gets_the_request_the_transaction_and_the_attempt(
    tmp_path: Path, inbox: Inbox
) -> None:
    hub = Hub(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=inbox.url, OTEL_BSP_SCHEDULE_DELAY="50")
    try:
        hub.call("POST", "/v1/endpoints", {"contract": "standard", "url": f"{inbox.url}/hook"})
        headers = {
            "authorization": f"Bearer {hub.key}",
            "content-type": "application/json",
            "traceparent": f"00-{TRACE}-{PARENT}-01",
            "x-request-id": "from-the-shop",
        }
        with closing(http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)) as connection:
            body = json.dumps({"store": "main", "order_key": "1001"})
            connection.request("POST", "/v1/orders", body, headers)
            order_id = json.loads(connection.getresponse().read())["order_id"]
        until(lambda: any(span["name"] == "attempt" for span in spans_in(inbox)))
        until(lambda: len([s for s in spans_in(inbox) if s["trace"] == TRACE]) == 2)
    finally:
        hub.stop()
    spans = spans_in(inbox)
    assert {span["service"] for span in spans} == {"milepost"}
    (request,) = [s for s in spans if s["name"] == "POST /v1/orders"]
    assert (request["trace"], request["parent"]) == (TRACE, PARENT)
    assert request["http.response.status_code"] == 201
    assert request["milepost.request_id"] == "from-the-shop"
    assert request["milepost.account_id"] == hub.account_id
    (transaction,) = [s for s in spans if s["name"] == "intake transaction"]
    assert (transaction["trace"], transaction["parent"]) == (TRACE, request["id"])
    assert (transaction["milepost.items"], transaction["milepost.deliveries"]) == (1, 1)
    (attempt,) = [s for s in spans if s["name"] == "attempt"]
    assert attempt["links"] == [(TRACE, transaction["id"])]
    assert attempt["milepost.order_id"] == order_id
    assert (attempt["milepost.attempt"], attempt["http.response.status_code"]) == (1, 200)
    (notified,) = [told for path, told, _ in inbox.taken if path == "/hook"]
    assert notified["traceparent"].startswith(f"00-{attempt['trace']}-{attempt['id']}-")
    assert notified["webhook-id"] == attempt["milepost.delivery_id"]
    assert "readyz" not in str(spans)
    assert hub.key not in str(spans)


@pytest.mark.processes
def test_nothing_of_it_is_loaded_where_nobody_asks_for_spans() -> None:
    program = (
        "import sys, milepost.api.app, milepost.cli.serve\n"
        "from milepost.settings import Settings\n"
        "from milepost.traces import open_traces\n"
        "from milepost.wiring import build\n"
        "hub = build(Settings(), traces=open_traces({}))\n"
        "milepost.api.app.create_app(hub)\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])\n"
        "print([m for m in sys.modules if m.startswith('milepost.traces.')])\n"
        "print([m for m in sys.modules if m.startswith('milepost.api.spans')])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["[]", "[]", "[]"]
