"""The lifecycle as text: a Mermaid chart, and the tables of its document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

from milepost.orders.graph.arrows import ARROWS, BEFORE, LINE, MAIN, MOVES, ON_THE_WAY, WAREHOUSE
from milepost.orders.graph.phases import MEANING, PHASES
from milepost.orders.lifecycle import (
    EDGES,
    HARD_ENDS,
    MAIN_LINE,
    MOVING,
    NEEDS_ATTENTION,
    REASONS,
    SIDE,
    SOFT_ENDS,
    WAREHOUSE_LINE,
    EdgeClass,
    State,
)

_MAIN_STEPS = frozenset(pairwise(MAIN_LINE))


# --- Mermaid --------------------------------------------------------------------------------------


def mermaid(*, full: bool = False) -> str:
    """A Mermaid flowchart by phase: the essential arrows, or all edges when it is to be full.

    The main line is thick, corrections are dashed, and an arrow of a box holds for all inside.
    """
    carrier = tuple(s for s in PHASES["Carrier"] if s not in MOVING)
    lines = [
        "flowchart TB",
        f'  subgraph {BEFORE}["before shipping"]',
        '    subgraph intake["Intake"]',
        *_nodes(PHASES["Intake"], indent=6),
        "    end",
        f'    subgraph {WAREHOUSE}["Warehouse"]',
        f'      subgraph {LINE}[" "]',
        *_nodes(WAREHOUSE_LINE, indent=8),
        "      end",
        *_nodes(SIDE, indent=6),
        "    end",
        "  end",
        '  subgraph cancellation["Cancellation"]',
        *_nodes(PHASES["Cancellation"], indent=4),
        "  end",
        '  subgraph elsewhere["Elsewhere"]',
        *_nodes(PHASES["Elsewhere"], indent=4),
        "  end",
        f'  subgraph {ON_THE_WAY}["Carrier"]',
        f'    subgraph {MOVES}["moving, in any order"]',
        *_nodes(MOVING, indent=6),
        "    end",
        *_nodes(carrier, indent=4),
        "  end",
        *(_every_edge() if full else _essential()),
        f"  class {','.join(MAIN_LINE)} main",
        "  classDef main stroke-width:3px",
    ]
    return "\n".join(lines) + "\n"


def _nodes(states: Iterable[State], *, indent: int) -> list[str]:
    """A state as a box, an end as a stadium."""
    ends = HARD_ENDS | SOFT_ENDS
    return [" " * indent + (f"{s}([{s}])" if s in ends else f"{s}[{s}]") for s in states]


def _essential() -> list[str]:
    drawn = []
    for arrow in ARROWS:
        stroke = "-.->" if arrow.edge_class is EdgeClass.CORRECTION else "-->"
        stroke = "==>" if arrow in MAIN else stroke
        label = f"|{arrow.label}|" if arrow.label else ""
        both = "<" if arrow.both else ""
        drawn.append(f"  {arrow.origin} {both}{stroke}{label} {arrow.target}")
    return drawn


def _every_edge() -> list[str]:
    strokes = {EdgeClass.NORMAL: "-->", EdgeClass.CORRECTION: "-.->"}
    return [
        f"  {a} {'==>' if (a, b) in _MAIN_STEPS else strokes[edge.edge_class]} {b}"
        for (a, b), edge in EDGES.items()
    ]


# --- tables ---------------------------------------------------------------------------------------


def state_table() -> str:
    """Every state by phase, with a line about each, in Markdown."""
    lines = []
    for phase, states in PHASES.items():
        lines += [f"**{phase}**", "", "| State | What it says | |", "|---|---|---|"]
        lines += [f"| `{s}` | {MEANING[s]} | {_remark(s)} |" for s in states]
        lines.append("")
    return "\n".join(lines[:-1])


def _remark(state: State) -> str:
    if state in REASONS:
        return "reasons: " + ", ".join(f"`{reason}`" for reason in sorted(REASONS[state]))
    remarks = (
        (state in HARD_ENDS, "end for good"),
        (state in SOFT_ENDS and state not in MAIN_LINE, "end; a late scan reopens it"),
        (state in SOFT_ENDS and state in MAIN_LINE, "end; only a correction leaves it"),
        (state in MOVING, "moving"),
        (state in NEEDS_ATTENTION, "needs attention"),
    )
    return ", ".join(remark for holds, remark in remarks if holds)


def edge_table() -> str:
    """Every edge that any update may take, by origin and by why, in Markdown."""
    return _table(EdgeClass.NORMAL)


def correction_table() -> str:
    """Every edge that only a correction may take, by origin and by why, in Markdown."""
    return _table(EdgeClass.CORRECTION)


def _table(edge_class: EdgeClass) -> str:
    lines = ["| From | To | Why |", "|---|---|---|"]
    for state in State:
        by_why: dict[str, list[State]] = {}
        for edge in EDGES.values():
            if edge.origin is state and edge.edge_class is edge_class:
                by_why.setdefault(edge.why, []).append(edge.target)
        lines += [
            f"| `{state}` | {', '.join(f'`{t}`' for t in sorted(targets, key=_place))} | {why} |"
            for why, targets in by_why.items()
        ]
    return "\n".join(lines)


def _place(state: State) -> int:
    return tuple(State).index(state)


# --- the document ---------------------------------------------------------------------------------

GENERATED: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "states": state_table,
        "edges": edge_table,
        "corrections": correction_table,
    }
)
"""The parts of the lifecycle's document that are rendered, by the name in their markers."""


def filled_in(document: str) -> str:
    """The document with what stands between `<!-- generated: name -->` markers rendered anew.

    Raises KeyError for a name that is not in GENERATED.
    """

    def render(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{GENERATED[found[2]]()}\n\n{found[3]}"

    pattern = r"(<!-- generated: (\w+) -->).*?(<!-- end of \2 -->)"
    return re.sub(pattern, render, document, flags=re.DOTALL)
