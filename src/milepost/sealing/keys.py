"""Where the keys come from: a setting, a file, or a file that is made beside a new database."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from milepost.errors import SettingInvalid
from milepost.settings import Settings

KEY_BYTES = 32
"""Of a key for AES-256."""

EXPECTED = f"{KEY_BYTES} random bytes in base64, as `milepost secrets new-key` prints them"
_COMMENT = re.compile(r"#.*")
_BETWEEN = re.compile(r"[\s,]+")


class KeySource(Protocol):
    """Where keys are found, the one that seals first."""

    shown: str

    def read(self) -> tuple[bytes, ...]:
        """The keys, none where there are none yet. Raises SettingInvalid."""

    def make(self, key: bytes) -> tuple[bytes, ...]:
        """Keeps this as the first key of all, and returns the keys that then are there.

        Raises SettingInvalid where a key must be given.
        """


def source_of(settings: Settings) -> KeySource:
    """Where these settings say that the keys are. Raises SettingInvalid when they say it twice."""
    if settings.secret_key and settings.secret_key_file:
        raise SettingInvalid(
            "MILEPOST_SECRET_KEY and MILEPOST_SECRET_KEY_FILE: expected one of the two"
        )
    if settings.secret_key:
        return KeysGiven(settings.secret_key)
    if settings.secret_key_file:
        return KeyFile(Path(settings.secret_key_file), new=False)
    scheme, _, path = settings.database_url.partition("://")
    if scheme == "sqlite":
        return KeyFile(key_path(Path(path[1:])), new=True)
    return NoKeys()


def key_path(database: Path) -> Path:
    """Where the key of a database that is a file lies, if nobody says otherwise."""
    return database.with_name(f"{database.name}.key")


def key_text(key: bytes) -> str:
    """A key as it is written into a setting or a file."""
    return base64.b64encode(key).decode()


def read_keys(text: str, *, where: str) -> tuple[bytes, ...]:
    """The keys in a text, parted by commas, white space or lines; `#` begins a comment.

    Raises SettingInvalid, which never repeats what was given.
    """
    words = [word for word in _BETWEEN.split(_COMMENT.sub("", text)) if word]
    keys = tuple(_key(word, number, where=where) for number, word in enumerate(words, start=1))
    if len(set(keys)) != len(keys):
        raise SettingInvalid(f"{where}: the same key is there twice")
    return keys


def _key(word: str, number: int, *, where: str) -> bytes:
    try:
        key = base64.b64decode(word.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingInvalid(f"{where}: key {number}: expected {EXPECTED}")
    return key


class KeysGiven:
    """Keys that are in a setting itself."""

    shown = "MILEPOST_SECRET_KEY"

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> tuple[bytes, ...]:
        keys = read_keys(self._text, where=self.shown)
        if not keys:
            raise SettingInvalid(f"{self.shown}: expected {EXPECTED}")
        return keys

    def make(self, key: bytes) -> tuple[bytes, ...]:  # noqa: ARG002 - there are keys already
        return self.read()


class KeyFile:
    """Keys in a file, one a line; it is made when it is missing and may be `new`."""

    def __init__(self, path: Path, *, new: bool) -> None:
        self.path = path
        self.shown = str(path)
        self._new = new

    def read(self) -> tuple[bytes, ...]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if self._new:
                return ()
            raise SettingInvalid(f"MILEPOST_SECRET_KEY_FILE: {self.path} is not there") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingInvalid(f"The key file {self.path} cannot be read: {error}") from None
        keys = read_keys(text, where=str(self.path))
        if not keys:
            raise SettingInvalid(f"{self.path}: expected {EXPECTED}")
        return keys

    def make(self, key: bytes) -> tuple[bytes, ...]:
        """Of several processes that make it at once one does, and all have its key.

        It is whole from the moment that it has its name, and on the disk before it is used.
        """
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        try:
            _write(draft, _FILE.format(key=key_text(key)))
            with suppress(FileExistsError):
                os.link(draft, self.path)
            draft.unlink()
            _sync(self.path.absolute().parent)
        except OSError as error:
            raise SettingInvalid(f"The key file {self.path} cannot be made: {error}") from None
        return self.read()


_FILE = """\
# The key that seals the secrets in Milepost's database. Without it they cannot be read again: keep
# a copy, and not in the same place as the copies of the database.
{key}
"""


def _write(path: Path, text: str) -> None:
    """A new file for nobody but its owner, on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    """Puts the names in a folder on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class NoKeys:
    """Where several processes share a database, none of them can make a key for all."""

    shown = "no key"

    def read(self) -> tuple[bytes, ...]:
        return ()

    def make(self, key: bytes) -> tuple[bytes, ...]:  # noqa: ARG002 - nobody else would have it
        raise SettingInvalid(
            "MILEPOST_SECRET_KEY or MILEPOST_SECRET_KEY_FILE: secrets are kept sealed, so every "
            "process needs the key; `milepost secrets new-key` prints a new one"
        )
