"""The style and the script, under names that change with what is in them, kept for a year."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from milepost.dashboard.exchange import respond
from milepost.exchange import Receive, Scope, Send
from milepost.logs import ROUTE

FOLDER = files("milepost.dashboard") / "static"
PREFIX = "/static/"
TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
_GUARD = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", b"accept-encoding"),
)


class Asset(msgspec.Struct, frozen=True):
    """One file as it is sent."""

    path: str
    content_type: str
    plain: bytes
    packed: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Every file, by its own name."""
    found = {}
    for file in FOLDER.iterdir():
        name, _, kind = file.name.rpartition(".")
        if kind not in TYPES:
            continue
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[file.name] = Asset(
            path=f"{PREFIX}{name}.{digest}.{kind}",
            content_type=TYPES[kind],
            plain=content,
            packed=gzip.compress(content, 9, mtime=0),
        )
    return found


def asset_path(name: str) -> str:
    """Where the browser finds a file."""
    return assets()[name].path


@cache
def _by_path() -> Mapping[str, Asset]:
    return {asset.path: asset for asset in assets().values()}


class Files:
    """The ASGI application of all files."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends one file, packed where the browser can unpack it."""
        scope[ROUTE] = f"{PREFIX}{{file}}"
        asset = _by_path().get(scope["path"])
        if asset is None:
            await respond(send, status=404, content=b"", content_type="text/plain", guard=_GUARD)
            return
        packs = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
        extra = ((b"content-encoding", b"gzip"),) if packs else ()
        await respond(
            send,
            status=200,
            content=asset.packed if packs else asset.plain,
            content_type=asset.content_type,
            headers=(_FOR_EVER, *extra),
            guard=_GUARD,
        )
