"""ShipMonk's order interface: orders in and out, in its words and under its paths."""

from milepost.emulators.shipmonk.door import PATHS, routes

__all__ = ["PATHS", "routes"]
