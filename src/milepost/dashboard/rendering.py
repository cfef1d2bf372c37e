"""Templates: escaped by default, strict about what is missing, and with our own few filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from milepost import __version__
from milepost.dashboard.assets import asset_path
from milepost.dashboard.chips import kind_of, shown_word
from milepost.dashboard.page import Context, View
from milepost.dashboard.places import PLACES

THEMES = ("auto", "light", "dark")
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


@cache
def environment() -> Environment:
    """The templates of this room and everything that they can name."""
    env = Environment(
        loader=PackageLoader("milepost.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=400,
    )
    env.filters |= {"number": number, "span": span, "ms": milliseconds, "word": shown_word}
    env.globals |= {
        "asset": asset_path,
        "kind_of": kind_of,
        "places": PLACES,
        "themes": THEMES,
        "version": __version__,
        "time_text": time_text,
        "utc_text": utc_text,
        "ago_text": ago_text,
        "iso": iso,
    }
    return env


def render(view: View, template: str, context: Context, part: str = "") -> str:
    """The HTML of a template, or of one block of it: `part_` and the name of the part.

    Raises KeyError for a part that the template does not have.
    """
    found = environment().get_template(template)
    values: dict[str, Any] = {"view": view, **context}
    if part:
        inside = found.new_context(values)
        # Up to where the page begins: what the template imports is known in its blocks then.
        next(found.root_render_func(inside), None)
        return "".join(found.blocks[f"part_{part}"](inside))
    return found.render(values)


def has_part(template: str, part: str) -> bool:
    return f"part_{part}" in environment().get_template(template).blocks


def number(value: float) -> str:
    """A number with its thousands apart: 1,234,567."""
    return f"{value:,}"


def milliseconds(value: float) -> str:
    """A time in milliseconds, in seconds from one second on."""
    return f"{value / 1_000:,.1f} s" if value >= 1_000 else f"{value:,.0f} ms"


def span(value: timedelta | float) -> str:
    """A length of time in its largest unit, or two: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    left = int(value.total_seconds() if isinstance(value, timedelta) else value)
    parts: list[str] = []
    for size, unit in _STEPS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    if not parts:
        return f"{left} s"
    return " ".join(part for part in parts[:2] if part)


def ago_text(moment: datetime, now: datetime) -> str:
    """How long ago something was, or how long it still takes."""
    if moment > now:
        return f"in {span(moment - now)}"
    return "just now" if now - moment < timedelta(seconds=5) else f"{span(now - moment)} ago"


def time_text(view: View, moment: datetime, *, seconds: bool = False) -> str:
    """A time in the viewer's zone, which the browser has told; before that in UTC, and so named."""
    local = moment.astimezone(view.zone or UTC)
    clock = "%H:%M:%S" if seconds else "%H:%M"
    text = local.strftime(f"%b {local.day}, %Y, {clock}")
    return text if view.zone is not None else f"{text} UTC"


def utc_text(moment: datetime) -> str:
    """The same in UTC, to the millisecond."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1_000:03} UTC"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def marked(text: str) -> Markup:
    """HTML that was made by a library of ours and holds nothing from outside: an SVG chart."""
    return Markup(text)  # noqa: S704
