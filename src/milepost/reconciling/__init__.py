"""Reconciling: our orders beside a provider's, on demand and from time to time."""

from milepost.reconciling.runs import Reconciling

__all__ = ["Reconciling"]
