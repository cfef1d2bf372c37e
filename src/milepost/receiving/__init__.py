"""What providers send by webhook is proved, read, stored, and decided on like every update."""

from __future__ import annotations

from milepost.receiving.flow import Receiving
from milepost.receiving.gates import Gate, Gates
from milepost.receiving.setup import MadeSource, SourceChange, SourceInput, SourceStatus

__all__ = [
    "Gate",
    "Gates",
    "MadeSource",
    "Receiving",
    "SourceChange",
    "SourceInput",
    "SourceStatus",
]
