"""A carrier source over HTTP with JSON, all of it described by its configuration."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from milepost.delivery.model import Reply, Request
from milepost.delivery.retry import read_retry_after
from milepost.net.carriers.pointer import found_at, steps_of, text_at
from milepost.net.carriers.shape import HttpConfig, filled, zone_of
from milepost.orders.lifecycle import State
from milepost.orders.model import EARLIEST_YEAR, LATEST_YEAR, Parcel
from milepost.orders.tracking import Scan
from milepost.ports.tracking import Failed, Told

Fetch = Callable[[Request], Awaitable[Reply]]
"""Sends a request and gives the reply, always, within its time and size limits."""

Path = tuple[tuple[str, ...], ...]
"""Several pointers whose texts are read as one."""

MOST_SCANS = 500
"""Of one answer so many scans are read, the first that it tells."""

LONGEST_WORD, LONGEST_SERVICE, LONGEST_ID = 200, 255, 200
_LOOKS_LATER = frozenset((429, 503))
_NEEDS_SOMEBODY = frozenset((401, 402, 403))
_SPACE = re.compile(r"\s+")


class Words:
    """A carrier's words and what they mean, whatever their case and white space."""

    def __init__(self, statuses: Mapping[str, State]) -> None:
        self._states = {_folded(word): state for word, state in statuses.items()}

    def meaning(self, word: str) -> State | None:
        """The state that a word stands for; None for one that is not known."""
        return self._states.get(_folded(word))


def _folded(word: str) -> str:
    return _SPACE.sub(" ", word).strip().casefold()


class HttpCarrier:
    """Asks one HTTP interface; what comes back is trusted in nothing."""

    def __init__(
        self, config: HttpConfig, *, secrets: Mapping[str, str], fetch: Fetch, user_agent: str
    ) -> None:
        """`secrets` are the texts themselves, by their names."""
        self.at_once = config.at_once
        self.per_minute = config.per_minute
        self._words = Words(config.statuses)
        self._config = config
        self._secrets = secrets
        self._fetch = fetch
        self._user_agent = user_agent
        self._zone = zone_of(config.time_zone)
        self._scans = steps_of(config.scans)
        self._status = _path(config.status)
        self._time = _path(config.time)
        self._scan_id = None if config.scan_id is None else _path(config.scan_id)
        self._service = None if config.carrier_service is None else steps_of(config.carrier_service)

    def meaning(self, word: str) -> State | None:
        return self._words.meaning(word)

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:
        reply = await self._fetch(self._request(parcel))
        if reply.failure is not None:
            return Failed(f"{reply.failure}: {self._safe(reply.detail)}")
        if reply.status in self._config.not_known:
            return Told()
        if not 200 <= reply.status < 300:
            return _refused(reply, now=now)
        return self._read(reply.body)

    def _request(self, parcel: Parcel) -> Request:
        facts = {
            "tracking_number": parcel.tracking_number or "",
            "carrier": parcel.carrier or "",
        }
        in_url = {name: quote(text, safe="") for name, text in facts.items()}
        secret_in_url = {name: quote(text, safe="") for name, text in self._secrets.items()}
        in_json = {name: _inside_json(text) for name, text in facts.items()}
        config = self._config
        headers = {"accept": "application/json", "user-agent": self._user_agent}
        if config.body:
            headers["content-type"] = "application/json"
        for name, value in config.headers.items():
            headers[name.lower()] = filled(value, in_url, self._secrets)
        return Request(
            url=filled(config.url, in_url, secret_in_url),
            headers=tuple(headers.items()),
            body=filled(config.body, in_json, self._secrets).encode(),
            timeout_s=config.timeout_s,
            method=config.method,
        )

    def _safe(self, text: str) -> str:
        """The text without any of the secrets, should one have come along."""
        for secret in self._secrets.values():
            if secret:
                text = text.replace(secret, "[redacted]")
        return text

    # the answer

    def _read(self, body: bytes) -> Told | Failed:
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Failed("the answer is not JSON")
        service = None if self._service is None else text_at(answer, self._service)
        scans: list[Scan] = []
        unread = 0
        unknown: dict[str, None] = {}
        for said in self._listed(answer):
            scan = self._scan(said, service=service)
            if scan is None:
                unread += 1
            else:
                scans.append(scan)
                if scan.state is None:
                    unknown[scan.raw] = None
        return Told(tuple(scans), _trouble(unread, unknown))

    def _listed(self, answer: Any) -> Iterator[Any]:
        count = 0
        for found in found_at(answer, self._scans):
            for said in found if isinstance(found, list) else (found,):
                if count == MOST_SCANS:
                    return
                count += 1
                yield said

    def _scan(self, said: Any, *, service: str | None) -> Scan | None:
        word, told_at = _joined(said, self._status), _joined(said, self._time)
        at = None if told_at is None else self._moment(told_at)
        if word is None or at is None:
            return None
        scan_id = None if self._scan_id is None else _joined(said, self._scan_id)
        return Scan(
            at,
            self.meaning(word),
            raw=word[:LONGEST_WORD],
            scan_id=scan_id and scan_id[:LONGEST_ID],
            carrier_service=service and service[:LONGEST_SERVICE],
        )

    def _moment(self, text: str) -> datetime | None:
        try:
            at = _read_time(text, form=self._config.time_form)
            at = (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return at if EARLIEST_YEAR <= at.year < LATEST_YEAR else None


def _read_time(text: str, *, form: str) -> datetime:
    match form:
        case "iso":
            return datetime.fromisoformat(text)
        case "unix":
            return datetime.fromtimestamp(float(text), UTC)
        case "unix_ms":
            return datetime.fromtimestamp(float(text) / 1_000, UTC)
        case _:
            # The form may say an offset or not: whoever calls looks after it.
            return datetime.strptime(text, form)  # noqa: DTZ007


def _path(given: str | tuple[str, ...]) -> Path:
    return tuple(steps_of(one) for one in ((given,) if isinstance(given, str) else given))


def _joined(said: Any, path: Path) -> str | None:
    parts = [text_at(said, steps) for steps in path]
    told = [part for part in parts if part]
    return " ".join(told) if told else None


def _inside_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _refused(reply: Reply, *, now: datetime) -> Failed:
    wait = read_retry_after(reply.header("retry-after"), now=now)
    if wait is not None and wait < timedelta(0):
        wait = None
    general = (
        reply.status in _LOOKS_LATER | _NEEDS_SOMEBODY
        or reply.status >= 500
        or 300 <= reply.status < 400
    )
    return Failed(f"HTTP {reply.status}", wait=wait, is_general=general)


def _trouble(unread: int, unknown: Mapping[str, None]) -> str:
    parts = []
    if unread:
        parts.append(f"{unread} of its scans had no status or no time that could be read")
    if unknown:
        listed = ", ".join(f"“{_SPACE.sub(' ', word)[:50]}”" for word in list(unknown)[:5])
        parts.append(f"no meaning is known of {listed}")
    return "; ".join(parts)
