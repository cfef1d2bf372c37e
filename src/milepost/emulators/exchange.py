"""One HTTP exchange in a provider's manner: what came in within its limits, and one answer."""

from __future__ import annotations

from urllib.parse import parse_qsl

from milepost import exchange
from milepost.errors import InvalidInput
from milepost.exchange import ClientGone, Receive, Scope, Send, TooSlow

__all__ = [
    "FORM",
    "ClientGone",
    "Receive",
    "Scope",
    "Send",
    "TooSlow",
    "read_body",
    "read_parameters",
    "respond",
]

FORM = b"application/x-www-form-urlencoded"
MOST_PARAMETERS = 100

_GUARD = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


async def read_body(scope: Scope, receive: Receive, *, limit: int, within_s: float) -> bytes:
    """The whole body, of at most `limit` bytes. Raises TooLarge, TooSlow and ClientGone."""
    headers = dict(scope["headers"])
    return await exchange.read_body(headers, receive, limit=limit, within_s=within_s)


def read_parameters(*parts: bytes) -> dict[str, str]:
    """The parameters of a query and of a form together.

    One that is there twice has to be the same each time, or it would be unclear which was signed.
    Raises InvalidInput.
    """
    found: dict[str, str] = {}
    for part in parts:
        for name, value in _pairs(part):
            if found.setdefault(name, value) != value:
                raise InvalidInput(field=name, expected="one value, but there are several")
            if "\0" in value:
                raise InvalidInput(field=name, expected="text without NUL characters")
    return found


def _pairs(part: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            part.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        expected = f"at most {MOST_PARAMETERS} parameters, percent-encoded in UTF-8"
        raise InvalidInput(field="", expected=expected) from None


async def respond(send: Send, content: bytes, *, status: int = 200, close: bool = False) -> None:
    """Sends one whole answer of JSON; with `close` the connection ends, as its rest is unread."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        *_GUARD,
        *(((b"connection", b"close"),) if close else ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
