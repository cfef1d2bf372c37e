"""The navigation: where the rooms are, and what stands in one that has no page yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from milepost.dashboard.page import Page, Shown, View


class Place(msgspec.Struct, frozen=True):
    """A room: its path, its name, what it is for, and the name of its icon."""

    path: str
    name: str
    about: str
    icon: str


PLACES: Sequence[Place] = (
    Place("/", "Overview", "Orders, deliveries and how they are doing, at a glance.", "overview"),
    Place("/attention", "Attention", "What needs a person now.", "attention"),
    Place("/orders", "Orders", "Every order, its life, and what was told of it.", "orders"),
    Place("/endpoints", "Endpoints", "Who is notified, and how that goes.", "endpoints"),
    Place("/sources", "Sources", "Who tells Milepost what happened to an order.", "sources"),
    Place("/sandbox", "Sandbox", "Play an order's life, and see each request.", "sandbox"),
    Place("/reference", "Reference", "The interface, the lifecycle and the mapping.", "reference"),
)


def empty_rooms(taken: Collection[str]) -> list[Page]:
    """A page for each room that nobody has furnished yet, so that no link is dead."""
    return [_empty(place) for place in PLACES if place.path not in taken]


def _empty(place: Place) -> Page:
    async def show(_view: View) -> Shown:
        return Shown("room.html", {"room": place})

    return Page(path=place.path, act=show, place=place.path)
