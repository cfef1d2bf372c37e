"""Structured logs to standard error; a field that could hold a secret is never written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

REQUEST_ID = "milepost.request_id"
ROUTE = "milepost.route"
ACCOUNT = "milepost.account"
PROBLEM = "milepost.problem"
"""Under which names a request's scope holds what is counted and logged of it."""

_SECRET_FIELDS = ("secret", "authorization", "password", "api_key", "credentials", "token")
REDACTED = "[redacted]"

_SECRET_TEXTS = re.compile(
    r"\bmp_[0-9a-z]{26}_[A-Za-z0-9_-]+"  # API keys
    r"|\bwhsec_[A-Za-z0-9+/=_-]+"  # signing secrets
    r"|(?<=\b[Bb]asic )[A-Za-z0-9+/=]{4,}|(?<=\b[Bb]earer )[^\s\"']+"
    r"|(?<=://)[^/@\s\"']+(?=@)",  # names and passwords in URLs
)
"""What looks like a secret, wherever in a line it stands: in a message, in a traceback."""

_MARKS = ("mp_", "whsec_", "://", "asic ", "earer ")


def set_up_logs(*, level: str, form: str) -> None:
    """Sends this process's logs to standard error as `text` or `json` lines, from `level` up."""
    rendering: dict[str, tuple[Any, ...]] = {
        "json": (structlog.processors.format_exc_info, structlog.processors.JSONRenderer()),
        "text": (
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The default shows local variables, and among those are secrets.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ),
    }
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            *rendering[form],
            _scrub,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )


class _StandardError:
    """Writes lines to standard error as it is now; one that cannot be written hurts nobody."""

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def logger(room: str) -> Any:
    """The logger of a room; it takes an event name and keyword fields."""
    return structlog.get_logger(room=room)


def _scrub(_logger: object, _method: str, line: Any) -> Any:
    """The last step: `line` is the whole line as it will be written."""
    # Most lines have none of these words, and finding them is far cheaper than the expression.
    if any(mark in line for mark in _MARKS):
        return _SECRET_TEXTS.sub(REDACTED, line)
    return line


def _redact(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in fields:
        if any(part in name.lower() for part in _SECRET_FIELDS):
            fields[name] = REDACTED
    return fields
