"""Milepost: a self-hosted hub that knows what an order status means and tells it in order."""

from __future__ import annotations

__version__ = "0.1.0"
