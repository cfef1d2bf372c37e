"""Where providers send their webhooks to."""

from __future__ import annotations

from milepost.inbound.door import PREFIX, Door

__all__ = ["PREFIX", "Door"]
