"""What is large in a row, compressed: the contents of orders and the bodies of notifications.

They are short texts that are much alike, so that most of what one holds is in a dictionary that
comes with the program. `python -m tests.contracts.train` made it, of orders of made-up shops. What
was compressed with a dictionary cannot be read without it: one that was ever released stays as it
is, and a better one gets the next number. What is not compressed is read as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import zstandard

from milepost.errors import StoreError

DICTIONARY = 1
"""The number of the dictionary that is compressed with; with any others it is only read."""

LEVEL = 1
SMALLEST = 32
"""Bytes from which on something is compressed."""

LARGEST = 64 * 1024 * 1024
"""Bytes that anything may have once it is decompressed."""

_MAGIC = zstandard.FRAME_HEADER
"""How everything begins that is compressed; no JSON and no form does."""


class _Tools(threading.local):
    """A compressor and decompressors of each thread: no two may use the same at once."""

    def __init__(self) -> None:
        self._compressor: zstandard.ZstdCompressor | None = None
        self._decompressors: dict[int, zstandard.ZstdDecompressor] = {}

    @property
    def compressor(self) -> zstandard.ZstdCompressor:
        if self._compressor is None:
            self._compressor = zstandard.ZstdCompressor(
                level=LEVEL, dict_data=_dictionary(DICTIONARY), write_checksum=False
            )
        return self._compressor

    def decompressor(self, number: int) -> zstandard.ZstdDecompressor:
        known = self._decompressors.get(number)
        if known is None:
            known = zstandard.ZstdDecompressor(dict_data=_dictionary(number))
            self._decompressors[number] = known
        return known


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    file = files(__package__) / f"{number}.dict"
    if not file.is_file():
        raise StoreError(f"It was compressed with dictionary {number}, which is not known")
    found = zstandard.ZstdCompressionDict(file.read_bytes())
    found.precompute_compress(level=LEVEL)
    return found


_tools = _Tools()


def compressed(texts: Iterable[bytes]) -> list[bytes]:
    """These bytes as they are kept; other threads run while all are compressed in one call."""
    kept = list(texts)
    worth_it = [i for i, text in enumerate(kept) if len(text) >= SMALLEST or _looks_so(text)]
    if worth_it:
        made = _tools.compressor.multi_compress_to_buffer([kept[i] for i in worth_it])
        for n, i in enumerate(worth_it):
            kept[i] = made[n].tobytes()
    return kept


def compressed_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """These rows with the bytes in their last column compressed."""
    kept = compressed([row[-1] for row in rows])
    return [(*row[:-1], last) for row, last in zip(rows, kept, strict=True)]


def plain(kept: bytes) -> bytes:
    """These bytes as they were given.

    Raises StoreError for what is damaged, or larger than anything that was ever given.
    """
    if not _looks_so(kept):
        return kept
    try:
        frame = zstandard.get_frame_parameters(kept)
        if frame.content_size > LARGEST:
            raise StoreError("It is larger than anything that is kept")
        return _tools.decompressor(frame.dict_id).decompress(kept)
    except zstandard.ZstdError as error:
        raise StoreError(f"It cannot be decompressed: {error}") from error


def _looks_so(text: bytes) -> bool:
    return text.startswith(_MAGIC)
