"""Builds what has to do with carriers."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from milepost import __version__
from milepost.carrier_sources import Sources
from milepost.clocks import Clocks
from milepost.intake import Hear, Intake
from milepost.metrics import Metrics
from milepost.net.carriers import CarrierWire, carrier_of, check_source
from milepost.net.guard import Guard, check_url
from milepost.ports import Now, Store
from milepost.scans import Scans
from milepost.settings import Settings
from milepost.tracker import Tracker

TRACKER_STOP_S = 5.0
"""How long a stop waits for carriers: what they do not answer by then is asked again later."""


@dataclass(slots=True)
class Tracking:
    """What has to do with carriers: asking them, what they push, and how they are set up."""

    tracker: Tracker
    scans: Scans
    sources: Sources
    wire: CarrierWire

    async def close(self) -> None:
        """Lets questions that are out come back, for a moment, and gives back what is in hand."""
        await self.tracker.stop(within_s=TRACKER_STOP_S)
        await self.wire.close()


def tracking(
    settings: Settings,
    *,
    store: Store,
    intake: Intake,
    guard: Guard,
    clock: Now,
    clocks: Clocks,
    owner: str,
    metrics: Metrics,
    hear: Hear,
    steady_s: Callable[[], float],
) -> Tracking:
    """The tracking of one process, not started yet; `steady_s` never goes back."""
    wire = CarrierWire(guard=guard)
    ready = partial(
        carrier_of,
        fetch=wire.send,
        variable=os.environ.get,
        user_agent=f"Milepost/{__version__}",
    )
    tracker = Tracker(
        store,
        updates=intake.updates,
        carrier_of=ready,
        now=clock,
        steady_s=steady_s,
        chance=random.random,
        owner=owner,
        lease_s=settings.lease_s,
        poll_s=settings.tracking_poll_s,
        at_once=settings.tracking_at_once,
        metrics=metrics,
        hear=hear,
    )
    clocks.wakes(tracker.look)
    sources = Sources(
        store,
        check=partial(check_source, check_url=partial(check_url, guard=guard)),
        carrier_of=ready,
        changed=tracker.look_again,
        now=clock,
    )
    scans = Scans(store, updates=intake.updates, desks=tracker.desks, metrics=metrics)
    return Tracking(tracker, scans, sources, wire)
