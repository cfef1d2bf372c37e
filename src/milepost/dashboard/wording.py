"""Reasons as people read them: one line of a flow, with its times in the viewer's zone."""

from __future__ import annotations

import re
from datetime import datetime

from milepost.dashboard.page import View
from milepost.dashboard.rendering import time_text
from milepost.delivery.model import Outcome
from milepost.orders.lifecycle import State

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

_WORD = re.compile(r"\b(?:" + "|".join((*State, *Outcome)) + r")\b")


def plainly(view: View, text: str) -> str:
    """The text with a capital at its beginning, its times and words as they are shown elsewhere."""
    shown = _MOMENT.sub(lambda found: _shown(view, found[0]), text)
    shown = _WORD.sub(lambda found: found[0].replace("_", " "), shown)
    return shown[:1].upper() + shown[1:]


def _shown(view: View, text: str) -> str:
    return time_text(view, datetime.fromisoformat(text), seconds=True)
