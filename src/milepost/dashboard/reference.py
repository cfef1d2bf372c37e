"""The reference: the interface, the lifecycle and the mapping, made of what holds in the code."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import permutations
from typing import Any

import msgspec

from milepost.contracts import ROOMS
from milepost.contracts.contract import Contract
from milepost.contracts.tables import (
    mapping_table,
    merges_table,
    schedules_table,
    statuses_table,
)
from milepost.dashboard.page import Page, Result, Shown, Told, View
from milepost.dashboard.published import Interface, read_document
from milepost.errors import UnknownRecord
from milepost.orders.graph import EVERY_STATE, MEANING, PHASES, svg
from milepost.orders.lifecycle import EDGES, REASONS, EdgeClass, State

PLACE = "/reference"
_STYLES = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_CODE = re.compile(r"`([^`]*)`")

Cell = tuple[tuple[str, bool], ...]
"""Pieces of text, and whether each is a word of the code."""


class MarkedTable(msgspec.Struct, frozen=True):
    """A table of the documents: its columns and rows."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table_of(markdown: str) -> MarkedTable:
    """A table as the documents have it in Markdown."""
    lines = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in markdown.strip().splitlines()
    ]
    head = tuple(name[:1].upper() + name[1:] for name in lines[0])
    return MarkedTable(head, tuple(tuple(map(_cell, line)) for line in lines[2:]))


def _cell(text: str) -> Cell:
    pieces = ((piece, bool(place % 2)) for place, piece in enumerate(_CODE.split(text)))
    return tuple(piece for piece in pieces if piece[0])


# the interface

_READ: dict[int, tuple[Mapping[str, object], Interface]] = {}


def interface_of(view: View) -> Interface:
    """The interface of this hub, read once."""
    published = view.hub.published
    known = _READ.get(id(published))
    if known is None or known[0] is not published:
        # One document in a process; in a test one after the other.
        _READ.clear()
        known = _READ[id(published)] = (published, read_document(published))
    return known[1]


async def show(view: View) -> Result:
    interface = interface_of(view)
    wanted = view.query.get("filter", "").strip()
    words = wanted.lower().split()
    groups = [
        msgspec.structs.replace(
            group,
            operations=tuple(
                one for one in group.operations if all(word in one.words for word in words)
            ),
        )
        for group in interface.groups
    ]
    notifications = [
        one for one in interface.notifications if all(word in one.words for word in words)
    ]
    return Shown(
        "reference/show.html",
        {
            "interface": interface,
            "groups": [group for group in groups if group.operations],
            "notifications": notifications,
            "wanted": wanted,
            "count": sum(len(group.operations) for group in interface.groups),
        },
    )


async def show_operation(view: View) -> Result:
    interface = interface_of(view)
    operation = interface.operations.get(view.path["operation"])
    if operation is None:
        raise UnknownRecord
    beside = [one for one in interface.operations.values() if one.tag == operation.tag]
    context = {"one": operation, "beside": beside, "curl": operation.curl(view.origin)}
    return Shown("reference/operation.html", context)


async def show_shape(view: View) -> Result:
    interface = interface_of(view)
    shape = interface.shapes.get(view.path["shape"])
    if shape is None:
        raise UnknownRecord
    using = [
        one
        for one in interface.operations.values()
        if any(shape.name == name for name in _names_in(one))
    ]
    return Shown("reference/shape.html", {"shape": shape, "using": using})


def _names_in(one: Any) -> list[str]:
    pieces = [*one.body, *(piece for answer in one.answers for piece in answer.type)]
    pieces += [piece for field in (*one.fields, *one.parameters) for piece in field.type]
    return [name for _, name in pieces]


# the lifecycle

_REMARK = {EdgeClass.NORMAL: "any update", EdgeClass.CORRECTION: "a correction alone"}


class StateRow(msgspec.Struct, frozen=True):
    """A state, what it says, and where an order may go from it."""

    state: State
    phase: str
    about: str
    reasons: tuple[str, ...]
    ways: tuple[tuple[str, str, tuple[State, ...]], ...]


