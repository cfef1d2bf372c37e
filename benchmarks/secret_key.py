"""The key of the databases that are measured and tortured, the same in every process."""

from __future__ import annotations

from milepost.sealing import key_text

SECRET_KEY = key_text(b"a key that keeps nothing secret.")
"""The setting MILEPOST_SECRET_KEY."""
