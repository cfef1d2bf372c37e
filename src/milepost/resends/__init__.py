"""Sending again what an operator chooses: what would be sent, and sending it part by part."""

from milepost.resends.resending import GLANCE, MOST_RUNNING, PART, ROOM, Forecast, Resends

__all__ = ["GLANCE", "MOST_RUNNING", "PART", "ROOM", "Forecast", "Resends"]
