"""OpenTelemetry spans, where the standard variables ask for them; else none of it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from milepost.logs import logger

if TYPE_CHECKING:
    from milepost.traces.spans import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"


def open_traces(environment: Mapping[str, str]) -> Traces | None:
    """Begins to trace if an exporter is configured; None if not.

    What stands in its way is told in the log and keeps nothing else from working.
    """
    exporter = wanted_exporter(environment)
    if exporter is None:
        return None
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), HTTP)
    if exporter == "otlp" and protocol != HTTP:
        _tell(f"{PROTOCOLS[1]} is {protocol}; only {HTTP} is there")
        return None
    try:
        from milepost.traces.spans import Traces  # noqa: PLC0415

        return Traces.opened(exporter, environment=environment)
    except ImportError as error:
        _tell(f"{error.name} is not installed: pip install 'milepost[otel]'")
    except ValueError as error:
        _tell(str(error))
    return None


def wanted_exporter(environment: Mapping[str, str]) -> str | None:
    """The exporter that the variables ask for, `otlp` where they only say where to."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if named:
        return None if named == "none" else named
    return "otlp" if any(environment.get(name) for name in ENDPOINTS) else None


def _tell(why: str) -> None:
    logger("traces").warning("traces_off", why=why)
