"""Sending again what an operator chooses: what would be sent, and sending it part by part."""

from milepost.resends.resending import MOST_RUNNING, PART, ROOM, Forecast, Resends

__all__ = ["MOST_RUNNING", "PART", "ROOM", "Forecast", "Resends"]
