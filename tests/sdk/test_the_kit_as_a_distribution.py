"""The kit stands by itself: no dependencies, typed, its guide true."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import milepost_receiver

SDK = Path(__file__).parents[2] / "sdk"
MODULES = sorted((SDK / "src" / "milepost_receiver").glob("*.py"))
BLOCKS = re.findall(r"```python\n(.*?)```", (SDK / "README.md").read_text(), flags=re.DOTALL)


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def imported_at_once(tree: ast.Module) -> set[str]:
    inside = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return imported(ast.Module(inside, []))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_the_standard_library_and_the_kit_only(module: Path) -> None:
    names = imported(ast.parse(module.read_text()))
    optional = {"dns"} if module.stem == "dns_lookup" else set()
    assert names <= {*sys.stdlib_module_names, "milepost_receiver"} | optional
    # What is optional is imported by who uses it, not by who imports the kit.
    assert imported_at_once(ast.parse(module.read_text())).isdisjoint(optional)


def test_only_the_deduplicator_knows_a_database() -> None:
    knowing = [path.stem for path in MODULES if "sqlite3" in imported(ast.parse(path.read_text()))]
    assert knowing == ["seen"]


def test_the_distribution_needs_nothing_and_is_typed() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]
    assert project["name"] == "milepost-receiver"
    assert project["dependencies"] == []
    assert list(project["optional-dependencies"]) == ["dns"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert (SDK / "src" / "milepost_receiver" / "py.typed").is_file()
    assert (SDK / "LICENSE").read_bytes() == (SDK.parent / "LICENSE").read_bytes()


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_of_the_guide_compiles_and_names_what_there_is(block: str) -> None:
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert {alias.name for alias in node.names} <= set(milepost_receiver.__all__)


def test_the_guide_has_examples() -> None:
    assert len(BLOCKS) == 5
