"""The key of the databases that tests make where it does not lie beside the file."""

from __future__ import annotations

from milepost.sealing import KeysGiven, Vault, key_text

KEY = key_text(bytes(range(32)))


def a_vault(*texts: str) -> Vault:
    """A vault with these keys, or the one of all tests."""
    return Vault(KeysGiven(",".join(texts or (KEY,))))
