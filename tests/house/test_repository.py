"""What every file of the repository keeps to, whatever room it stands in."""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict

import pytest

from tests.house.repository import ROOT, SOURCES, files, modules, name_of, tree

# In pieces, so that this list does not find itself.
REGISTRIES = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npm" + "js", "org"),
        ("npm" + "js", "com"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("conda", "anaconda", "org"),
    )
]
MACHINE_PATHS = [
    "/" + "/".join(pieces)
    for pieces in (
        ("work", ""),
        ("opt", "wheels"),
        ("opt", "py" + "pi"),
        ("tmp", "brief"),
        ("root", ".cache"),
        ("root", ".py" + "env"),
    )
]

UNTELLING_CLASS = re.compile(r"(Manager|Service|Helper|Util|Utils|Handler|Base)$|^Base[A-Z]")
UNTELLING_FUNCTION = re.compile(r"^_*(process|handle)_|_(helper|util)$")
UNTELLING_MODULE = re.compile(r"^_?(utils?|helpers?|common|misc|base|managers?|services?)$")

LONGEST_MODULE = 500


def words_found(words: list[str], *, after: str = "") -> dict[str, list[str]]:
    """The files that hold one of the words behind the pattern `after`, each with its words."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in files():
        text = path.read_bytes().decode("utf-8", errors="replace").lower()
        for word in words:
            if re.search(after + re.escape(word.lower()), text):
                found[name_of(path)].append(word)
    return dict(found)


def test_the_search_for_words_finds_what_is_there() -> None:
    assert "tests/house/test_repository.py" in words_found(["untelling_module"])
    assert words_found(["never_seen" + "_anywhere"]) == {}


def test_no_file_names_a_registry() -> None:
    assert words_found(REGISTRIES) == {}


def test_no_file_names_a_path_of_the_machine_that_it_was_made_on() -> None:
    here = [str(ROOT)] if len(ROOT.parts) > 2 else []
    assert words_found(MACHINE_PATHS + here, after=r"(?<![\w.~-])") == {}


def test_the_product_stands_without_the_folder_beside_it() -> None:
    beside = words_found(["../" + "shared"])
    assert [name for name in beside if not name.startswith("tests/")] == []


def test_no_file_is_left_over_from_an_editor_or_a_run() -> None:
    leftover = re.compile(r"(\.(orig|rej|bak|tmp|log|pyc|db|sqlite)|~)$|^\.DS_Store$")
    assert [name_of(path) for path in files() if leftover.search(path.name)] == []


def test_text_files_end_with_one_newline_and_no_trailing_space() -> None:
    careless = [
        name_of(path)
        for path in files()
        if path.suffix in {".py", ".md", ".sql", ".toml", ".txt"} or path.name == "Makefile"
        if (text := path.read_text(encoding="utf-8"))
        and (
            not text.endswith("\n")
            or text.endswith("\n\n")
            or re.search(r"[ \t]$", text, re.MULTILINE)
        )
    ]
    assert careless == []


@pytest.mark.parametrize("folder", SOURCES)
def test_every_public_module_says_what_it_is_for(folder: str) -> None:
    silent = [
        name_of(path)
        for path in modules(folder)
        if (not path.name.startswith("_") or path.name == "__init__.py")
        and not (ast.get_docstring(tree(path)) or "").strip()
    ]
    assert silent == []


def test_names_tell_what_a_thing_is() -> None:
    untelling = []
    for path in modules(*SOURCES):
        if UNTELLING_MODULE.search(path.stem):
            untelling.append(name_of(path))
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and UNTELLING_CLASS.search(node.name):
                untelling.append(f"{name_of(path)}: {node.name}")
            if isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef
            ) and UNTELLING_FUNCTION.search(node.name):
                untelling.append(f"{name_of(path)}: {node.name}")
    assert untelling == []


def test_a_module_stays_short_enough_to_read_in_one_go() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules("src", "sdk/src")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_migrations_are_numbered_from_one_without_holes() -> None:
    numbered: dict[str, list[str]] = defaultdict(list)
    for path in files():
        if "migrations" in path.parent.parts and path.suffix == ".sql":
            numbered[name_of(path.parent)].append(path.stem)
    for folder, names in numbered.items():
        assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+", name) for name in names), (folder, names)
        assert sorted(int(name[:4]) for name in names) == list(range(1, len(names) + 1)), folder


def test_every_named_sql_file_is_of_use() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in modules("src", "tests"))
    unread = [
        name_of(path)
        for path in files()
        if path.suffix == ".sql"
        and "migrations" not in path.parts
        and not re.search(rf"\b{re.escape(path.stem)}\b", code)
    ]
    assert unread == []


def test_the_license_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 200


def test_ci_runs_the_commands_that_the_readme_names() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert re.search(r"^make test\b", text, re.MULTILINE)
    assert re.search(r"^make check\b", text, re.MULTILINE)
    assert "set -euo pipefail" in text
