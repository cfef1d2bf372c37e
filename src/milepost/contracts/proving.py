"""What every receiving room shares: the kit's proofs and refusals, in our own errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from milepost.contracts.incoming import Headers, Message, Read
from milepost.errors import InvalidInput, MilepostError, SourceRefused, TooLarge
from milepost_receiver import (
    BodyTooLarge,
    ConfigurationInvalid,
    Notification,
    Receiver,
    ReceiverError,
    Unauthentic,
)

N = TypeVar("N", bound=Notification)

LONGEST_NAME = 255
LONGEST_WORD = 255
"""Characters of a provider's own word that are kept beside the message itself."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_URL = re.compile(r"https?://\S{1,2000}", re.ASCII)

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Secrets = Annotated[tuple[Secret, ...], msgspec.Meta(max_length=5)]
"""Any of them will do, so that one can replace another without a refused message."""


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what a source's messages are proved by: never shown, and none unless asked."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


def reader_of(make: Callable[[], Receiver[N]], tell: Callable[[N], Message]) -> Read:
    """Proves and reads with a receiver of the kit, then tells in our words what it says.

    Raises InvalidInput for credentials that no receiver can be made of.
    """
    try:
        receiver = make()
    except ConfigurationInvalid as error:
        raise InvalidInput(
            field=f"credentials.{error.at}" if error.at else "credentials",
            expected=error.expected or "what this kind of source is proved by",
        ) from None

    def read(headers: Headers, body: bytes) -> Message:
        try:
            notification = receiver.read(headers, body)
        except ReceiverError as error:
            refused = refusal_of(error)
        else:
            refuse_nul(body)
            return tell(notification)
        raise refused

    return read


def refuse_nul(body: bytes) -> None:
    """Raises InvalidInput for a NUL in a text, which no database can keep as one."""
    if b"u0000" in body and _NUL.search(body):
        raise InvalidInput(field="body", expected="text without NUL characters (\\u0000)")
    if b"%00" in body and not body.lstrip()[:1] == b"{":
        raise InvalidInput(field="body", expected="text without NUL characters (%00)")
    if b"\x00" in body:
        raise InvalidInput(field="body", expected="text without NUL characters")


def refusal_of(error: ReceiverError) -> MilepostError:
    """The kit's refusal as ours; neither says anything that was received."""
    if isinstance(error, Unauthentic):
        return SourceRefused(str(error))
    if isinstance(error, BodyTooLarge):
        return TooLarge(str(error))
    return InvalidInput(field=error.at or "body", expected=error.expected or "a readable message")


def name(field: str, value: str | None) -> str | None:
    """An identifier or a name of the provider's. Raises InvalidInput for one that is too long."""
    if value is not None and len(value) > LONGEST_NAME:
        raise InvalidInput(field=field, expected=f"at most {LONGEST_NAME} characters")
    return value


def web_url(value: str | None) -> str | None:
    """A link that people can be shown; what is none is left out."""
    return value if value is not None and _URL.fullmatch(value) else None


def unmapped(field: str, word: str) -> tuple[str, ...]:
    """A word that means nothing to us, by the field that it came in."""
    return (f"{field}: {word[:LONGEST_WORD]}",)
