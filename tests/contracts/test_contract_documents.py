"""The documents of the contracts hold exactly what the rooms' tables hold."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from milepost.contracts import ROOMS, Contract
from milepost.contracts.shipmonk.extensions import (
    LineExtensions,
    OrderExtensions,
    ParcelExtensions,
)
from milepost.contracts.shipmonk.shapes import OrderDetail
from milepost.contracts.standard.payloads import EventShown, OrderShown, ParcelShown
from milepost.contracts.tables import (
    mapping_table,
    merges_table,
    schedules_table,
    span,
    statuses_table,
)
from milepost.orders.lifecycle import State

DOCS = Path(__file__).parents[2] / "docs/contracts"
BLOCK = re.compile(r"<!-- generated: (?P<name>[a-z ]+) -->\n(?P<held>.*?)<!-- end -->", re.DOTALL)


def table(name: str) -> str:
    """The table that a document asks for."""
    kind, *rooms = name.split()
    match kind:
        case "mapping":
            return mapping_table(ROOMS)
        case "statuses":
            return statuses_table(ROOMS[rooms[0]])
        case "schedules":
            return schedules_table(ROOMS[rooms[0]])
        case "merges":
            return merges_table(ROOMS[rooms[0]], ROOMS[rooms[1]])
        case _:
            raise AssertionError(name)


def blocks() -> list[tuple[str, str, str]]:
    return [
        (path.name, block["name"], block["held"].strip())
        for path in sorted(DOCS.glob("*.md"))
        for block in BLOCK.finditer(path.read_text(encoding="utf-8"))
    ]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def listed(name: str) -> list[str]:
    """The names in the first column of the tables of a document."""
    return re.findall(r"^\| `([a-z_]+)`", text(name), re.MULTILINE)


@pytest.mark.parametrize(("document", "name", "held"), blocks())
def test_a_table_in_a_document_is_the_one_of_the_room(document: str, name: str, held: str) -> None:
    assert held == table(name), f"the table “{name}” in docs/contracts/{document} is out of date"


def test_every_room_has_its_document_and_its_schedules_in_it() -> None:
    assert {f"{name}.md" for name in ROOMS} <= {path.name for path in DOCS.glob("*.md")}
    held = {(document, name) for document, name, _ in blocks()}
    assert {(f"{name}.md", f"schedules {name}") for name in ROOMS} <= held
    assert ("mapping.md", "mapping") in held


def test_every_state_is_in_the_mapping() -> None:
    rows = re.findall(r"^\| (\w+)(?: \(\w+\))? \|", mapping_table(ROOMS), re.MULTILINE)
    assert set(rows) - {"state"} == {state.value for state in State}


def test_every_property_of_shipmonk_is_explained_in_order() -> None:
    names = listed("shipmonk.md")
    assert names[: len(OrderDetail.__struct_fields__)] == list(OrderDetail.__struct_fields__)


@pytest.mark.parametrize("shape", [OrderExtensions, LineExtensions, ParcelExtensions])
def test_every_extension_of_shipmonk_is_listed(shape: type[msgspec.Struct]) -> None:
    (row,) = re.findall(
        rf"^\| `extensions.shipmonk` of an? {ROW[shape]}.*$", text("shipmonk.md"), re.MULTILINE
    )
    assert re.findall(r"`([a-z_]+)`", row) == list(shape.__struct_fields__)


ROW = {OrderExtensions: "order", LineExtensions: "line", ParcelExtensions: "parcel"}


def test_every_field_of_the_envelope_is_explained_in_order() -> None:
    inner = [*EventShown.__struct_fields__, *OrderShown.__struct_fields__]
    expected = ["type", "timestamp", *(n for n in inner if n not in {"order", "words"}), "words"]
    assert [name for name in listed("standard.md") if name in expected] == expected
    (parcels,) = re.findall(r"^\| `parcels` \|.*$", text("standard.md"), re.MULTILINE)
    assert re.findall(r"`([a-z_]+)`", parcels)[1:] == list(ParcelShown.__struct_fields__)


@pytest.mark.parametrize("room", ROOMS.values(), ids=lambda room: room.name)
def test_every_option_and_credential_is_explained(room: Contract) -> None:
    for shape in (room.options, room.credentials):
        for name in shape.__struct_fields__:
            assert f"`{name}`" in text(f"{room.name}.md")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_410, "2 h 3 min"), (259_200, "3 d")],
)
def test_a_span_of_time_is_told_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert span(seconds) == said
