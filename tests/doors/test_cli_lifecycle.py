"""The lifecycle on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.contracts import ROOMS
from milepost.orders.graph import explain, mermaid, svg
from milepost.orders.lifecycle import State
from tests.doors.command_line import CommandLine, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


def test_a_legal_step_is_explained_with_its_reason(cli: CommandLine) -> None:
    said = cli("lifecycle", "explain", "picking", "packed")
    assert said.code == 0
    assert "yes" in said.out
    assert explain(State.PICKING, State.PACKED).why in said.out
    assert "packing" in said.out


def test_a_correction_is_told_as_one(cli: CommandLine) -> None:
    said = cli("lifecycle", "explain", "delivered", "returning")
    assert said.code == 0
    assert "correction" in said.out
    shown = cli("lifecycle", "explain", "delivered", "returning", "--json").json
    assert (shown["allowed"], shown["class"]) == (False, "correction")


def test_a_step_that_is_not_there_ends_with_4_and_the_way_round(cli: CommandLine) -> None:
    said = cli("lifecycle", "explain", "on_hold", "returned", "--json")
    assert said.code == 4
    shown = said.json
    assert shown["allowed"] is False
    assert shown["path"][0] == "on_hold"
    assert shown["path"][-1] == "returned"
    assert "shortest way" in cli("lifecycle", "explain", "on_hold", "returned").out


def test_the_same_state_again_is_no_error(cli: CommandLine) -> None:
    assert cli("lifecycle", "explain", "picking", "picking").code == 0


def test_every_pair_of_states_can_be_explained(cli: CommandLine) -> None:
    for origin in State:
        assert cli("lifecycle", "explain", origin, State.DELIVERED).code in (0, 4)


def test_an_unknown_state_is_a_usage_error(cli: CommandLine) -> None:
    said = cli("lifecycle", "explain", "picking", "lost")
    assert said.code == 2
    assert said.out == ""


def test_the_graph_is_printed_or_written(cli: CommandLine) -> None:
    assert cli("lifecycle", "graph").out == mermaid(full=False)
    assert cli("lifecycle", "graph", "--full").out == mermaid(full=True)
    path = cli.folder / "lifecycle.svg"
    said = cli("lifecycle", "graph", "--format", "svg", "-o", str(path))
    assert (said.code, said.out) == (0, "")
    assert path.read_text(encoding="utf-8") == svg()
    assert cli("lifecycle", "graph", "--json").json == {
        "format": "mermaid",
        "content": mermaid(full=False),
    }
    written = cli("lifecycle", "graph", "-o", str(path), "--json").json
    assert written == {"format": "mermaid", "output": str(path)}


def test_a_file_that_cannot_be_written_is_one_line(cli: CommandLine) -> None:
    said = cli("lifecycle", "graph", "-o", str(cli.folder / "none" / "graph.svg"))
    assert said.code == 1
    assert said.err.count("\n") == 1


def test_the_svg_has_every_edge_already(cli: CommandLine) -> None:
    assert cli("lifecycle", "graph", "--format", "svg", "--full").code == 2


def test_the_words_of_a_contract_are_drawn_by_its_name(cli: CommandLine) -> None:
    diagram = ROOMS["withings"].diagram
    assert diagram is not None
    words = ("lifecycle", "graph", "--contract", "withings")
    assert cli(*words).out == diagram.mermaid(False)
    assert cli(*words, "--full").out == diagram.mermaid(True)
    assert cli(*words, "--format", "svg").out == diagram.svg()
    assert cli(*words, "--json").json["contract"] == "withings"
    said = cli("lifecycle", "graph", "--contract", "standard")
    assert (said.code, "withings" in said.err) == (2, True)
