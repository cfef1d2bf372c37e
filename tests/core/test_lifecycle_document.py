"""The document of the lifecycle says what the code does."""

from __future__ import annotations

import re

from milepost.orders.events import Verdict
from milepost.orders.graph import GENERATED, filled_in, svg
from milepost.orders.lifecycle import PARCEL_ORDER
from tests.core import reading
from tests.core.redraw import DOCUMENT, PICTURE

AGAIN = "run: python -m tests.core.redraw"


def test_the_tables_of_the_document_are_what_the_code_renders() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- generated: (\w+) -->", text)) == set(GENERATED)
    assert filled_in(text) == text, AGAIN


def test_the_picture_is_what_the_code_renders() -> None:
    assert PICTURE.read_text(encoding="utf-8") == svg(), AGAIN


def test_the_document_shows_the_picture_and_counts_the_edges_right() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert "(lifecycle.svg)" in text
    assert f"lifecycle of {len(reading.STATES)} states" in text
    assert f"{len(reading.NORMAL)} edges that any update may take" in text
    assert f"{len(reading.CORRECTIONS)} that only a correction may take" in text


def test_the_document_explains_every_verdict() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"| {verdict} |" in text for verdict in Verdict)


def test_the_document_tells_the_order_of_parcels() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert ", ".join(PARCEL_ORDER) in text
