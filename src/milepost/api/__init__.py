"""The native HTTP interface: orders and updates in, everything out to read, described by itself."""

from milepost.api.app import ROUTES, create_app

__all__ = ["ROUTES", "create_app"]
