"""What is shown of the lifecycle is what holds: chart, picture, tables and explanations."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from milepost.orders.graph import (
    EVERY_STATE,
    GENERATED,
    MEANING,
    PHASES,
    correction_table,
    edge_table,
    explain,
    filled_in,
    mermaid,
    phase_of,
    state_table,
    svg,
)
from milepost.orders.graph.arrows import ARROWS, GROUPS, MAIN, members
from milepost.orders.lifecycle import EdgeClass, State, allowed_next
from tests.core import reading

S = State
SVG = "{http://www.w3.org/2000/svg}"


# --- phases ---------------------------------------------------------------------------------------


def test_every_state_is_in_one_phase_and_has_a_meaning() -> None:
    assert sorted(EVERY_STATE) == sorted(State)
    assert set(MEANING) == set(State)
    assert all(text.endswith(".") and "\n" not in text for text in MEANING.values())
    assert len(set(MEANING.values())) == len(State)
    assert [phase_of(state) for state in (S.CREATED, S.ON_HOLD, S.CANCELLED, S.EXPIRED)] == [
        "Intake",
        "Warehouse",
        "Cancellation",
        "Carrier",
    ]
    assert list(PHASES) == ["Intake", "Warehouse", "Cancellation", "Carrier", "Elsewhere"]


# --- arrows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda arrow: f"{arrow.origin}-{arrow.target}")
def test_an_arrow_that_is_drawn_stands_for_edges_of_one_class(arrow: object) -> None:
    steps = {(a.value, b.value) for a, b in arrow.steps}  # type: ignore[attr-defined]
    assert steps
    assert steps <= reading.NORMAL or steps <= reading.CORRECTIONS


def test_an_arrow_of_a_group_is_one_of_each_of_its_members() -> None:
    for name, states in GROUPS.items():
        assert members(name) == states
        assert set(states) <= set(State)
    assert members("picking") == (S.PICKING,)


def test_the_main_line_is_drawn_whole() -> None:
    assert [(a.origin, a.target) for a in MAIN] == list(pairwise(reading.MAIN_LINE))


def test_every_state_is_joined_to_the_picture() -> None:
    drawn = {state for arrow in ARROWS for step in arrow.steps for state in step}
    assert drawn == set(State)


# --- Mermaid --------------------------------------------------------------------------------------


def chart_edges(text: str, stroke: str) -> set[tuple[str, str]]:
    found = re.findall(rf"^  (\w+) <?{re.escape(stroke)}(?:\|[\w ]+\|)? (\w+)$", text, re.MULTILINE)
    return {(a, b) for a, b in found}


def test_the_full_chart_has_every_edge_in_its_stroke() -> None:
    text = mermaid(full=True)
    steps = set(pairwise(reading.MAIN_LINE))
    assert chart_edges(text, "==>") == steps
    assert chart_edges(text, "-->") == reading.NORMAL - steps
    assert chart_edges(text, "-.->") == reading.CORRECTIONS


def test_the_essential_chart_has_the_main_line_thick_and_corrections_dashed() -> None:
    text = mermaid()
    assert chart_edges(text, "==>") == set(pairwise(reading.MAIN_LINE))
    drawn = {(a.origin, a.target): a for a in ARROWS if a not in MAIN}
    corrections = {k for k, a in drawn.items() if a.edge_class is EdgeClass.CORRECTION}
    assert chart_edges(text, "-.->") == corrections
    assert chart_edges(text, "-->") == set(drawn) - corrections
    assert "warehouse <-->|refused| cancel_requested" in text


@pytest.mark.parametrize("full", [False, True])
def test_a_chart_names_every_state_once_and_closes_every_box(full: bool) -> None:
    text = mermaid(full=full)
    assert text.startswith("flowchart TB\n")
    assert text.endswith("\n")
    nodes = re.findall(r"^ +(\w+)(?:\[|\(\[)(\w+)(?:\]\)|\])$", text, re.MULTILINE)
    assert sorted(a for a, _ in nodes) == sorted(State)
    assert all(a == b for a, b in nodes)
    assert len(re.findall(r"^ *subgraph ", text, re.MULTILINE)) == len(
        re.findall(r"^ *end$", text, re.MULTILINE)
    )
    ends = set(re.findall(r"(\w+)\(\[", text))
    assert ends == reading.HARD_ENDS | reading.SOFT_ENDS


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_is_well_formed_and_names_itself() -> None:
    root = ET.fromstring(svg())
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    named = {e.get("id"): e.text for e in root if e.tag in (f"{SVG}title", f"{SVG}desc")}
    assert root.get("aria-labelledby") == "title desc"
    assert set(named) == {"title", "desc"}
    assert all(named.values())


def test_the_picture_is_the_same_on_every_run() -> None:
    assert svg() == svg()


def test_the_picture_follows_light_and_dark_and_fetches_nothing() -> None:
    text = svg()
    assert "prefers-color-scheme:dark" in text
    assert "href" not in text
    assert "@import" not in text
    assert "<script" not in text
    assert re.findall(r"https?://[^\"']+", text) == ["http://www.w3.org/2000/svg"]
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {
        "#head-main",
        "#head-normal",
        "#head-correction",
    }


def test_every_class_that_is_used_has_a_look_in_light_and_in_dark() -> None:
    text = svg()
    light, dark = text.split("@media")[0], text.split("@media")[1].split("</style>")[0]
    shapes = {"step", "edge", "mend", "self", "band", "rule", "sheet", "panel", "frame", "note"}
    looks = {f"node.{look}" for look in ("main", "side", "care", "well", "soft", "over")}
    strokes = {f"arrow.{kind}" for kind in ("main", "normal", "correction")}
    for css in shapes | looks | strokes | {"on-over"}:
        assert f".{css}" in light, css
        assert f".{css}" in dark, css


def test_nothing_stands_outside_the_picture_and_no_two_states_overlap() -> None:
    root = ET.fromstring(svg())
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    nodes = [r for r in root.findall(f"{SVG}g/{SVG}rect") if "node" in r.get("class", "")]
    boxes = [[float(n.get(k, 0)) for k in ("x", "y", "width", "height")] for n in nodes]
    assert len(boxes) == len(State)
    for i, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= width - w
        assert 0 <= y <= height - h
        for ox, oy, ow, oh in boxes[i + 1 :]:
            assert x + w < ox or ox + ow < x or y + h < oy or oy + oh < y


def test_the_picture_marks_every_edge_and_tells_it_to_those_who_cannot_see_it() -> None:
    root = ET.fromstring(svg())
    rows = {}
    for group in root.iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None and title.text and group.find(f"{SVG}circle") is not None:
            origin, told = title.text.split(": ", 1)
            marks = {p.get("class"): p.get("d", "").count("M") for p in group.iter(f"{SVG}path")}
            rows[origin] = (told, marks)
    assert set(rows) == reading.STATES
    for origin, (told, marks) in rows.items():
        normal = {b for a, b in reading.NORMAL if a == origin}
        corrections = {b for a, b in reading.CORRECTIONS if a == origin}
        assert marks.get("step", 0) + marks.get("edge", 0) == len(normal)
        assert marks.get("mend", 0) == len(corrections)
        plainly, _, corrected = told.partition("; by correction ")
        assert set(plainly.split(", ")) == (normal or {"nothing"})
        assert set(corrected.split(", ")) == (corrections or {""})
    steps = sum(marks.get("step", 0) for _, marks in rows.values())
    assert steps == len(reading.MAIN_LINE) - 1


# --- explanations ---------------------------------------------------------------------------------


def test_a_normal_step_is_legal_for_any_update_and_needs_no_path() -> None:
    said = explain(S.PACKED, S.READY_TO_SHIP)
    assert said.legal
    assert said.edge_class is EdgeClass.NORMAL
    assert "main line" in said.why
    assert said.passed_over == ()
    assert (said.path, said.path_class) == ((), None)
    assert said.allowed == allowed_next(S.PACKED)
    assert said.corrections == (S.SUBMITTED, S.PICKING, S.PACKING)


def test_a_skip_says_what_it_passes_over() -> None:
    assert explain(S.SUBMITTED, S.PACKED).passed_over == (S.PICKING, S.PACKING)


def test_a_correction_is_not_legal_for_any_update() -> None:
    said = explain(S.DELIVERED, S.RETURNING)
    assert not said.legal
    assert said.edge_class is EdgeClass.CORRECTION
    assert said.why == "it was not delivered after all"
    assert said.path == ()


def test_where_there_is_no_direct_way_the_shortest_one_is_told() -> None:
    said = explain(S.ADDRESS_ERROR, S.DELIVERED)
    assert (said.edge, said.legal) == (None, False)
    assert said.path == (S.ADDRESS_ERROR, S.VERIFYING, S.DELIVERED)
    assert said.path_class is EdgeClass.NORMAL
    assert said.why == "there is no direct way from address_error to delivered"
    assert said.passed_over == ()


def test_where_only_corrections_lead_there_it_is_said() -> None:
    said = explain(S.CANCELLED, S.PICKING)
    assert said.path_class is EdgeClass.CORRECTION
    assert said.path[0] is S.CANCELLED
    assert said.path[-1] is S.PICKING
    assert "without a correction" in said.why


def test_nothing_leads_away_from_an_end_for_good() -> None:
    said = explain(S.RETURNED, S.DELIVERED)
    assert (said.path, said.path_class) == ((), None)
    assert said.why == "returned is an end for good"
    assert (said.allowed, said.corrections) == ((), ())


def test_where_no_way_leads_it_is_said() -> None:
    said = explain(S.DELIVERED, S.CREATED)
    assert said.path == ()
    assert said.why == "no way leads from delivered to created"


def test_the_same_state_again_is_no_step() -> None:
    said = explain(S.PICKING, S.PICKING)
    assert (said.edge, said.legal, said.path) == (None, False, ())
    assert "duplicate" in said.why


@pytest.mark.parametrize("origin", State)
def test_every_path_that_is_told_is_legal_and_no_shorter_one_is_there(origin: State) -> None:
    distance = {False: distances(origin, corrected=False), True: distances(origin, corrected=True)}
    for target in State:
        said = explain(origin, target)
        assert said.why
        if said.edge is not None or origin is target:
            assert said.path == ()
            continue
        corrected = said.path_class is EdgeClass.CORRECTION
        edges = reading.NORMAL | (reading.CORRECTIONS if corrected else set())
        assert all((a.value, b.value) in edges for a, b in pairwise(said.path))
        if said.path:
            assert (said.path[0], said.path[-1]) == (origin, target)
            assert len(said.path) - 1 == distance[corrected][target]
            assert corrected == (target not in distance[False])
        else:
            assert target not in distance[True]


def distances(origin: str, *, corrected: bool) -> dict[str, int]:
    """How many steps away each state is that can be reached."""
    edges = reading.NORMAL | (reading.CORRECTIONS if corrected else set())
    found, edge = {str(origin): 0}, {str(origin)}
    while edge:
        edge = {b for a, b in edges if a in edge} - set(found)
        found |= dict.fromkeys(edge, max(found.values()) + 1)
    return found


# --- tables ---------------------------------------------------------------------------------------


def rows_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0].startswith("`")]


@pytest.mark.parametrize(
    ("table", "edges"),
    [(edge_table(), reading.NORMAL), (correction_table(), reading.CORRECTIONS)],
    ids=["normal", "corrections"],
)
def test_a_table_of_edges_has_each_of_them_once(
    table: str, edges: frozenset[tuple[str, str]]
) -> None:
    told = [
        (origin.strip("`"), target.strip("`"))
        for origin, targets, why in rows_of(table)
        for target in targets.split(", ")
        if why
    ]
    assert sorted(told) == sorted(edges)


def test_the_table_of_states_has_each_of_them_once_under_its_phase() -> None:
    table = state_table()
    assert [row[0].strip("`") for row in rows_of(table)] == list(EVERY_STATE)
    assert re.findall(r"^\*\*(\w+)\*\*$", table, re.MULTILINE) == list(PHASES)
    remarks = {row[0].strip("`"): row[2] for row in rows_of(table)}
    assert remarks["cancelled"] == "end for good"
    assert remarks["expired"] == "end; a late scan reopens it"
    assert remarks["delivered"] == "end; only a correction leaves it"
    assert remarks["exception"] == "moving, needs attention"
    assert "`subscription`" in remarks["scheduled"]


def test_what_is_between_markers_is_rendered_anew_and_the_rest_is_left() -> None:
    text = "a\n\n<!-- generated: corrections -->\nstale words\n<!-- end of corrections -->\n\nb\n"
    done = filled_in(text)
    assert done.startswith("a\n\n<!-- generated: corrections -->\n\n| From |")
    assert done.endswith("|\n\n<!-- end of corrections -->\n\nb\n")
    assert "stale words" not in done
    assert filled_in(done) == done
    assert filled_in("no markers\n") == "no markers\n"
    assert set(GENERATED) == {"states", "edges", "corrections"}
