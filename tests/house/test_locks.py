"""What the project stands on is declared once, locked by hash, and really used."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.house.repository import ROOT, modules, name_of, toml, tree

LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-lock.txt")
OURS = {"milepost", "milepost_receiver", "tests", "benchmarks"}
# Loaded by uvicorn, which we tell their names and nothing more.
LOADED_BY_NAME = {"httptools", "uvloop"}


def distribution(requirement: str) -> str:
    """The normal form of the name that a requirement begins with."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def entries(lock: str) -> dict[str, str]:
    """The entries of a lock file by distribution, each with its continuation lines."""
    text = re.sub(r"^ *#.*$", "", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    whole = re.sub(r"\s*\\\n\s*", " ", text)
    return {distribution(line): line for line in whole.splitlines() if line.strip()}


def version(entry: str) -> str:
    """The one version that an entry of a lock file allows."""
    pinned = re.fullmatch(r"[A-Za-z0-9._-]+==(\S+)( ; .+?)?( --hash=sha256:[0-9a-f]{64})+", entry)
    assert pinned is not None, entry
    return pinned[1]


def imported(*folders: str) -> dict[str, str]:
    """Each top-level package imported beneath the folders, with a module that imports it."""
    found: dict[str, str] = {}
    for path in modules(*folders):
        for node in ast.walk(tree(path)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found.update({name.partition(".")[0]: name_of(path) for name in names})
    return found


def distributions_of(packages: dict[str, str]) -> dict[str, str]:
    """The distributions that packages from outside come from, each with a module that needs it.

    Of several that share a package those that are declared count, or else the first.
    """
    providers = metadata.packages_distributions()
    found: dict[str, str] = {}
    for package, module in packages.items():
        if package in sys.stdlib_module_names or package in OURS:
            continue
        names = [distribution(name) for name in providers.get(package, [package])]
        known = [name for name in names if name in declared() | optional()]
        found |= dict.fromkeys(known or names[:1], module)
    return found


def declared() -> set[str]:
    """The distributions that Milepost says it runs on, its own receiver kit left out."""
    return {distribution(text) for text in toml("pyproject.toml")["project"]["dependencies"]} - {
        "milepost-receiver"
    }


def optional() -> set[str]:
    """The distributions that Milepost can run with, by the extra that asks for them."""
    extras = toml("pyproject.toml")["project"]["optional-dependencies"]
    return {distribution(text) for texts in extras.values() for text in texts}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_is_pinned_and_hashed(lock: str) -> None:
    pinned = {name: version(entry) for name, entry in entries(lock).items()}
    assert pinned
    assert all(pinned.values())


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_holds_an_address_or_a_path(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    outside = [entry for entry in entries(lock).values() if re.match(r"[-./]|.* @ ", entry)]
    assert outside == []


def test_everything_declared_is_locked() -> None:
    groups = toml("pyproject.toml")["dependency-groups"]
    assert optional() <= set(entries("requirements-dev.txt"))
    build = {distribution(text) for text in groups["build"]}
    assert declared() | build <= set(entries("requirements.txt"))
    assert {distribution(text) for text in groups["dev"]} <= set(entries("requirements-dev.txt"))
    assert set(groups["lock"]) == set(entries("requirements-lock.txt"))


def test_tests_run_on_the_versions_that_milepost_runs_on() -> None:
    running, testing = entries("requirements.txt"), entries("requirements-dev.txt")
    assert {name: version(entry) for name, entry in running.items()} == {
        name: version(testing[name]) for name in running
    }


def test_the_environment_holds_the_locked_versions() -> None:
    installed = {
        distribution(found.metadata["Name"]): found.version for found in metadata.distributions()
    }
    locked = {
        name: version(entry)
        for name, entry in entries("requirements-dev.txt").items()
        if ";" not in entry
    }
    assert {name: installed.get(name) for name in locked} == locked


def test_what_milepost_imports_is_declared() -> None:
    undeclared = {
        name: module
        for name, module in distributions_of(imported("src")).items()
        if name not in declared() | optional()
    }
    assert undeclared == {}


def test_what_milepost_declares_is_imported() -> None:
    assert declared() - set(distributions_of(imported("src"))) - LOADED_BY_NAME == set()


def test_what_tests_and_benchmarks_import_is_declared() -> None:
    dev = {distribution(text) for text in toml("pyproject.toml")["dependency-groups"]["dev"]}
    undeclared = {
        name: module
        for name, module in distributions_of(imported("tests", "benchmarks", "examples")).items()
        if name not in declared() | dev
    }
    assert undeclared == {}


def test_the_receiver_kit_needs_the_standard_library_alone() -> None:
    project = toml("sdk/pyproject.toml")["project"]
    assert project.get("dependencies", []) == []
    extras = {
        distribution(text) for texts in project["optional-dependencies"].values() for text in texts
    }
    assert set(distributions_of(imported("sdk/src"))) == extras
    assert extras == {"django", "dnspython", "flask", "starlette"}


@pytest.mark.parametrize("project", ["pyproject.toml", "sdk/pyproject.toml"])
def test_what_builds_the_distributions_is_locked(project: str) -> None:
    needed = {distribution(text) for text in toml(project)["build-system"]["requires"]}
    assert needed <= set(entries("requirements.txt"))


@pytest.mark.parametrize(
    ("project", "folder"), [("pyproject.toml", "src"), ("sdk/pyproject.toml", "sdk/src")]
)
def test_a_version_is_written_in_one_place(project: str, folder: str) -> None:
    about = toml(project)["project"]
    installed = metadata.version(about["name"])
    places = [project] if about.get("version") == installed else []
    places += [
        name_of(path)
        for path in modules(folder)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value == installed
    ]
    assert len(places) == 1, (installed, places)


def test_the_package_carries_its_type_marker_and_its_sql() -> None:
    patterns = toml("pyproject.toml")["tool"]["setuptools"]["package-data"]["milepost"]
    package = ROOT / "src/milepost"
    carried = {path for pattern in patterns for path in package.glob(pattern)}
    data = {
        path
        for path in Path(package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert package / "py.typed" in carried
    assert data - carried == set()
