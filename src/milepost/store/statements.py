"""SQL by name, from files that stand as they would be typed into the database's own shell.

A file is a list of statements, each after a line `-- name: …`. Three conventions, and no more:

- `-- part: …` names a piece of text, which `{…}` in any statement of the same files stands for.
- A line that ends with `-- if word` is only there when the word is among those given.
- In a statement for batches, the row of parameters after VALUES is written once and repeated as
  often as there are rows. What a column holds in all of them alike can be one parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

SQL_FOLDER = files("milepost.store") / "sql"

_HEAD = re.compile(r"^-- (name|part): (\w+)$")
_OPTIONAL = re.compile(r"^(.*?) *-- if (\w+)$")
_PART = re.compile(r"\{(\w+)\}")
_PARAMETERS = re.compile(r"VALUES (\(\?(?:, \?)*\))")


class Statement:
    """One statement of a file, in the forms that it is run in."""

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self.name = name
        self._lines = [
            (found[1], found[2]) if (found := _OPTIONAL.match(line)) else (line, None)
            for line in lines
        ]
        self._given = lru_cache(maxsize=256)(self._with)
        self._repeated = lru_cache(maxsize=64)(self._rows)

    @cached_property
    def text(self) -> str:
        """The statement without its optional lines, for one row."""
        return self._with(frozenset())

    @cached_property
    def options(self) -> frozenset[str]:
        """The words that its optional lines ask for."""
        return frozenset(word for _, word in self._lines if word is not None)

    @cached_property
    def width(self) -> int:
        """How many parameters one row takes."""
        return self._row.count("?")

    def given(self, words: frozenset[str]) -> str:
        """The statement with the optional lines that these words ask for."""
        return self._given(words & self.options)

    def of_rows(self, count: int, alike: tuple[bool, ...]) -> str:
        """The statement for so many rows; `alike` are the columns that hold the same in all.

        Its parameters are one for each of those, and then the other columns one after the other.
        """
        return self._repeated(count, alike)

    @cached_property
    def _row(self) -> str:
        found = _PARAMETERS.search(self.text)
        if found is None:
            raise ValueError(f"{self.name} takes no rows")
        return found[1]

    def _with(self, words: frozenset[str]) -> str:
        return "\n".join(line for line, word in self._lines if word is None or word in words)

    def _rows(self, count: int, alike: tuple[bool, ...]) -> str:
        columns: list[Sequence[int]] = []
        once, each = 1, 1 + sum(alike)
        for is_alike in alike:
            if is_alike:
                columns.append([once] * count)
                once += 1
            else:
                columns.append(range(each, each + count))
                each += count
        rows = (", ".join(f"?{number}" for number in row) for row in zip(*columns, strict=True))
        return self.text.replace(self._row, ", ".join(f"({row})" for row in rows), 1)


def load(*names: str) -> Mapping[str, Statement]:
    """The statements of these files of the SQL folder, by their names."""
    parts: dict[str, list[str]] = {}
    statements: dict[str, list[str]] = {}
    for name in names:
        _read(SQL_FOLDER / f"{name}.sql", parts=parts, statements=statements)
    filled = {name: "\n".join(lines) for name, lines in parts.items()}

    def fill(lines: Iterable[str]) -> list[str]:
        return _PART.sub(lambda found: filled[found[1]], "\n".join(lines)).split("\n")

    return {name: Statement(name, fill(lines)) for name, lines in statements.items()}


def _read(
    path: Traversable, *, parts: dict[str, list[str]], statements: dict[str, list[str]]
) -> None:
    into: list[str] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if head := _HEAD.match(line):
            kind = statements if head[1] == "name" else parts
            if head[2] in kind:
                raise ValueError(f"{path}: {head[2]} is there twice")
            into = kind[head[2]] = []
        elif line.strip() and not line.lstrip().startswith("--"):
            if into is None:
                raise ValueError(f"{path}: begins without a name")
            into.append(line.rstrip().removesuffix(";"))
