"""The lifecycle shown: drawn, told in tables, and explained step by step; pure.

All of it is rendered from the one table of edges, so that what is shown is what holds.
"""

from milepost.orders.graph.explanation import Explanation, explain
from milepost.orders.graph.phases import EVERY_STATE, MEANING, PHASES, phase_of
from milepost.orders.graph.picture import svg
from milepost.orders.graph.texts import (
    GENERATED,
    correction_table,
    edge_table,
    filled_in,
    mermaid,
    state_table,
)

__all__ = [
    "EVERY_STATE",
    "GENERATED",
    "MEANING",
    "PHASES",
    "Explanation",
    "correction_table",
    "edge_table",
    "explain",
    "filled_in",
    "mermaid",
    "phase_of",
    "state_table",
    "svg",
]
