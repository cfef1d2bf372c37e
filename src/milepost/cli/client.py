"""A small client of the native interface, on the standard library alone."""

from __future__ import annotations

import http.client
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from milepost.cli.exits import Unreachable
from milepost.errors import MilepostError

TIMEOUT_S = 15.0
IDLE_S = 2.0
"""After so long a pause a new connection is made: the hub may have closed the old one."""


class RequestRefused(MilepostError):
    """The hub refused the request."""

    def __init__(self, *, status: int, problem: dict[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or "no reason was given"
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.problem = problem


class Client:
    """One kept-alive connection to a hub, for one account; used by one thread."""

    def __init__(self, url: str, *, api_key: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT_S
        )
        self._used_at = 0.0
        self._headers = {
            "authorization": f"Bearer {api_key}",
            "content-type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """What the hub answers, decoded. Raises RequestRefused and Unreachable."""
        return self._request("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        """The same for what changes something."""
        return self._request("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        """The same for what may be said twice."""
        return self._request("PUT", path, body)

    def every(self, path: str, *, name: str) -> list[Any]:
        """All items of a list, page by page."""
        joint = "&" if "?" in path else "?"
        page = self.get(path)
        found: list[Any] = page[name]
        while page["next"] is not None:
            page = self.get(f"{path}{joint}after={page['next']}")
            found += page[name]
        return found

    def _request(self, method: str, path: str, body: object) -> Any:
        content = None if body is None else json.dumps(body).encode()
        if time.monotonic() - self._used_at > IDLE_S:
            self._connection.close()
        try:
            self._connection.request(method, path, content, self._headers)
            reply = self._connection.getresponse()
            raw = reply.read()
            self._used_at = time.monotonic()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(f"{method} {path}: {error}") from None
        try:
            answer = json.loads(raw) if raw else None
        except ValueError:
            answer = None
        if reply.status >= 400:
            problem = answer if isinstance(answer, dict) else {}
            raise RequestRefused(status=reply.status, problem=problem)
        return answer
