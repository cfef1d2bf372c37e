"""What is sealed can be read with the keys alone, and only in the place that it was sealed for.

AES-256 in Galois counter mode, with a random nonce each time. Before what is sealed stand the
version of this form and the id of its key; both, and the place, are authenticated with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from milepost.errors import SecretUnreadable, SettingInvalid
from milepost.sealing.keys import KEY_BYTES, KeySource

FORM = b"\x01"
ID_BYTES, NONCE_BYTES = 8, 12
HEAD_BYTES = len(FORM) + ID_BYTES + NONCE_BYTES

_CHECK_PLACE, _CHECK = "check", b"Milepost"


def key_id(key: bytes) -> bytes:
    """What a key is known by, which tells nothing of it."""
    return hashlib.sha256(b"milepost key id\x00" + key).digest()[:ID_BYTES]


class Vault:
    """Seals with the first of its keys and opens with any; locked until `unlock`."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._first = b""
        self._ciphers: Mapping[bytes, Any] = {}
        self.made = False

    @property
    def shown(self) -> str:
        """Where the keys come from, for people."""
        return self._source.shown

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that seals first."""
        return tuple(name.hex() for name in self._ciphers)

    def unlock(self, check: bytes | None) -> bytes:
        """Reads the keys; returns what the database must keep, so that a wrong key is noticed.

        `check` is what it has kept; without any the database is new, and so may be the key. Raises
        SettingInvalid when the keys do not fit what is sealed.
        """
        if check is None:
            return self.unlock_anew()
        keys = self._source.read()
        if not keys:
            raise SettingInvalid(
                f"{self.shown}: the secrets of this database are sealed with the key "
                f"{_id_of(check)}, and there is none"
            )
        self._enter(keys)
        try:
            self.open(check, place=_CHECK_PLACE)
        except SecretUnreadable:
            given, self._ciphers = ", ".join(self.ids), {}
            raise SettingInvalid(
                f"{self.shown}: the secrets of this database are sealed with the key "
                f"{_id_of(check)}, which is not among those that are there: {given}"
            ) from None
        return check

    def unlock_anew(self) -> bytes:
        """The same for a database in which nothing is sealed, or nothing that can be opened."""
        keys = self._source.read()
        if not keys:
            keys = self._source.make(secrets.token_bytes(KEY_BYTES))
            self.made = True
        self._enter(keys)
        return self.check()

    def check(self) -> bytes:
        """What shows, as long as it is kept, that the key that seals now is the right one."""
        return self.seal(_CHECK, place=_CHECK_PLACE)

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """These bytes sealed with the first key, for this place alone."""
        if not self._ciphers:
            raise SecretUnreadable(f"{place}: no key was read yet")
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = self._ciphers[self._first]
        text: bytes = cipher.encrypt(nonce, plain, _bound(self._first, place))
        return FORM + self._first + nonce + text

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """What was sealed for this place. Raises SecretUnreadable."""
        name = _name_in(sealed)
        cipher = self._ciphers.get(name)
        if cipher is None or sealed[:1] != FORM:
            raise SecretUnreadable(f"{place}: sealed with the key {_id_of(sealed)}")
        nonce, text = sealed[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES], sealed[HEAD_BYTES:]
        try:
            plain: bytes = cipher.decrypt(nonce, text, _bound(name, place))
        except Exception as error:
            raise SecretUnreadable(f"{place}: this is not what was sealed there") from error
        return plain

    def is_current(self, sealed: bytes) -> bool:
        """Whether this was sealed with the key that seals now."""
        return sealed[:1] == FORM and _name_in(sealed) == self._first

    def _enter(self, keys: tuple[bytes, ...]) -> None:
        # Loading it takes a while, which a command that meets no secret need not wait for.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self._first = key_id(keys[0])
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}


def _bound(name: bytes, place: str) -> bytes:
    return FORM + name + place.encode()


def _name_in(sealed: bytes) -> bytes:
    return sealed[len(FORM) : len(FORM) + ID_BYTES]


def _id_of(sealed: bytes) -> str:
    return _name_in(sealed).hex()
