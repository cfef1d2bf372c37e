"""What a run leaves behind, one JSON object a line, and how it is written and read.

Every process has a file of its own. A line is handed to the kernel before what it tells of goes
on, so a process that is killed has lost no line; the last one may be torn, and is passed over.
Times are nanoseconds of the machine's monotonic clock, which all of its processes share.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

HUB = "hub"


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """One order or update that the hub answered 2xx.

    `expected` is the number that its event has if every step became one event; `sequence` is the
    hub's word. `sent_at` is when the request that was answered began, the last of `tries`.
    """

    at: int
    sent_at: int
    account: str
    order_id: str
    order_key: str
    step: str
    expected: int
    sequence: int
    verdict: str
    tries: int
    batch: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A step that the hub did not take although it was legal."""

    at: int
    account: str
    order_key: str
    step: str
    why: str


class Receipt(msgspec.Struct, frozen=True, tag="receipt"):
    """A verified notification as it arrived, and what the receiver was about to answer."""

    at: int
    receiver: str
    path: str
    delivery_id: str
    endpoint_id: str
    order_id: str
    sequence: int
    previous: int
    attempt: int
    replay: int
    answer: str
    digest: str


class Unverified(msgspec.Struct, frozen=True, tag="unverified"):
    """What the receiver kit refused."""

    at: int
    receiver: str
    path: str
    why: str


class Endpoint(msgspec.Struct, frozen=True, tag="endpoint"):
    """An endpoint of the run: whose, in which contract, and at which receiver's path."""

    endpoint_id: str
    account: str
    contract: str
    receiver: str
    path: str


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """Something that was done to a process.

    From `ended_at` on nothing stood in the way: the last kill (it is started again at once), the
    end of a freeze, a receiver that listens again. At `done_at` a database answered again.
    """

    kind: str
    target: str
    began_at: int
    ended_at: int
    kills: int
    done_at: int = 0


class Event(msgspec.Struct, frozen=True, tag="event"):
    """An event of an order, as the database holds it after the run."""

    order_id: str
    sequence: int
    state: str


class Delivery(msgspec.Struct, frozen=True, tag="delivery"):
    """A delivery, as the database holds it after the run."""

    endpoint_id: str
    order_id: str
    sequence: int
    previous: int
    state: str
    attempts: int
    replay: int


class Attempt(msgspec.Struct, frozen=True, tag="attempt"):
    """An attempt, as the database holds it after the run."""

    endpoint_id: str
    order_id: str
    sequence: int
    attempt: int
    outcome: str
    status: int


Fact = Accepted | Refused | Receipt | Unverified | Endpoint | Fault | Event | Delivery | Attempt


class Run(msgspec.Struct, frozen=True):
    """All the facts of one run, by kind; those with a time are in its order."""

    accepted: list[Accepted] = []
    refused: list[Refused] = []
    receipts: list[Receipt] = []
    unverified: list[Unverified] = []
    endpoints: list[Endpoint] = []
    faults: list[Fault] = []
    events: list[Event] = []
    deliveries: list[Delivery] = []
    attempts: list[Attempt] = []


class Journal:
    """An append-only file of facts; several threads may write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._encoder = msgspec.json.Encoder()
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def note(self, *facts: Fact) -> None:
        """When it returns, the lines survive the death of this process."""
        if facts:
            os.write(self._file, b"".join(self._encoder.encode(fact) + b"\n" for fact in facts))

    def close(self) -> None:
        os.close(self._file)


def now() -> int:
    """Nanoseconds of the clock that all processes of the machine share."""
    return time.monotonic_ns()


def gather(facts: list[Fact]) -> Run:
    """The facts by kind, those with a time in its order."""
    run = Run()
    places: dict[type, list] = {
        Accepted: run.accepted,
        Refused: run.refused,
        Receipt: run.receipts,
        Unverified: run.unverified,
        Endpoint: run.endpoints,
        Fault: run.faults,
        Event: run.events,
        Delivery: run.deliveries,
        Attempt: run.attempts,
    }
    for fact in facts:
        places[type(fact)].append(fact)
    for timed in (run.accepted, run.receipts):
        timed.sort(key=lambda fact: fact.at)
    run.faults.sort(key=lambda fault: fault.began_at)
    return run


def read_run(folder: Path) -> Run:
    """What the journals of a run hold.

    A line that a kill tore is passed over: what it would have told of was never answered.
    """
    decoder = msgspec.json.Decoder(Fact)
    facts: list[Fact] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                facts.append(decoder.decode(line))
            except msgspec.DecodeError:
                continue
    return gather(facts)
