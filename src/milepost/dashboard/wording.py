"""Reasons as people read them: one line of a flow, with its times in the viewer's zone."""

from __future__ import annotations

import re
from datetime import datetime

from milepost.dashboard.page import View
from milepost.dashboard.rendering import time_text

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def plainly(view: View, text: str) -> str:
    """The text with a capital at its beginning and its times as every other time is shown."""
    shown = _MOMENT.sub(lambda found: _shown(view, found[0]), text)
    return shown[:1].upper() + shown[1:]


def _shown(view: View, text: str) -> str:
    return time_text(view, datetime.fromisoformat(text), seconds=True)
