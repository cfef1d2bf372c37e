"""A carrier source that nobody asks: its scans are pushed."""

from __future__ import annotations

from datetime import datetime

from milepost.net.carriers.http_json import Words
from milepost.net.carriers.shape import PushedConfig
from milepost.orders.lifecycle import State
from milepost.orders.model import Parcel
from milepost.ports.tracking import Failed, Told


class Pushed:
    """Answers every question with nothing new."""

    at_once = 64
    per_minute: float | None = None

    def __init__(self, config: PushedConfig) -> None:
        self._words = Words(config.statuses)

    def meaning(self, word: str) -> State | None:
        return self._words.meaning(word)

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:  # noqa: ARG002
        return Told()
