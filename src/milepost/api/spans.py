"""A span around every request, where spans are asked for; else it is not even in the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from milepost.exchange import Receive, Scope, Send
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE
from milepost.traces.spans import Traces

UNTRACED = frozenset(("/livez", "/readyz", "/metrics"))
"""Paths that are asked every few seconds."""

_LONGEST_METHOD = 16


class Spans:
    """Tells of each request its route, its answer and its ids; never its path, query or body."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, traces: Traces
    ) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_see(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        traces, method = self._traces, scope["method"][:_LONGEST_METHOD]
        with traces.request(method, scope["headers"]) as span:
            try:
                await self._app(scope, receive, send_and_see)
            finally:
                traces.answered(
                    span,
                    method=method,
                    route=scope.get(ROUTE),
                    status=status,
                    problem=scope.get(PROBLEM),
                    told={
                        "milepost.request_id": scope.get(REQUEST_ID),
                        "milepost.account_id": scope.get(ACCOUNT),
                    },
                )
