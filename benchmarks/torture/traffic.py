"""The sources, in a process of their own: orders that live their lives, one step after the other.

A source that has no answer asks again, so the hub hears the same thing twice; it goes on with an
order only when its last step was answered 2xx. What was answered is in the journal. It is started
with a plan (JSON) as its argument, stops when its standard input ends, and then waits for answers
that are still owed to it.
"""

from __future__ import annotations

import http.client
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.torture.facts import Accepted, Journal, Refused, now
from benchmarks.torture.owed import CREATED, LIVES, RENUMBERED

ANSWER_WITHIN_S = 30.0
GIVE_UP_AFTER_S = 90.0
"""How long a source asks again without an answer; giving up fails the run."""

WALKS = 24
"""How many orders of a source are alive at once."""

LARGEST_BATCH = 20
BREAK_OFF = 0.02
"""How often a source closes the connection without waiting for the answer, and asks again."""

REPEAT = 0.03
"""How often a source says again what was answered already."""

TRY_LATER = frozenset((429, 503))


class AccountPlan(msgspec.Struct, frozen=True):
    """An account and the key that opens it."""

    name: str
    key: str


class TrafficPlan(msgspec.Struct, frozen=True):
    """Who posts, where to, and how many events a second in all."""

    port: int
    accounts: list[AccountPlan]
    rate: float
    seed: int
    journal: str


class Walk:
    """One order on its way through its life."""

    def __init__(self, key: str, steps: Sequence[str]) -> None:
        self.key = key
        self.steps = steps
        self.done = 0

    @property
    def step(self) -> str:
        return self.steps[self.done]

    @property
    def tells_order(self) -> bool:
        return self.step in (CREATED, RENUMBERED)

    def body(self) -> dict[str, Any]:
        told = {"store": "main", "order_key": self.key}
        if self.tells_order:
            number = self.key if self.step == CREATED else f"{self.key}-{self.done}"
            return {**told, "order_number": number, "lines": [{"sku": "SCALE-1", "quantity": 1}]}
        return {**told, "state": self.step, "source": "torture"}


class Source(threading.Thread):
    """One source of an account, with one connection; `batched` ones tell of many orders at once."""

    def __init__(
        self,
        plan: TrafficPlan,
        account: AccountPlan,
        *,
        batched: bool,
        rate: float,
        journal: Journal,
        done: threading.Event,
    ) -> None:
        super().__init__(daemon=True)
        self._plan = plan
        self._account = account
        self._batched = batched
        self._rate = rate
        self._journal = journal
        self._done = done
        self._label = f"{account.name}-{'batched' if batched else 'single'}"
        self._chance = random.Random(f"{plan.seed}-{self._label}")
        self._connection: http.client.HTTPConnection | None = None
        self._given_up = False

    def run(self) -> None:
        births = self._births()
        walks = [next(births) for _ in range(WALKS)]
        due = time.monotonic()
        while not self._done.is_set() and not self._given_up:
            chosen = self._chance.sample(
                walks, self._chance.randint(2, LARGEST_BATCH) if self._batched else 1
            )
            for tells_order in (True, False):
                group = [walk for walk in chosen if walk.tells_order is tells_order]
                if group:
                    self._tell(group)
            walks = [next(births) if w.done == len(w.steps) else w for w in walks]
            due = max(due + len(chosen) / self._rate, time.monotonic() - 1)
            self._done.wait(max(0.0, due - time.monotonic()))

    def _births(self) -> Iterator[Walk]:
        for number in count(1):
            yield Walk(f"{self._label}-{number}", self._chance.choice(LIVES))

    def _tell(self, walks: Sequence[Walk]) -> None:
        """Tells the next step of each until it is answered, and goes on with those taken."""
        if not self._say(walks):
            return
        if self._chance.random() < REPEAT:
            self._say(walks)
        for walk in walks:
            walk.done += 1

    def _say(self, walks: Sequence[Walk]) -> bool:
        noun = "orders" if walks[0].tells_order else "updates"
        bodies = [walk.body() for walk in walks]
        if self._batched:
            path, body = f"/v1/{noun}/batch", msgspec.json.encode({noun: bodies})
        else:
            path, body = f"/v1/{noun}", msgspec.json.encode(bodies[0])
        answered = self._ask(path, body)
        if answered is None:
            self._refuse(walks, "no answer for too long")
            return False
        status, content, sent_at, tries = answered
        at = now()
        if status >= 300:
            self._refuse(walks, f"{status} {content[:300]!r}")
            return False
        decoded = msgspec.json.decode(content)
        results = decoded["results"] if self._batched else [decoded]
        facts: list[Accepted | Refused] = []
        for walk, result in zip(walks, results, strict=True):
            facts.append(self._read(walk, result, at, sent_at, tries, len(walks)))
        self._journal.note(*facts)
        # A walk that was refused cannot go on in step with the hub; the run has failed anyway.
        return all(isinstance(fact, Accepted) for fact in facts)

    def _read(
        self, walk: Walk, result: dict[str, Any], at: int, sent_at: int, tries: int, batch: int
    ) -> Accepted | Refused:
        verdict = result.get("verdict") or result.get("outcome") or ""
        if verdict not in ("created", "updated", "unchanged", "applied", "duplicate"):
            return Refused(at, self._account.name, walk.key, walk.step, str(result)[:300])
        return Accepted(
            at=at,
            sent_at=sent_at,
            account=self._account.name,
            order_id=result["order_id"],
            order_key=walk.key,
            step=walk.step,
            expected=walk.done + 1,
            sequence=result["sequence"],
            verdict=verdict,
            tries=tries,
            batch=batch,
        )

    def _refuse(self, walks: Sequence[Walk], why: str) -> None:
        self._given_up = True
        self._journal.note(
            *(Refused(now(), self._account.name, walk.key, walk.step, why) for walk in walks)
        )

    def _ask(self, path: str, body: bytes) -> tuple[int, bytes, int, int] | None:
        """Status and content of the answer, when its request began and the tries it took."""
        until = time.monotonic() + GIVE_UP_AFTER_S
        for tries in count(1):
            sent_at = now()
            try:
                status, content = self._exchange(path, body)
                if status not in TRY_LATER:
                    return status, content, sent_at, tries
            except (OSError, http.client.HTTPException):
                self._hang_up()
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        return None

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._plan.port, timeout=ANSWER_WITHIN_S
            )
        self._connection.request(
            "POST",
            path,
            body,
            {
                "authorization": f"Bearer {self._account.key}",
                "content-type": "application/json",
            },
        )
        if self._chance.random() < BREAK_OFF:
            raise ConnectionAbortedError("the source hangs up before the answer")
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run(plan: TrafficPlan) -> None:
    """Posts until standard input ends, and then until every answer is there."""
    journal = Journal(Path(plan.journal))
    done = threading.Event()
    rate = plan.rate / len(plan.accounts) / 2
    sources = [
        Source(plan, account, batched=batched, rate=rate, journal=journal, done=done)
        for account in plan.accounts
        for batched in (False, True)
    ]
    for source in sources:
        source.start()
    sys.stdin.buffer.read()
    done.set()
    for source in sources:
        source.join(GIVE_UP_AFTER_S + ANSWER_WITHIN_S)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(msgspec.json.decode(sys.argv[1], type=TrafficPlan))
