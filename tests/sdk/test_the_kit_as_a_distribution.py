"""The kit stands by itself: no dependencies, typed, its guide true."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import milepost_receiver

SDK = Path(__file__).parents[2] / "sdk"
FRAMEWORKS = {"django": "django", "fastapi": "starlette", "flask": "flask"}
"""The modules for frameworks, which import theirs at once: whoever imports them has it."""

MODULES = sorted((SDK / "src" / "milepost_receiver").glob("*.py"))
SELVES = {"self", "cls"}
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
    optional |= {FRAMEWORKS[module.stem]} if module.stem in FRAMEWORKS else set()
    assert names <= {*sys.stdlib_module_names, "milepost_receiver"} | optional
    # What is optional is imported by who uses it, not by who imports the kit.
    assert imported_at_once(ast.parse(module.read_text())).isdisjoint({"dns"})


def test_nothing_in_the_kit_imports_what_is_for_a_framework() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom):
                last = (node.module or "").removeprefix("milepost_receiver.")
                assert last not in FRAMEWORKS or node.module == last, module


def test_the_kit_is_imported_where_there_is_no_framework(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from milepost_receiver import *\n"
        "import milepost_receiver.wsgi\n"
        "strangers = {'flask', 'django', 'starlette', 'dns', 'psycopg'} & set(sys.modules)\n"
        "assert not strangers, strangers\n"
    )
    # Isolated from site packages, and so from all that is installed.
    environment = {"PYTHONPATH": str(SDK / "src")}
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", program],
        env=environment,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_kit_is_typed_from_end_to_end() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = [a.arg for a in arguments if a.annotation is None and a.arg not in SELVES]
                assert (node.name, bare) == (node.name, []), module
                assert node.returns is not None or node.name == "__init__", (module, node.name)


def test_a_wheel_holds_every_module_and_the_type_marker(tmp_path: Path) -> None:
    """Built from a copy, as an installer builds it, without the network."""
    copy = tmp_path / "sdk"
    shutil.copytree(SDK, copy, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    program = "from setuptools.build_meta import build_wheel; print(build_wheel('..'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=copy,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"milepost_receiver/{path.name}" for path in MODULES}
    assert {*wanted, "milepost_receiver/py.typed"} <= names
    unexpected = {name for name in names - wanted if name.endswith(".py")}
    assert unexpected == set()


def test_only_the_deduplicator_knows_a_database() -> None:
    knowing = [path.stem for path in MODULES if "sqlite3" in imported(ast.parse(path.read_text()))]
    assert knowing == ["seen"]


def test_the_distribution_needs_nothing_and_is_typed() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]
    assert project["name"] == "milepost-receiver"
    assert project["dependencies"] == []
    assert list(project["optional-dependencies"]) == ["django", "fastapi", "flask", "dns"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert (SDK / "src" / "milepost_receiver" / "py.typed").is_file()
    assert (SDK / "LICENSE").read_bytes() == (SDK.parent / "LICENSE").read_bytes()


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_of_the_guide_compiles_and_names_what_there_is(block: str) -> None:
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "milepost_receiver":
            assert {alias.name for alias in node.names} <= set(milepost_receiver.__all__)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("milepost_"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_guide_has_examples() -> None:
    assert len(BLOCKS) == 8
