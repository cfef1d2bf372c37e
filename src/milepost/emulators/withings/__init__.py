"""Withings' order interface: three URLs, an action each, and every answer HTTP 200."""

from milepost.emulators.withings.door import PATHS, routes

__all__ = ["PATHS", "routes"]
