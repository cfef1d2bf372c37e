"""The document of tracking says what the code does."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from milepost.net.carriers import KINDS, STORIES
from milepost.net.carriers.shape import HttpConfig
from milepost.orders.tracking import (
    EXPIRES_AFTER,
    JITTER,
    PACES,
    RETURN_WATCHED,
    TOO_EARLY,
)
from milepost.settings import Settings

TEXT = (Path(__file__).resolve().parents[2] / "docs/tracking.md").read_text(encoding="utf-8")
PLAIN = " ".join(TEXT.split())


def span(time: timedelta) -> str:
    return f"{time.days} d" if time.days else f"{time.seconds // 3_600} h"


def test_the_schedule_in_the_document_is_the_one_of_the_code() -> None:
    held = re.search(r"<!-- drawn: paces -->\n\n(.*?)\n\n<!--", TEXT, re.DOTALL)
    assert held is not None
    rows = re.findall(r"^\| (.+?) \| (\d.+?) \|$", held[1], re.MULTILINE)
    assert rows == [
        ("older" if p is PACES[-1] else f"under {span(p.younger_than)}", span(p.every))
        for p in PACES
    ]
    assert "varied by up to a tenth" in PLAIN
    assert abs(JITTER - 1 / 10) < 1e-9


def test_the_times_in_the_document_are_those_of_the_code() -> None:
    assert f"**{RETURN_WATCHED.days} days** after its first return event" in PLAIN
    assert f"**{EXPIRES_AFTER.days} days** after it was created" in PLAIN
    assert f"more than {TOO_EARLY.seconds // 60} minutes ahead" in PLAIN
    settings = Settings()
    assert "`MILEPOST_TRACKING_POLL_S` |" in TEXT
    assert settings.tracking_poll_s == 1
    assert f"| {settings.tracking_at_once} |" in TEXT


def test_every_kind_field_and_story_is_explained() -> None:
    assert re.findall(r"^\| `(http|simulator|pushed)` \|", TEXT, re.MULTILINE) == list(KINDS)
    listed = re.findall(r"^\| `([a-z_]+)` \| .* \| .* \|$", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(HttpConfig.__struct_fields__)
    assert all(f"`{story}`" in TEXT for story in STORIES)
