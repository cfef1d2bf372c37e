"""Spans: one for a request at the door, one for an intake transaction, one for each attempt.

A request goes on with the trace that it came with. A transaction holds what many requests have
handed in: it is part of the only one's trace, or linked to each. An attempt, which may come hours
later and be one of many, has a trace of its own that is linked to the transaction, as far as this
process still knows of it, and which the receiver is told of.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from milepost import __version__
from milepost.delivery.model import Reply, Request
from milepost.logs import logger
from milepost.ports import Post

REMEMBERED = 10_000
"""Of how many events this process knows from which transaction they came."""

MOST_LINKS = 100
CLOSE_WITHIN_S = 2.0
"""How long the end of a process waits for spans to be taken."""

_ATTRIBUTES = {
    "webhook-id": "milepost.delivery_id",
    "milepost-order": "milepost.order_id",
    "milepost-sequence": "milepost.sequence",
    "milepost-attempt": "milepost.attempt",
    "milepost-replay": "milepost.replay",
}
"""Which of a notification's headers are told of its attempt, and how they are called there."""

_NUMBERS = frozenset(("milepost.sequence", "milepost.attempt", "milepost.replay"))
_FIRST_ERROR = 500
_REFUSED = 400

_propagator = TraceContextTextMapPropagator()


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


def _console() -> SpanExporter:
    # Standard output is for answers.
    return ConsoleSpanExporter(out=sys.stderr)


EXPORTERS: Mapping[str, Callable[[], SpanExporter]] = {"otlp": _otlp, "console": _console}


class _ToOurLog(logging.Handler):
    """What the library has to say, which is that nobody takes its spans, in our log's form."""

    def emit(self, record: logging.LogRecord) -> None:
        logger("traces").warning("traces_said", said=record.getMessage())


class Transaction:
    """An intake transaction's span."""

    def __init__(self, span: Span, *, remember: Callable[[str, int, SpanContext], None]) -> None:
        self._span = span
        self._remember = remember

    def queued(self, events: Iterable[tuple[str, int]]) -> None:
        """Attempts of these are linked to the transaction."""
        context = self._span.get_span_context()
        names = list(events)
        for order_id, sequence in names:
            self._remember(order_id, sequence, context)
        self._span.set_attribute("milepost.deliveries", len(names))


class Traces:
    """The spans of one process; used on its loop."""

    def __init__(self, exporter: SpanExporter, *, resource: Resource) -> None:
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("milepost", __version__)
        self._origins: dict[tuple[str, int], SpanContext] = {}

    @classmethod
    def opened(cls, exporter: str, *, environment: Mapping[str, str]) -> Traces:
        """To this exporter; what else the standard variables say the library reads itself.

        Raises ValueError for one that is not known.
        """
        make = EXPORTERS.get(exporter)
        if make is None:
            known = ", ".join((*EXPORTERS, "none"))
            raise ValueError(f"OTEL_TRACES_EXPORTER is {exporter}; known are {known}")
        said = logging.getLogger("opentelemetry")
        said.handlers, said.propagate = [_ToOurLog()], False
        named = {} if environment.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "milepost"}
        if SERVICE_NAME in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            named = {}
        return cls(make(), resource=Resource.create({**named, SERVICE_VERSION: __version__}))

    def close(self) -> None:
        """Sends what is left, for a moment."""
        # A thread of its own, because nothing ends an exporter that waits for its collector.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_WITHIN_S)

    # requests

    @contextmanager
    def request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Span]:
        """A request, as a part of the trace that it came with, if it came with one."""
        carried = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in (b"traceparent", b"tracestate")
        }
        context = _propagator.extract(carried, context=Context())
        span = self._tracer.start_span(method, context=context, kind=SpanKind.SERVER)
        span.set_attribute("http.request.method", method)
        token = attach(set_span_in_context(span, context))
        try:
            yield span
        finally:
            detach(token)
            span.end()

    @staticmethod
    def answered(
        span: Span,
        *,
        method: str,
        route: str | None,
        status: int,
        problem: str | None,
        told: Mapping[str, str | None],
    ) -> None:
        """Tells what came of a request; without a status the client had gone away."""
        if route is not None:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        if status:
            span.set_attribute("http.response.status_code", status)
        if problem is not None:
            span.set_attribute("error.type", problem)
        for name, value in told.items():
            if value is not None:
                span.set_attribute(name, value)
        if status >= _FIRST_ERROR:
            span.set_status(Status(StatusCode.ERROR))

    # intake

    def here(self) -> SpanContext:
        """The span of the request that is being answered."""
        return get_current_span().get_span_context()

    @contextmanager
    def transaction(self, origins: Sequence[object], *, items: int) -> Iterator[Transaction]:
        """A transaction, as a part of the only origin's trace or linked to each of them."""
        known = [o for o in origins if isinstance(o, SpanContext) and o.is_valid]
        context = Context()
        links: Sequence[Link] = ()
        if len(known) == 1 == len(origins):
            context = set_span_in_context(NonRecordingSpan(known[0]), context)
        else:
            links = [Link(origin) for origin in known[:MOST_LINKS]]
        span = self._tracer.start_span(
            "intake transaction",
            context=context,
            links=links,
            attributes={"milepost.requests": len(origins), "milepost.items": items},
        )
        try:
            yield Transaction(span, remember=self._remember)
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def _remember(self, order_id: str, sequence: int, context: SpanContext) -> None:
        origins = self._origins
        origins[order_id, sequence] = context
        if len(origins) > REMEMBERED:
            del origins[next(iter(origins))]

    # attempts

    def sending(self, post: Post) -> Post:
        """Posts with a span around each request, whose trace the receiver is told of."""

        def traced(request: Request, done: Callable[[Reply], None]) -> None:
            span = self._attempt(request)
            carrier: dict[str, str] = {}
            _propagator.inject(carrier, context=set_span_in_context(span, Context()))
            headers = (*request.headers, *carrier.items())

            def ended(reply: Reply) -> None:
                _tell(span, reply)
                done(reply)

            post(msgspec.structs.replace(request, headers=headers), ended)

        return traced

    def _attempt(self, request: Request) -> Span:
        headers = dict(request.headers)
        told: dict[str, str | int] = {"http.request.method": "POST"}
        for header, name in _ATTRIBUTES.items():
            if header in headers:
                told[name] = int(headers[header]) if name in _NUMBERS else headers[header]
        if host := urlsplit(request.url).hostname:
            told["server.address"] = host
        order_id, sequence = told.get("milepost.order_id"), told.get("milepost.sequence")
        origin = self._origins.get((str(order_id), int(sequence or 0)), INVALID_SPAN_CONTEXT)
        return self._tracer.start_span(
            "attempt",
            context=Context(),
            kind=SpanKind.CLIENT,
            links=[Link(origin)] if origin.is_valid else (),
            attributes=told,
        )


def _tell(span: Span, reply: Reply) -> None:
    """What came back; a failure's detail may name addresses and is in the log."""
    if reply.status:
        span.set_attribute("http.response.status_code", reply.status)
    if reply.failure is not None:
        span.set_attribute("error.type", reply.failure.value)
    if reply.failure is not None or reply.status >= _REFUSED:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
