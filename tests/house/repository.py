"""The repository as the tests of the house see it: its files, its documents, its modules."""

from __future__ import annotations

import ast
import functools
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src", "sdk/src", "benchmarks", "examples", "tools")
NOT_OURS = {".git", ".venv", ".lock", "build", "dist", "__pycache__"}


def _listed_by_git() -> list[Path] | None:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return None
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def _found_on_disk() -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith("_cache")
        ]
        found += [Path(folder) / name for name in names]
    return found


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file of the project, new ones too; without git, what a fresh copy would hold."""
    listed = _listed_by_git()
    return tuple(sorted(path for path in (listed or _found_on_disk()) if path.is_file()))


def documents() -> tuple[Path, ...]:
    """Every Markdown document of the project."""
    return tuple(path for path in files() if path.suffix == ".md")


def modules(*folders: str) -> tuple[Path, ...]:
    """Every Python module beneath `folders`, which are named from the root."""
    roots = tuple(ROOT / folder for folder in folders)
    return tuple(
        path
        for path in files()
        if path.suffix == ".py" and any(root in path.parents for root in roots)
    )


def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """The path from the root, which is how a failure names a file."""
    return path.relative_to(ROOT).as_posix()


def toml(name: str) -> dict[str, Any]:
    """A TOML file of the project, decoded."""
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))
