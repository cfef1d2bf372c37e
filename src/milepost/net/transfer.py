"""One easy handle of libcurl and the exchange that it carries: what goes in, what came out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from time import monotonic
from types import MappingProxyType
from typing import Any

import msgspec
import pycurl

from milepost.delivery.model import Failure, Reply, Request

Done = Callable[[Reply], None]

FAILURES: Mapping[int, Failure] = MappingProxyType(
    {
        pycurl.E_UNSUPPORTED_PROTOCOL: Failure.PROTOCOL,
        pycurl.E_FAILED_INIT: Failure.PROTOCOL,
        pycurl.E_URL_MALFORMAT: Failure.PROTOCOL,
        pycurl.E_NOT_BUILT_IN: Failure.PROTOCOL,
        pycurl.E_COULDNT_RESOLVE_PROXY: Failure.DNS,
        pycurl.E_COULDNT_RESOLVE_HOST: Failure.DNS,
        pycurl.E_COULDNT_CONNECT: Failure.REFUSED,
        pycurl.E_FTP_WEIRD_SERVER_REPLY: Failure.PROTOCOL,  # named so in pycurl, used for HTTP too
        pycurl.E_REMOTE_ACCESS_DENIED: Failure.REFUSED,
        pycurl.E_HTTP2: Failure.PROTOCOL,
        pycurl.E_PARTIAL_FILE: Failure.TRUNCATED,
        pycurl.E_WRITE_ERROR: Failure.OVERSIZED,  # the only write that fails is our own cap
        pycurl.E_OUT_OF_MEMORY: Failure.RESET,
        pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
        pycurl.E_SSL_CONNECT_ERROR: Failure.TLS,
        pycurl.E_ABORTED_BY_CALLBACK: Failure.RESET,
        pycurl.E_INTERFACE_FAILED: Failure.REFUSED,
        pycurl.E_TOO_MANY_REDIRECTS: Failure.PROTOCOL,
        pycurl.E_GOT_NOTHING: Failure.RESET,
        pycurl.E_SSL_ENGINE_NOTFOUND: Failure.TLS,
        pycurl.E_SSL_ENGINE_SETFAILED: Failure.TLS,
        pycurl.E_SEND_ERROR: Failure.RESET,
        pycurl.E_RECV_ERROR: Failure.RESET,
        pycurl.E_SSL_CERTPROBLEM: Failure.TLS,
        pycurl.E_SSL_CIPHER: Failure.TLS,
        pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS,
        pycurl.E_BAD_CONTENT_ENCODING: Failure.PROTOCOL,
        pycurl.E_FILESIZE_EXCEEDED: Failure.OVERSIZED,
        pycurl.E_USE_SSL_FAILED: Failure.TLS,
        pycurl.E_SEND_FAIL_REWIND: Failure.RESET,
        pycurl.E_SSL_ENGINE_INITFAILED: Failure.TLS,
        pycurl.E_SSL_CACERT_BADFILE: Failure.TLS,
        pycurl.E_SSL_SHUTDOWN_FAILED: Failure.TLS,
        pycurl.E_AGAIN: Failure.RESET,
        pycurl.E_SSL_CRL_BADFILE: Failure.TLS,
        pycurl.E_SSL_ISSUER_ERROR: Failure.TLS,
        pycurl.E_CHUNK_FAILED: Failure.PROTOCOL,
        pycurl.E_NO_CONNECTION_AVAILABLE: Failure.REFUSED,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: Failure.TLS,
        pycurl.E_SSL_INVALIDCERTSTATUS: Failure.TLS,
        # libcurl's numbers that pycurl has no names for
        92: Failure.PROTOCOL,  # HTTP2_STREAM
        98: Failure.TLS,  # SSL_CLIENTCERT
        100: Failure.OVERSIZED,  # TOO_LARGE: a header section past libcurl's own limits
    }
)
"""How an exchange failed, by libcurl's result code; a code that is not here is PROTOCOL."""

POST = "POST"
METHODS: Mapping[str, int] = MappingProxyType({POST: pycurl.POST, "GET": pycurl.HTTPGET})
"""The methods that can be sent, as libcurl asks for them."""

_FIXED = (
    (pycurl.POST, 1),
    (pycurl.NOSIGNAL, 1),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.HTTP09_ALLOWED, 0),
    (pycurl.TCP_NODELAY, 1),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PATH_AS_IS, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.PROXY, ""),  # empty is "none"; unset would be "ask the environment"
    (pycurl.NOPROXY, "*"),
    (pycurl.NETRC, pycurl.NETRC_IGNORED),
    (pycurl.USERAGENT, ""),
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),  # the least that is spoken
    (pycurl.MAXAGE_CONN, 55),  # seconds idle; many servers and load balancers hang up after 60
)

