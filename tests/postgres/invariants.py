"""What must hold of the tables after whatever has happened; the torture asks for it too."""

from __future__ import annotations

from benchmarks.invariants import broken

__all__ = ["broken"]
