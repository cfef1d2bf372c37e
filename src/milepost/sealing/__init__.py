"""Secrets at rest: sealed with the operator's keys, each for the one place that it is kept in."""

from milepost.sealing.keys import (
    KeyFile,
    KeysGiven,
    KeySource,
    NoKeys,
    key_path,
    key_text,
    read_keys,
    source_of,
)
from milepost.sealing.vault import Vault, key_id

__all__ = [
    "KeyFile",
    "KeySource",
    "KeysGiven",
    "NoKeys",
    "Vault",
    "key_id",
    "key_path",
    "key_text",
    "read_keys",
    "source_of",
]
