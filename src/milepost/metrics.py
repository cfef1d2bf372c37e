"""What a process counts of itself; how that is written for Prometheus is the doors' business.

Each instrument is fed by one thread, or one loop, at a time and in batches where there are
batches; it may be read from anywhere. Labels hold words of closed sets alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec

Labels = tuple[str, ...]

WAITS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of what takes milliseconds to seconds."""

RECEIPTS_S = (*WAITS_S, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0, 172_800.0)
"""Upper bounds of accept to receipt, which retries may draw out over days."""

ROWS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


class Tally:
    """How often something happened, by its labels; it only rises."""

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._counts: dict[Labels, int] = {}

    def add(self, *values: str, number: int = 1) -> None:
        """Counts this many more under these values of the labels."""
        self._counts[values] = self._counts.get(values, 0) + number

    def add_each(self, found: Mapping[str, int]) -> None:
        """Counts a batch that was counted by its one label already."""
        for value, number in found.items():
            self.add(str(value), number=number)

    def counts(self) -> list[tuple[Labels, int]]:
        return list(self._counts.items())


class Spread:
    """How values are spread over fixed bounds, by labels: a histogram."""

    def __init__(
        self, name: str, about: str, *labels: str, bounds: tuple[float, ...] = WAITS_S
    ) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._bounds = bounds
        self._shelves: dict[Labels, tuple[list[int], list[float]]] = {}

    def see(self, values: Iterable[float], *labels: str) -> None:
        """Takes a batch of values down under these values of the labels."""
        shelf = self._shelves.get(labels)
        if shelf is None:
            shelf = self._shelves[labels] = ([0] * (len(self._bounds) + 1), [0.0])
        (counts, total), bounds = shelf, self._bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total[0] += value

    def shelves(self) -> Iterator[tuple[Labels, list[tuple[str, float]], float]]:
        """For each labels: how many values are at most each bound, and their sum."""
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        for labels, (counts, total) in list(self._shelves.items()):
            yield labels, list(zip(bounds, accumulate(counts), strict=True)), total[0]


class Gauge(msgspec.Struct, frozen=True):
    """Something that is as it is now, read when somebody asks."""

    name: str
    about: str
    read: Callable[[], float]


class Metrics:
    """Everything that one process counts."""

    def __init__(self) -> None:
        self.orders = Tally(
            "milepost_orders", "Orders that were told, by what came of them.", "outcome"
        )
        self.updates = Tally("milepost_updates", "Updates by their verdict.", "verdict")
        self.queued = Tally(
            "milepost_deliveries_queued", "Deliveries that intake queued.", "contract"
        )
        self.attempts = Tally(
            "milepost_attempts", "Attempts by what came of them.", "contract", "outcome"
        )
        self.acknowledged = Tally(
            "milepost_deliveries_acknowledged", "Deliveries that were received.", "contract"
        )
        self.abandoned = Tally(
            "milepost_deliveries_abandoned",
            "Deliveries whose schedule came to its end.",
            "contract",
        )
        self.removed = Tally(
            "milepost_upkeep_removed", "What was cleared away because its time was over.", "what"
        )
        self.carrier_asks = Tally(
            "milepost_carrier_asks", "Questions to carriers by what came of them.", "outcome"
        )
        self.scans = Tally(
            "milepost_scans", "Scans of parcels that were handed to intake.", "verdict"
        )
        self.silences_raised = Tally(
            "milepost_silences_raised", "Orders that fell silent, by what was missing.", "kind"
        )
        self.silences_ended = Tally(
            "milepost_silences_ended", "Orders that moved again, by what was missing.", "kind"
        )
        self.messages = Tally(
            "milepost_messages",
            "Messages of sources by what came of them, refused ones too.",
            "kind",
            "verdict",
        )
        self.receipt_s = Spread(
            "milepost_receipt_seconds",
            "From taking in what happened to the reply that acknowledges its notification.",
            "contract",
            bounds=RECEIPTS_S,
        )
        self.attempt_s = Spread(
            "milepost_attempt_seconds", "How long attempts took.", "contract", bounds=WAITS_S
        )
        self.requests = Tally(
            "milepost_http_requests",
            "Requests that were answered.",
            "method",
            "route",
            "status",
        )
        self.request_s = Spread(
            "milepost_http_request_seconds", "How long answering took.", "route", bounds=WAITS_S
        )
        self.refused = Tally("milepost_http_refused", "Requests by their problem.", "problem")
        self.transaction_s = Spread(
            "milepost_store_transaction_seconds",
            "How long writing transactions took, their commit included.",
        )
        self.commit_s = Spread(
            "milepost_store_commit_seconds", "How long commits took to be on disk."
        )
        self.transaction_rows = Spread(
            "milepost_store_transaction_rows", "Rows that a transaction changed.", bounds=ROWS
        )
        self.read_s = Spread(
            "milepost_store_read_seconds", "How long reads took, waiting for their turn included."
        )
        self._gauges: dict[str, Gauge] = {}

    @property
    def tallies(self) -> tuple[Tally, ...]:
        return tuple(one for one in vars(self).values() if isinstance(one, Tally))

    @property
    def spreads(self) -> tuple[Spread, ...]:
        return tuple(one for one in vars(self).values() if isinstance(one, Spread))

    @property
    def gauges(self) -> tuple[Gauge, ...]:
        return tuple(self._gauges.values())

    def watch(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Has this read whenever somebody asks; `read` is cheap and raises nothing."""
        self._gauges[name] = Gauge(name, about, read)
