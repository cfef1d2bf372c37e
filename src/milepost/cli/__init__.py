"""The command line; it decides nothing that another door would decide in another way."""

from milepost.cli.main import app, main

__all__ = ["app", "main"]
