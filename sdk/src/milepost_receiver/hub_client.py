"""Asking the hub over HTTP: with a limit on time and size, patience, and a hidden key."""

from __future__ import annotations

import http.client
import ipaddress
import json
import math
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from milepost_receiver.answering import CHUNK_BYTES
from milepost_receiver.errors import (
    ConfigurationInvalid,
    ReplayMalformed,
    ReplayRefused,
    ReplayUnavailable,
)

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before each further try; an answer that says how long counts instead, up to the last one."""

OK = 200
BUSY = frozenset({408, 429, 500, 502, 503, 504})
REFUSED = frozenset({401, 403, 404})


class HubClient:
    """Reads JSON objects from one hub; redirects are not followed, certificates are verified.

    Raises ConfigurationInvalid for a URL that would show the key to the network.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        timeout: float = TIMEOUT_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        context: ssl.SSLContext | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (timeout > 0 and math.isfinite(timeout)):
            raise ConfigurationInvalid("timeout", expected="a positive number of seconds")
        if not (key and key.isascii() and key.isprintable() and " " not in key):
            raise ConfigurationInvalid("key", expected="an API key of the hub")
        self._host, self._port, self._path = _address(url)
        self._context = (context or ssl.create_default_context()) if _secure(url) else None
        self._key = key
        self._timeout = timeout
        self._max_answer_bytes = max_answer_bytes
        self._sleep = sleep
        self._clock = clock

    def __repr__(self) -> str:
        return f"HubClient({self._host})"

    def get(self, target: str) -> dict[str, Any]:
        """The object that is answered. Raises a ReplayFailed, after as many tries as may be."""
        waits = iter(WAITS_SECONDS)
        while True:
            try:
                status, content, asked = self._ask(target)
                trouble = f"not the status {status}"
            # What goes wrong in name resolution, TLS and HTTP; none of it is shown but its kind.
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, content, asked, trouble = 0, b"", None, f"not {type(error).__name__}"
            if status == OK:
                return _object(content)
            if status in REFUSED:
                raise ReplayRefused(expected=f"a key for this endpoint, not the status {status}")
            if status and status not in BUSY:
                raise ReplayMalformed(expected=f"the status {OK}, not {status}")
            wait = next(waits, None)
            if wait is None:
                raise ReplayUnavailable(expected=f"an answer, {trouble}")
            self._sleep(wait if asked is None else min(asked, WAITS_SECONDS[-1]))

    def _ask(self, target: str) -> tuple[int, bytes, float | None]:
        """Status, body, and the seconds after which to come back, if that is said."""
        until = self._clock() + self._timeout
        connection = self._connection()
        try:
            connection.request(
                "GET",
                self._path + target,
                headers={
                    "authorization": f"Bearer {self._key}",
                    "accept": "application/json",
                    "connection": "close",
                },
            )
            answer = connection.getresponse()
            after = answer.headers.get("retry-after", "")
            asked = float(after) if after.isascii() and after.isdigit() else None
            return answer.status, self._read(answer, until=until), asked
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout, context=self._context
        )

    def _read(self, answer: http.client.HTTPResponse, *, until: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(CHUNK_BYTES):
            size += len(part)
            if size > self._max_answer_bytes:
                raise ReplayMalformed(expected=f"at most {self._max_answer_bytes:,} bytes")
            # The connection's own limit is for each read, and reads can be many.
            if self._clock() > until:
                raise TimeoutError
            parts.append(part)
        if answer.length:
            raise http.client.IncompleteRead(b"")
        return b"".join(parts)


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ReplayMalformed(expected="one JSON object")
    return value


def _secure(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _address(url: str) -> tuple[str, int | None, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationInvalid("url", expected="a URL") from None
    plain = parts.scheme == "http" and _of_this_machine(host)
    if not host or not (plain or parts.scheme == "https") or parts.username or parts.query:
        expected = "https, or http to an address of this machine"
        raise ConfigurationInvalid("url", expected=expected)
    return host, port, parts.path.rstrip("/")


def _of_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
