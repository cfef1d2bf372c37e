"""Writes what is rendered of Withings' words anew: `python -m tests.contracts.redraw`."""

from __future__ import annotations

import re
from pathlib import Path

from milepost.contracts.withings.diagram import steps_table, svg

DOCS = Path(__file__).resolve().parents[2] / "docs/contracts"


def redraw() -> None:
    """The document and the picture as the code renders them."""
    document = DOCS / "withings-states.md"
    text = document.read_text(encoding="utf-8")
    pattern = r"(<!-- drawn: steps -->).*?(<!-- end of steps -->)"
    drawn = re.sub(
        pattern,
        lambda found: f"{found[1]}\n\n{steps_table()}\n\n{found[2]}",
        text,
        flags=re.DOTALL,
    )
    document.write_text(drawn, encoding="utf-8")
    (DOCS / "withings-states.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    redraw()