# libcurl adds these headers unless it is told not to, by a line without a value.
_NOT_ADDED = ("Expect:", "Accept:", "Content-Type:")

_FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PRINTABLE = bytes(range(0x20, 0x7F))
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_names_seen: set[str] = set()
_first = itemgetter(0)

_KEPT = frozenset({b"content-type", b"location", b"retry-after"})
_KEPT_INITIALS = frozenset(b"cClLrR")
_LINE_ENDS = frozenset(b"\r\n")
_VALUE_LIMIT = 1024
_DETAIL_LIMIT = 300


class Unsendable(Exception):
    """A request that must not or cannot be put on the wire; the text says why."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What every transfer of a sender has in common; times in seconds, sizes in bytes."""

    ca_file: str
    connect_timeout_s: float
    dns_cache_s: int
    keep_bytes: int
    stop_bytes: int


class Host:
    """What is known of a host's name: whether it resolved, and who waits to learn that."""

    __slots__ = ("known", "scout", "waiting")

    def __init__(self) -> None:
        self.known = False
        self.scout: Transfer | None = None
        self.waiting: list[tuple[Request, Done, float]] = []


class Transfer:
    """An easy handle for one exchange after the other; options that stay are set once."""

    __slots__ = (
        "_body",
        "_limits",
        "_lines",
        "_method",
        "_posted",
        "_received",
        "_timeout_ms",
        "_url",
        "began",
        "curl",
        "done",
        "host",
        "opened",
        "trouble",
    )

    def __init__(self, limits: Limits, *, open_socket: Callable[[Transfer, Any], Any]) -> None:
        self._limits = limits
        self._lines: list[bytes] = []
        self._body = bytearray()
        self._received = 0
        self._url = ""
        self._timeout_ms = 0
        self._posted: bytes | None = None
        self._method = POST
        self.host = Host()
        self.done: Done = _nobody
        self.began = 0.0
        self.opened = False
        self.trouble: tuple[Failure, str] | None = None
        self.curl: Any = pycurl.Curl()
        for option, value in _FIXED:
            self.curl.setopt(option, value)
        self.curl.unsetopt(pycurl.CAPATH)  # a built-in directory must not add to the bundle
        self.curl.setopt(pycurl.CAINFO, limits.ca_file)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(limits.connect_timeout_s * 1000)))
        self.curl.setopt(pycurl.DNS_CACHE_TIMEOUT, limits.dns_cache_s)
        # A list takes a line without running any Python; libcurl bounds the section's size.
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)
        self.curl.setopt(
            pycurl.OPENSOCKETFUNCTION, lambda _purpose, address: open_socket(self, address)
        )

    def load(
        self, request: Request, *, done: Done, host: Host, began: float, waited_ms: float
    ) -> None:
        """Makes the handle ready for a request that waited already. Raises Unsendable."""
        self.done, self.host, self.began = done, host, began
        self.opened, self.trouble = False, None
        self._lines.clear()
        self._received = 0
        if self._body:
            self._body.clear()
        lines = header_lines(request.headers)
        try:
            timeout_ms = max(1, int(request.timeout_s * 1000 - waited_ms))
            if request.url != self._url:
                self.curl.setopt(pycurl.URL, request.url)
                self._url = request.url
            if timeout_ms != self._timeout_ms:
                self.curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
                self._timeout_ms = timeout_ms
            if request.method != self._method:
                self.curl.setopt(METHODS[request.method], 1)
                self._method, self._posted = request.method, None
            if request.body is not self._posted and request.method == POST:
                self.curl.setopt(pycurl.POSTFIELDS, request.body)
                self._posted = request.body
            self.curl.setopt(pycurl.HTTPHEADER, lines)
        except (pycurl.error, KeyError, TypeError, ValueError, OverflowError) as error:
            self._url, self._timeout_ms, self._posted = "", 0, None
            raise Unsendable(f"libcurl refused the request: {_plain(str(error))}") from None

    def unload(self) -> None:
        """Lets go of whom to call; the handle can be loaded again."""
        self.done = _nobody

    def close(self) -> None:
        self.curl.close()

    def unresolved(self, code: int) -> bool:
        """Whether the exchange ended without an address for the host's name."""
        if code == pycurl.E_COULDNT_RESOLVE_HOST:
            return True
        timed_out: bool = code == pycurl.E_OPERATION_TIMEDOUT
        return timed_out and not self.opened and not self.curl.getinfo(pycurl.PRIMARY_IP)

    def reply(self, code: int, *, message: str) -> Reply:
        """What came of the exchange, from libcurl's result code and message."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        kept, whole = _kept(self._lines)
        failure: Failure | None = None
        detail = ""
        if code != pycurl.E_OK:
            failure, detail = self._failure(code, message)
        elif not whole:
            failure, detail = Failure.TRUNCATED, "the reply ended within its headers"
        return Reply(
            status if status >= 200 else 0,  # an informational status alone is no answer
            kept,
            bytes(self._body),
            failure,
            detail,
            (monotonic() - self.began) * 1000,
        )

    def _failure(self, code: int, message: str) -> tuple[Failure, str]:
        if self.trouble is not None and not self.opened and code == pycurl.E_COULDNT_CONNECT:
            return self.trouble
        if self._received > self._limits.stop_bytes:
            return Failure.OVERSIZED, f"more than {self._limits.stop_bytes} bytes of reply"
        detail = _plain(message or pycurl.easy_strerror(code))
        if code == pycurl.E_RECV_ERROR and "SSL" not in detail:
            # One code for a broken connection and for a broken message: the system knows which.
            broken = bool(self.curl.getinfo(pycurl.OS_ERRNO))
            return (Failure.RESET if broken else Failure.PROTOCOL), detail
        return FAILURES.get(code, Failure.PROTOCOL), detail

    def _take(self, chunk: bytes) -> int | None:
        """Keeps the beginning of a reply's body; anything but None stops the transfer."""
        self._received += len(chunk)
        room = self._limits.keep_bytes - len(self._body)
        if room > 0:
            self._body += chunk[:room]
        return None if self._received <= self._limits.stop_bytes else 0


