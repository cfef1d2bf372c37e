"""What a browser sends and is sent, below the pages: forms, cookies, addresses and headers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

import msgspec

from milepost.dashboard.page import Flash
from milepost.errors import InvalidInput
from milepost.exchange import Receive, Scope, Send, read_body

Headers = tuple[tuple[bytes, bytes], ...]

FORM = b"application/x-www-form-urlencoded"
MOST_FIELDS = 500
MOST_BYTES = 256 * 1024
BODY_WITHIN_S = 30.0
LONGEST_URL = 4_096

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
GUARD: Headers = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # With no-referrer a browser would leave the origin out of a form's request, which we check.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)


async def read_form(headers: Mapping[bytes, bytes], receive: Receive) -> dict[str, list[str]]:
    """Every field of a form. Raises TooLarge, TooSlow, InvalidInput and ClientGone."""
    body = await read_body(headers, receive, limit=MOST_BYTES, within_s=BODY_WITHIN_S)
    media_type = headers.get(b"content-type", FORM).split(b";", 1)[0].strip().lower()
    if body and media_type != FORM:
        raise InvalidInput(field="", expected="a form")
    return read_fields(body)


def read_fields(text: bytes) -> dict[str, list[str]]:
    """The fields of a query or a form, each with every value. Raises InvalidInput."""
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise InvalidInput(field="", expected="fields that are percent-encoded in UTF-8") from None
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def cookies_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The cookies of a request; the first of each name, as browsers send the closest first."""
    found: dict[str, str] = {}
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value)
    return found


def cookie(name: str, value: str, *, secure: bool, lasts_s: int | None = None) -> str:
    """A cookie that scripts cannot read and that other sites' forms do not send."""
    parts = [f"{cookie_name(name, secure=secure)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if lasts_s is not None:
        parts.append(f"Max-Age={lasts_s}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)


def cookie_name(name: str, *, secure: bool) -> str:
    """By https the browser itself sees to it that nobody but this host sets it."""
    return f"__Host-milepost_{name}" if secure else f"milepost_{name}"


def flash_text(flash: Flash) -> str:
    """A flash as the value of a cookie."""
    return base64.urlsafe_b64encode(msgspec.json.encode((flash.kind, flash.text))).decode()


def flash_of(text: str | None) -> Flash | None:
    if not text or len(text) > LONGEST_URL:
        return None
    try:
        kind, said = msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[str, str])
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None
    return Flash(said, kind if kind in ("done", "note", "problem") else "note")


def origin_of(scope: Scope, headers: Mapping[bytes, bytes], *, public_url: str) -> str:
    """Our address as the browser knows it: scheme, host and port."""
    if public_url:
        return public_url.rstrip("/")
    host = headers.get(b"host", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}"


def comes_from_us(headers: Mapping[bytes, bytes], *, origin: str) -> bool:
    """Whether a browser says that our own page sent this form; old ones say nothing."""
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        return False
    said = headers.get(b"origin")
    if said is None:
        return True
    theirs, ours = urlsplit(said.decode("latin-1")), urlsplit(origin)
    return (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)


def local_path(text: str | None) -> str:
    """The path to go on at, if it is one of ours; else the first page."""
    ours = text is not None and text.startswith("/") and not text.startswith(("//", "/\\"))
    plain = text is not None and text.isprintable() and len(text) <= LONGEST_URL
    return text if text is not None and ours and plain and "\\" not in text else "/"


async def respond(
    send: Send,
    *,
    status: int,
    content: bytes,
    content_type: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    cookies: Sequence[str] = (),
    guard: Headers = GUARD,
) -> None:
    """Sends one whole answer."""
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(content)),
            *((b"set-cookie", text.encode("latin-1")) for text in cookies),
            *(pair for pair in guard if pair[0] not in {name for name, _ in headers}),
            *headers,
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": content})
