"""The walls between the rooms: they hold, and they are of stone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.repository import ROOT, toml

CONTRACTS = ("withings", "shipmonk", "standard", "easypost", "aftership")


def lint_imports(*, folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the packages in `folder`, by the rules that lie there."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"],
        cwd=folder,
        env={
            **os.environ,
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join((str(folder / "src"), str(folder / "sdk/src"))),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_keeps_to_the_walls() -> None:
    said = lint_imports(folder=ROOT)
    assert said.returncode == 0, said.stdout + said.stderr
    assert re.search(r"Contracts: \d+ kept, 0 broken", said.stdout)


def rooms() -> list[str]:
    """The rooms that the layers name, from the roof to the ground."""
    layers = toml("pyproject.toml")["tool"]["importlinter"]["contracts"][0]["layers"]
    return [room.strip(" ()") for layer in layers for room in layer.split("|")]


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """A house under the same rules with nothing in its rooms."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in (*rooms(), *(f"contracts/{name}" for name in CONTRACTS)):
        folder = tmp_path / "src/milepost" / room
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    (tmp_path / "src/milepost/__init__.py").touch()
    kit = tmp_path / "sdk/src/milepost_receiver"
    kit.mkdir(parents=True)
    (kit / "__init__.py").touch()
    return tmp_path


def test_an_empty_house_keeps_every_rule(empty_house: Path) -> None:
    said = lint_imports(folder=empty_house)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(
    ("room", "line", "broken"),
    [
        ("src/milepost/orders", "import time", "pure rooms"),
        ("src/milepost/delivery", "from random import random", "pure rooms"),
        ("src/milepost/contracts/standard", "import logging", "pure rooms"),
        ("src/milepost/contracts/withings", "import http.client", "pure rooms"),
        ("src/milepost/contracts/withings", "import milepost.contracts.shipmonk", "No contract"),
        ("src/milepost/orders", "import milepost.delivery", "one way"),
        ("src/milepost/intake", "from milepost import store", "one way"),
        ("src/milepost/intake", "from milepost import dispatcher", "one way"),
        ("src/milepost/store", "import milepost.api", "one way"),
        ("src/milepost/attic", "", "one way"),
        ("sdk/src/milepost_receiver", "import milepost.errors", "receiver kit"),
    ],
)
def test_an_import_through_a_wall_is_caught(
    empty_house: Path, room: str, line: str, broken: str
) -> None:
    folder = empty_house / room
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text(line + "\n", encoding="utf-8")
    said = lint_imports(folder=empty_house)
    assert said.returncode == 1, said.stdout + said.stderr
    verdicts = [text for text in said.stdout.splitlines() if text.endswith("BROKEN")]
    assert [broken in text for text in verdicts] == [True], said.stdout


def test_a_pure_room_cannot_reach_the_outside_through_another_room(empty_house: Path) -> None:
    house = empty_house / "src/milepost"
    (house / "settings/__init__.py").write_text("import os\n", encoding="utf-8")
    (house / "orders/__init__.py").write_text("import milepost.settings\n", encoding="utf-8")
    said = lint_imports(folder=empty_house)
    assert said.returncode == 1
    assert "milepost.orders is not allowed to import os" in said.stdout