@cache
def state_rows() -> Sequence[StateRow]:
    """Every state in the order of life, its edges together that have one reason."""
    phases = {state: phase for phase, states in PHASES.items() for state in states}
    return [
        StateRow(
            state,
            phases[state],
            MEANING[state],
            tuple(sorted(REASONS.get(state, ()))),
            _ways(state),
        )
        for state in EVERY_STATE
    ]


def _ways(state: State) -> tuple[tuple[str, str, tuple[State, ...]], ...]:
    found: dict[tuple[str, str], list[State]] = {}
    for edge in EDGES.values():
        if edge.origin is state:
            found.setdefault((edge.edge_class.value, edge.why), []).append(edge.target)
    ranked = sorted(found.items(), key=lambda one: one[0][0] != EdgeClass.NORMAL.value)
    return tuple((_REMARK[EdgeClass(kind)], why, tuple(to)) for (kind, why), to in ranked)


async def show_lifecycle(_view: View) -> Result:
    drawn = [room for room in ROOMS.values() if room.diagram is not None]
    context = {"rows": state_rows(), "phases": PHASES, "edges": len(EDGES), "drawn": drawn}
    return Shown("reference/lifecycle.html", context)


async def picture(_view: View) -> Result:
    return _told("")


async def contract_picture(view: View) -> Result:
    room = ROOMS.get(view.path["contract"])
    if room is None or room.diagram is None:
        raise UnknownRecord
    return _told(room.name)


@cache
def _told(contract: str) -> Told:
    """A picture, which alone may have the style that is in it."""
    room = ROOMS.get(contract)
    text = svg() if room is None or room.diagram is None else room.diagram.svg()
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
        for style in _STYLES.findall(text)
    )
    policy = f"default-src 'none'; style-src {hashes}; frame-ancestors 'none'"
    headers = ((b"content-security-policy", policy.encode()),)
    return Told(text.encode(), "image/svg+xml", headers=headers)


# the mapping


class RoomTables(msgspec.Struct, frozen=True):
    """The tables of one contract."""

    name: str
    title: str
    statuses: MarkedTable
    schedules: MarkedTable
    drawn: bool
    timeout_s: float


class Mapped(msgspec.Struct, frozen=True):
    """The tables of all contracts, and of each way from one provider's words to another's."""

    states: MarkedTable
    merges: tuple[tuple[str, str, MarkedTable], ...]
    rooms: tuple[RoomTables, ...]


@cache
def mapped() -> Mapped:
    """Made once: they are the same until the code is another."""
    providers = [room for room in ROOMS.values() if not room.shows_others]
    merges = tuple(
        (a.title, b.title, table_of(merges_table(a, b))) for a, b in permutations(providers, 2)
    )
    rooms = tuple(_room_tables(room) for room in ROOMS.values())
    return Mapped(table_of(mapping_table(ROOMS)), merges, rooms)


def _room_tables(room: Contract) -> RoomTables:
    return RoomTables(
        room.name,
        room.title,
        table_of(statuses_table(room)),
        table_of(schedules_table(room)),
        room.diagram is not None,
        room.timeout_s,
    )


async def show_mapping(_view: View) -> Result:
    return Shown("reference/mapping.html", {"mapped": mapped()})


PAGES = (
    Page(path=PLACE, act=show, place=PLACE),
    Page(path=PLACE + "/lifecycle", act=show_lifecycle, place=PLACE),
    Page(path=PLACE + "/lifecycle.svg", act=picture, place=PLACE),
    Page(path=PLACE + "/lifecycle/{contract}.svg", act=contract_picture, place=PLACE),
    Page(path=PLACE + "/mapping", act=show_mapping, place=PLACE),
    Page(path=PLACE + "/types/{shape}", act=show_shape, place=PLACE),
    Page(path=PLACE + "/{operation}", act=show_operation, place=PLACE),
)
