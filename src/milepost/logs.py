"""Structured logs to standard error; a field that could hold a secret is never written."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_FIELDS = ("secret", "authorization", "password", "api_key", "credentials", "token")
REDACTED = "[redacted]"


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
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger(room: str) -> Any:
    """The logger of a room; it takes an event name and keyword fields."""
    return structlog.get_logger(room=room)


def _redact(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in fields:
        if any(part in name.lower() for part in _SECRET_FIELDS):
            fields[name] = REDACTED
    return fields
