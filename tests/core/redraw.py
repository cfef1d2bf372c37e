"""Writes the rendered parts of the lifecycle's document anew: `python -m tests.core.redraw`."""

from __future__ import annotations

from pathlib import Path

from milepost.orders.graph import filled_in, svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENT, PICTURE = DOCS / "lifecycle.md", DOCS / "lifecycle.svg"


def redraw() -> None:
    """The document and the picture as the code renders them."""
    DOCUMENT.write_text(filled_in(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    redraw()
