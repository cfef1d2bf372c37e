"""The world: tells the hubs what happens, over links that lose and repeat, until it was heard."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any

from benchmarks.week.lives import Happening, Life, moment, order_body
from benchmarks.week.stage import CARRIER, Stage

AT_ONCE = 8
AGAIN_S = 0.02
GIVE_UP_S = 60.0


class World:
    """Lives its lives hour by hour; whoever does not answer is told again."""

    def __init__(self, stage: Stage, lives: Sequence[Life], *, start: datetime) -> None:
        self._stage = stage
        self._start = start
        self._waiting = {life.order_key: list(life.happenings) for life in lives}
        self._lives = {life.order_key: life for life in lives}
        self._told: dict[str, set[str]] = {"provider": set(), "merchant": set()}
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self.verdicts: Counter[str] = Counter()

    def close(self) -> None:
        self._pool.shutdown()

    @property
    def over(self) -> bool:
        """Whether all that happens was told."""
        return not any(self._waiting.values())

    def tick(self, until_h: float) -> None:
        """Tells what has happened by this hour; of each order one thing at most."""
        for hub in ("provider", "merchant"):
            self._tell_orders(hub, until_h)
        due = [
            (life, self._waiting[life.order_key].pop(0))
            for life in self._lives.values()
            if self._waiting[life.order_key]
            and self._waiting[life.order_key][0].at_h <= until_h
            and life.order_key in self._told["provider"]
        ]
        for verdict in self._pool.map(lambda told: self._tell(*told), due):
            self.verdicts[verdict] += 1

    def _tell_orders(self, hub: str, until_h: float) -> None:
        new = [
            life
            for life in self._lives.values()
            if life.order_key not in self._told[hub]
            and (life.ordered_h if hub == "provider" else life.known_to_merchant_h) <= until_h
        ]
        if new:
            bodies = [order_body(life, at=moment(self._start, life.ordered_h)) for life in new]
            results = self._stage.call(hub, "POST", "/v1/orders/batch", {"orders": bodies})
            refused = [r for r in results["results"] if r["outcome"] == "refused"]
            if refused:
                raise RuntimeError(f"{hub} refused orders: {refused[:3]}")
            self._told[hub] |= {life.order_key for life in new}

    def _tell(self, life: Life, happening: Happening) -> str:
        at = moment(self._start, happening.at_h)
        update = {
            "store": life.contract,
            "order_key": life.order_key,
            "state": happening.state,
            "source": "world",
            "occurred_at": at.isoformat(),
            **happening.facts,
        }
        key = self._stage.hubs["provider"].key
        headers = {"authorization": f"Bearer {key}"}
        answer = self._until_heard("world", "/v1/updates", json.dumps(update).encode(), headers)
        if life.watched and happening.scan:
            self._scan(life, happening, at=at)
        return str(answer.get("verdict", answer.get("title", "")))

    def _scan(self, life: Life, happening: Happening, *, at: datetime) -> None:
        number = happening.facts["tracking_number"]
        name = f"evt_{life.order_key}_{happening.state}"
        told = easypost_event(name, number, happening.scan, at=at)
        headers = {"x-hmac-signature": easypost_signature(told, secret=self._stage.secret)}
        self._until_heard(CARRIER, self._stage.paths[CARRIER], told, headers)

    def _until_heard(
        self, link: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            status, content = _post(self._stage.port(link), path, body, headers)
            if 0 < status < 500 and status not in (408, 429):
                found = json.loads(content) if content else {}
                if status >= 400 and status != 409:
                    raise RuntimeError(f"{link}: {status} {content[:300]!r}")
                return dict(found)
            time.sleep(AGAIN_S)
        raise RuntimeError(f"{link} did not answer for {GIVE_UP_S:.0f} s")


def _post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """The answer; status 0 when there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {"content-type": "application/json", **headers}
    with closing(connection):
        try:
            connection.request("POST", path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def easypost_event(name: str, number: str, status: str, *, at: datetime) -> bytes:
    """A tracker's update as EasyPost's webhook tells it."""
    when = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {"object": "TrackingDetail", "status": status, "datetime": when, "message": status}
    event = {
        "id": name,
        "object": "Event",
        "description": "tracker.updated",
        "result": {
            "id": f"trk_{number}",
            "object": "Tracker",
            "tracking_code": number,
            "status": status,
            "carrier": "UPS",
            "updated_at": when,
            "tracking_details": [detail],
        },
    }
    return json.dumps(event).encode()


def easypost_signature(body: bytes, *, secret: str) -> str:
    key = unicodedata.normalize("NFKD", secret).encode()
    return "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()
