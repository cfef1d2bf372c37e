"""The life of an order in Withings' words: the sequences, the picture, the chart, the document."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from milepost.contracts.tables import example
from milepost.contracts.withings import CONTRACT
from milepost.contracts.withings.arrows import ARROWS, GROUPS, NODES, PANELS, WIDTH, members
from milepost.contracts.withings.diagram import mermaid, steps_table, svg
from milepost.contracts.withings.sequences import (
    DRAWN,
    STEPS,
    UNDELIVERED,
    WORDS,
    Origin,
    words_from,
    words_to,
)
from milepost.orders.lifecycle import EDGES, EdgeClass, State

DOCS = Path(__file__).parents[2] / "docs/contracts"
DOCUMENT, PICTURE = DOCS / "withings-states.md", DOCS / "withings-states.svg"
AGAIN = "run: python -m tests.contracts.redraw"
SVG = "{http://www.w3.org/2000/svg}"

INFERRED = """
VERIFIED > PROCESSING FAILED TRASHED
FAILED > PROCESSING TRASHED
PROCESSING > BACKHOLD FAILED TRASHED
OPEN > BACKHOLD TRASHED
BACKHOLD > PROCESSING OPEN TRASHED
"""
"""As they were read from the words of the values; PROCESSING > OPEN > SHIPPED is published."""


def told(origin: Origin) -> set[tuple[str, str]]:
    return {pair for pair, step in DRAWN.items() if step.origin is origin}


# --- the sequences --------------------------------------------------------------------------------


def test_every_word_is_one_that_the_contract_has() -> None:
    assert CONTRACT.statuses == WORDS
    assert {word for pair in STEPS for word in pair} <= set(WORDS)


def test_the_steps_before_shipping_are_those_that_were_inferred() -> None:
    lines = (line.split(" > ") for line in INFERRED.strip().splitlines())
    wanted = {(before, after) for before, afters in lines for after in afters.split()}
    asynchronous = {"CREATED", "ADDRESS VERIFICATION", "ADDRESS ERROR"}
    found = {p for p in told(Origin.INFERRED) if p[0].isupper() and p[0] not in asynchronous}
    assert {p for p in found if p[0] != "SHIPPED"} == wanted


def test_what_is_published_is_told_apart_from_what_is_inferred() -> None:
    assert told(Origin.PUBLISHED) == {
        ("PROCESSING", "OPEN"),
        ("OPEN", "SHIPPED"),
        ("SHIPPED", "pending"),
        *((word, "expired") for word in UNDELIVERED),
    }


def test_every_step_that_is_drawn_is_one_that_the_lifecycle_allows() -> None:
    """Read from the table of edges here once more, by nothing but what the contract shows."""
    allowed = {
        (before, after)
        for edge in EDGES.values()
        if edge.edge_class is EdgeClass.NORMAL
        for before, after in product(words_from(edge.origin), words_to(edge.target))
    }
    assert set(DRAWN) <= allowed
    assert {p for p, s in STEPS.items() if s.origin is not Origin.CORRECTION} == {
        (a, b) for a, b in allowed if a != b
    }


@pytest.mark.parametrize("state", State)
def test_the_words_of_a_state_are_those_that_the_contract_shows_of_it(state: State) -> None:
    if state is State.CANCEL_REQUESTED:
        assert words_to(state) == ()
        return
    shown = set(CONTRACT.words(example(state)).values())
    assert set(words_to(state)) <= shown
    assert set(words_from(state)) <= shown


def test_the_ends_are_left_by_corrections_or_late_scans_alone() -> None:
    leaving = {s.origin for s in STEPS.values() if s.before in ("TRASHED", "delivered")}
    assert leaving == {Origin.CORRECTION}
    assert {s.origin for s in STEPS.values() if s.before == "expired"} == {Origin.OURS}


# --- arrows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda a: f"{a.before}-{a.after}")
def test_an_arrow_stands_for_steps_that_are_known_in_the_same_way(arrow: object) -> None:
    origins = {DRAWN[step].origin for step in arrow.steps}  # type: ignore[attr-defined]
    assert len(origins) == 1


def test_every_step_before_shipping_and_every_published_one_has_an_arrow() -> None:
    arrows = {step for arrow in ARROWS for step in arrow.steps}
    assert arrows <= set(DRAWN)
    assert told(Origin.PUBLISHED) <= arrows
    # What has none: steps over the first parcel statuses, and those within the frame.
    rest = set(DRAWN) - arrows
    assert {p for p in rest if p[0].isupper()} == {
        ("SHIPPED", "info_received"), ("SHIPPED", "in_transit"),
    }  # fmt: skip
    moving = set(members("moving"))
    assert {p for p in rest if p[0].islower()} == {
        ("pending", "in_transit"), *((a, b) for a in moving for b in moving if a != b),
    }  # fmt: skip


def test_a_group_is_its_words() -> None:
    assert all(set(words) <= set(WORDS) for words in GROUPS.values())
    assert members("OPEN") == ("OPEN",)


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_is_well_formed_names_itself_and_fetches_nothing() -> None:
    text = svg()
    root = ET.fromstring(text)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
    assert text == svg()
    assert "prefers-color-scheme:dark" in text
    assert re.findall(r"https?://[^\"']+", text) == ["http://www.w3.org/2000/svg"]
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#head-published", "#head-inferred"}
    assert "href" not in text
    assert "<script" not in text


def test_no_two_words_overlap_and_each_stands_in_its_panel() -> None:
    assert set(NODES) == set(WORDS)
    for word, box in NODES.items():
        panel = PANELS["status" if word.isupper() else "parcel_status"]
        assert panel.x < box.x < box.x + box.width < panel.x + panel.width <= WIDTH - 24
        assert panel.y < box.y < box.y + box.height < panel.y + panel.height
        for other, its in NODES.items():
            apart = (
                box.x + box.width < its.x or its.x + its.width < box.x
                or box.y + box.height < its.y or its.y + its.height < box.y
            )  # fmt: skip
            assert other == word or apart, (word, other)


def test_every_class_that_is_used_has_a_look_in_light_and_in_dark() -> None:
    styles = re.findall(r"<style>(.*?)</style>", svg(), re.DOTALL)
    (style,) = styles
    dark = "".join(re.findall(r"@media[^{]*\{(.*?)\n\}", style, re.DOTALL))
    light = re.sub(r"@media[^{]*\{.*?\n\}", "", style, flags=re.DOTALL)
    used = set(re.findall(r'class="([^"]+)"', svg()))
    for kind in ("published", "inferred"):
        assert f"arrow {kind}" in used
        assert f".arrow.{kind}" in light
        assert f".arrow.{kind}" in dark
    for origin in Origin:
        assert f"{origin} mark" in used
        assert f".{origin}.mark" in light
        assert f".{origin}.mark" in dark


def test_the_table_below_marks_every_step_and_tells_it_to_those_who_cannot_see_it() -> None:
    found: dict[tuple[str, str], str] = {}
    for group in ET.fromstring(svg()).iter(f"{SVG}g"):
        title, marks = group.find(f"{SVG}title"), group.findall(f"{SVG}path")
        if title is None or title.text is None or not title.text.partition(": ")[2].endswith(")"):
            continue
        before, _, listed = title.text.partition(": ")
        steps = re.findall(r"([\w ]+?) \((\w+)\)", listed)
        assert len(steps) == len(marks)
        for (after, origin), mark in zip(steps, marks, strict=True):
            assert mark.get("class") == f"{origin} mark"
            found[before, after.strip()] = origin
    assert found == {pair: str(step.origin) for pair, step in STEPS.items()}


# --- the chart ------------------------------------------------------------------------------------


def chart_steps(text: str, stroke: str) -> set[tuple[str, str]]:
    pattern = rf"^  (\w+) (<?){re.escape(stroke)} (\w+)$"
    found = set()
    for before, back, after in re.findall(pattern, text, re.MULTILINE):
        a, b = (name.removeprefix("w_").replace("_", " ") for name in (before, after))
        found |= {(a, b), (b, a)} if back else {(a, b)}
    return found


def plain(steps: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(a.replace("_", " "), b.replace("_", " ")) for a, b in steps}


def test_the_full_chart_has_every_step_in_its_stroke() -> None:
    text = mermaid(full=True)
    strokes = {"==>": Origin.PUBLISHED, "-.->": Origin.INFERRED}
    strokes |= {"-->": Origin.OURS, "--x": Origin.CORRECTION}
    for stroke, origin in strokes.items():
        wanted = {pair for pair, step in STEPS.items() if step.origin is origin}
        assert chart_steps(text, stroke) == plain(wanted)


@pytest.mark.parametrize("full", [False, True])
def test_a_chart_names_every_word_once_and_closes_every_box(full: bool) -> None:
    text = mermaid(full=full)
    assert sorted(re.findall(r"^ +w_\w+\[([\w ]+)\]$", text, re.MULTILINE)) == sorted(WORDS)
    boxes = len(re.findall(r"^ *subgraph ", text, re.MULTILINE))
    assert boxes == len(re.findall(r"^ *end$", text, re.MULTILINE)) == 5
    assert "cancellable -.-> w_TRASHED" in text or full


# --- the document ---------------------------------------------------------------------------------


def test_the_picture_in_the_docs_is_what_the_code_draws() -> None:
    assert PICTURE.read_text(encoding="utf-8") == svg(), AGAIN


def test_the_table_in_the_document_is_what_the_code_renders() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    held = re.search(r"<!-- drawn: steps -->\n\n(.*?)\n\n<!-- end of steps -->", text, re.DOTALL)
    assert held is not None
    assert held[1] == steps_table(), AGAIN
    assert "(withings-states.svg)" in text
    rows = re.findall(r"^\| `([\w ]+)` \| (.+?) \| (published|inferred) \|", held[1], re.MULTILINE)
    listed = {(a, b) for a, afters, _ in rows for b in re.findall(r"`([\w ]+)`", afters)}
    assert listed == set(DRAWN)
