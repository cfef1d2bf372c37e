"""Numbers over time as SVG: drawn by pygal, colored by our stylesheet, without script or style.

The page's policy forbids both inside a drawing; every number in it stands in a table beside it for
whoever does not see it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup
from pygal.style import Style

# It leaves a finder of an old kind behind, for maps that are packages of their own; with it every
# later import in the process warns.
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "PluginImportFixer"]

WIDTH, HEIGHT = 640, 200
_SVG = "{http://www.w3.org/2000/svg}"
_FORBIDDEN = ("script", "style", "defs", "desc", "title")
_STYLE = Style(label_font_size=14, major_label_font_size=14)
_STEPS = (1, 2, 5)

Series = tuple[str, Sequence[float]]


def bars(labels: Sequence[str], series: Sequence[Series], *, label: str, every: int) -> Markup:
    """Stacked bars: a label for each step, of which every so manyth is shown, and what each adds.

    `label` says in a sentence what the drawing shows.
    """
    given = tuple((name, tuple(values)) for name, values in series)
    return _bars(tuple(labels), given, label, every)


@lru_cache(maxsize=128)
def _bars(labels: Sequence[str], series: Sequence[Series], label: str, every: int) -> Markup:
    """Drawn once: every look at a page in which nothing has changed draws the same."""
    totals = [sum(column) for column in zip(*(values for _, values in series), strict=True)]
    ticks = ticks_of(max(totals, default=0))
    chart = pygal.StackedBar(
        style=_STYLE,
        range=(0, ticks[-1]),
        css=[],
        js=[],
        width=WIDTH,
        height=HEIGHT,
        margin=4,
        spacing=6,
        show_legend=False,
        print_values=False,
        include_x_axis=True,
        x_labels_major_every=every,
        show_minor_x_labels=False,
        truncate_label=-1,
        value_formatter=lambda value: f"{value:,.0f}",
        no_data_text="",
    )
    chart.x_labels = list(labels)
    chart.y_labels = ticks
    for name, values in series:
        # Drawing a bar takes its time, also one of no height.
        chart.add(name, [value or None for value in values])
    return _drawing(chart.render_tree(), label=label)


def ticks_of(most: float) -> Sequence[int]:
    """Whole numbers in even steps from 0 to at least so much, three to five of them."""
    size = 1
    while True:
        for step in _STEPS:
            if step * size * 4 >= most:
                count = max(2, -int(-most // (step * size)))
                return [step * size * i for i in range(count + 1)]
        size *= 10


def _drawing(tree: ET.Element, *, label: str) -> Markup:
    """The drawing as it may stand in a page; it scales with the room that it has."""
    _strip(tree)
    for name in ("width", "height", "id"):
        tree.attrib.pop(name, None)
    tree.set("role", "img")
    tree.set("aria-label", label)
    tree.set("class", "drawn")
    text = ET.tostring(tree, encoding="unicode").replace("ns0:", "").replace(":ns0", "")
    return Markup(text)  # noqa: S704 - drawn from numbers and labels of ours, escaped on the way


def _strip(element: ET.Element) -> None:
    for child in list(element):
        # The tag of a comment is a function, whatever its type says.
        name = str(child.tag).removeprefix(_SVG)
        if name in _FORBIDDEN or not name.isalnum() or child.get("style"):
            element.remove(child)
        else:
            _strip(child)
