"""docs/contracts/shipmonk.md: every call on the page runs, in order, and its tables are whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec

from milepost.contracts.shipmonk.edits import EFFECTS, Effect, Stage
from milepost.contracts.shipmonk.sandbox import SCENARIOS, SPLIT
from milepost.emulators.shipmonk.door import PATHS
from tests.doors.desk import Desk
from tests.doors.test_withings_page import assert_shown

PAGE = (Path(__file__).resolve().parents[2] / "docs/contracts/shipmonk.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
SHORT = {Effect.NOTHING: "–", Effect.REFUSED: "refused"}


def called(desk: Desk, script: str) -> Any:
    """What the script's one call is answered."""
    words = shlex.split(script.replace("$MILEPOST", "").replace("$KEY", desk.key))
    assert words.pop(0) == "curl"
    headers, body, path = {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name.lower()] = value
        elif word == "-d":
            body = words.pop(0).encode()
        else:
            path = word
    answer = (
        desk.get(path, headers=headers)
        if body is None
        else desk.post(path, raw=body, headers=headers)
    )
    assert answer.status == 200, answer
    return answer.json


def test_every_call_on_the_page_answers_what_the_page_shows(desk: Desk) -> None:
    fences = re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)
    assert len(EXAMPLES) == fences.count("sh") == fences.count("json") >= 4
    for script, shown in EXAMPLES:
        assert_shown(msgspec.json.decode(shown), called(desk, script))


def test_every_path_and_every_scenario_is_on_the_page() -> None:
    for path, (method, _) in PATHS.items():
        assert f"`{method} {path}`" in PAGE
    section = PAGE.partition("## The sandbox")[2].partition("## What the operator")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {*SCENARIOS, SPLIT}


def test_the_table_of_what_a_merchant_may_cause_says_what_the_code_does() -> None:
    stages = (
        Stage.NEW,
        Stage.OPEN,
        Stage.HELD,
        Stage.PICKING,
        Stage.PACKING,
        Stage.PACKED,
        Stage.SHIPPED,
        Stage.ENDED,
    )
    section = PAGE.partition("### What a merchant may cause")[2].partition("### Lists")[0]
    for status, effects in EFFECTS.items():
        (row,) = re.findall(rf"^\| `{status.value}` \| (.*) \|$", section, re.MULTILINE)
        for stage, cell in zip(stages, row.split(" | "), strict=True):
            effect = effects[stage]
            assert (cell in SHORT.values()) == (effect in SHORT), (status, stage)
            if effect in SHORT:
                assert cell == SHORT[effect], (status, stage)