def header_lines(headers: tuple[tuple[str, str], ...]) -> list[str]:
    """The lines for libcurl, in order and case as given. Raises Unsendable.

    Printable ASCII only, so that no value can end its line; headers that frame the message are
    libcurl's to write.
    """
    if not _names_seen.issuperset(map(_first, headers)):
        _vet_names(headers)
    # libcurl takes "name:" as an order to leave the header out and "name;" for an empty value.
    lines = [f"{name}: {value}" if value.strip(" ") else f"{name};" for name, value in headers]
    text = "".join(lines)
    if not (text.isascii() and not text.encode().translate(None, _PRINTABLE)):
        bad = next(name for name, value in headers if not (value.isascii() and value.isprintable()))
        raise Unsendable(f"header {bad} holds a character that cannot be sent")
    lines += _NOT_ADDED
    return lines


def _vet_names(headers: tuple[tuple[str, str], ...]) -> None:
    for name, _ in headers:
        if not _TOKEN.fullmatch(name):
            raise Unsendable("a header's name holds a character that cannot be sent")
        if name.lower() in _FRAMING:
            raise Unsendable(f"header {name.lower()} is not for the request to set")
        if len(_names_seen) < 1000:
            _names_seen.add(name)


def _kept(lines: list[bytes]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The headers that matter in the last header section, and whether that section has its end.

    Informational replies come before it and trailers after it.
    """
    kept: list[tuple[str, str]] = []
    in_section = True
    for line in lines:
        initial = line[0]
        if initial in _KEPT_INITIALS:
            header = _header(line)
            if header is not None and in_section:
                kept.append(header)
        elif initial in _LINE_ENDS:
            in_section = False
        elif line.startswith(b"HTTP/"):
            kept.clear()
            in_section = True
    return tuple(kept), not in_section


@lru_cache(maxsize=256)
def _header(line: bytes) -> tuple[str, str] | None:
    """The name and value in a line, None when nobody asks for them; receivers repeat themselves."""
    name, _, value = line.partition(b":")
    if name.lower() not in _KEPT:
        return None
    return name.lower().decode(), value.strip()[:_VALUE_LIMIT].decode("latin-1")


def _plain(message: str) -> str:
    """A message fit for a log: one line, printable, short."""
    text = "".join(character if character.isprintable() else "?" for character in message)
    return text[:_DETAIL_LIMIT]


def _nobody(_reply: Reply) -> None:
    """Stands in for whoever waits for a reply while the handle is idle."""
