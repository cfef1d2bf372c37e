"""What a carrier source is configured with, by its kind, and whether that can work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from milepost.contracts.contract import read_under
from milepost.errors import InvalidInput
from milepost.net.carriers.pointer import steps_of
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import LongText, Name, Text
from milepost.ports.tracking import CarrierSource

MOST_HEADERS, MOST_WORDS = 30, 1_000
ENVIRONMENT = "env:"
FROM_ENVIRONMENT = re.compile(r"CARRIER_[A-Z0-9_]{1,100}")
"""The only variables that a source may name: others are not for a carrier to see."""

TIME_FORMS = ("iso", "unix", "unix_ms")
"""How a time may be written, beside the forms of strptime."""

_PLACE = re.compile(r"\{([^{}]*)\}")
_SECRET = re.compile(r"secret:([A-Za-z0-9_-]{1,100})")
_FACTS = frozenset(("tracking_number", "carrier"))
_STATES = ", ".join(state for state in State if state in CARRIER)

AtOnce = Annotated[int, msgspec.Meta(ge=1, le=64)]
PerMinute = Annotated[float, msgspec.Meta(ge=1, le=60_000)]
Timeout = Annotated[float, msgspec.Meta(ge=1, le=60)]
Pointers = Text | Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=4)]


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An HTTP interface that answers with JSON.

    `url`, the values of `headers` and `body` may hold {tracking_number}, {carrier} and
    {secret:NAME}. `scans` points to the scans in the answer, an array or one object; `status`,
    `time` and `scan_id` point into a scan, several pointers being read as one text with spaces
    between. `statuses` gives the carrier's words their meaning, whatever their case.
    """

    url: Text
    statuses: dict[Name, State]
    status: Pointers
    time: Pointers
    method: Literal["GET", "POST"] = "GET"
    headers: dict[Name, Text] = {}
    body: LongText = ""
    scans: Text = ""
    time_form: Name = "iso"
    time_zone: Name = "UTC"
    scan_id: Pointers | None = None
    carrier_service: Text | None = None
    not_known: tuple[Annotated[int, msgspec.Meta(ge=200, le=599)], ...] = (404,)
    timeout_s: Timeout = 15.0
    at_once: AtOnce = 4
    per_minute: PerMinute | None = 600.0


class SimulatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Made-up carriers: the same seed tells the same story of the same parcel."""

    seed: Text = "milepost"


class PushedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nobody is asked: scans are pushed, and parcels that nothing is heard of expire.

    `statuses` gives the words of those who push a meaning.
    """

    statuses: dict[Name, State] = {}


Config = HttpConfig | SimulatorConfig | PushedConfig

KINDS: Mapping[str, type[Config]] = MappingProxyType(
    {"http": HttpConfig, "simulator": SimulatorConfig, "pushed": PushedConfig}
)

CheckUrl = Callable[[str], None]
"""Raises UrlRefused when requests may not be sent to a URL."""


def config_of(source: CarrierSource) -> Config:
    """The configuration of a source. Raises InvalidInput."""
    shape = KINDS.get(source.kind)
    if shape is None:
        raise InvalidInput(field="kind", expected=f"one of {', '.join(KINDS)}")
    return read_under("config", shape=shape, raw=source.config)


def secrets_of(source: CarrierSource) -> Mapping[str, str]:
    """The secrets of a source by their names. Raises InvalidInput."""
    given: dict[str, str] = msgspec.json.decode(source.secrets, type=dict[str, str])
    return given


def check_source(source: CarrierSource, *, check_url: CheckUrl) -> None:
    """Raises InvalidInput for what could never be asked, or would tell of what is not its own."""
    config = config_of(source)
    secrets = secrets_of(source)
    for name, value in secrets.items():
        if value.startswith(ENVIRONMENT) and not FROM_ENVIRONMENT.fullmatch(
            value.removeprefix(ENVIRONMENT)
        ):
            expected = "env: and the name of a variable that begins with CARRIER_"
            raise InvalidInput(field=f"secrets.{name}", expected=expected)
    if isinstance(config, HttpConfig):
        _check_http(config, secrets=secrets, check_url=check_url)
    if not isinstance(config, SimulatorConfig):
        _check_statuses(config.statuses)


def _check_statuses(statuses: Mapping[str, State]) -> None:
    if len(statuses) > MOST_WORDS:
        raise InvalidInput(field="config.statuses", expected=f"at most {MOST_WORDS} words")
    for word, state in statuses.items():
        if state not in CARRIER:
            raise InvalidInput(field=f"config.statuses.{word}", expected=f"one of {_STATES}")


def _check_http(config: HttpConfig, *, secrets: Mapping[str, str], check_url: CheckUrl) -> None:
    if not config.statuses:
        raise InvalidInput(field="config.statuses", expected="the carrier's words")
    for field, template in _templates(config):
        _check_places(field, template, secrets=secrets)
    start = _PLACE.search(config.url)
    head = config.url[: start.start()] if start else config.url
    if head.count("/") < 3:
        expected = "a host that is written out; {…} only after it"
        raise InvalidInput(field="config.url", expected=expected)
    check_url(_PLACE.sub("x", config.url))
    if len(config.headers) > MOST_HEADERS:
        raise InvalidInput(field="config.headers", expected=f"at most {MOST_HEADERS} of them")
    if config.body and config.method == "GET":
        raise InvalidInput(field="config.body", expected="none with the method GET")
    for field, pointer in _pointers(config):
        try:
            steps_of(pointer)
        except ValueError as error:
            expected = str(error).removeprefix("expected ")
            raise InvalidInput(field=f"config.{field}", expected=expected) from None
    _check_time(config)


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC is known without the system's tables. Raises InvalidInput."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        expected = "a time zone such as Europe/Berlin"
        raise InvalidInput(field="config.time_zone", expected=expected) from None


def _check_time(config: HttpConfig) -> None:
    form = config.time_form
    try:
        if form not in TIME_FORMS:
            datetime.strptime(datetime(2026, 1, 31, 12, tzinfo=UTC).strftime(form), form)  # noqa: DTZ007
    except ValueError:
        expected = f"{', '.join(TIME_FORMS)}, or a form such as %Y%m%d %H%M%S"
        raise InvalidInput(field="config.time_form", expected=expected) from None
    zone_of(config.time_zone)


def _templates(config: HttpConfig) -> Iterable[tuple[str, str]]:
    yield "config.url", config.url
    yield "config.body", config.body
    for name, value in config.headers.items():
        yield f"config.headers.{name}", value


def _pointers(config: HttpConfig) -> Iterable[tuple[str, str]]:
    for field in ("scans", "status", "time", "scan_id", "carrier_service"):
        given = getattr(config, field)
        for pointer in (given,) if isinstance(given, str) else given or ():
            yield field, pointer


def _check_places(field: str, template: str, *, secrets: Mapping[str, str]) -> None:
    if field == "config.body":
        # A body is JSON as a rule, whose braces are no places.
        names = [name for name in _PLACE.findall(template) if _is_place(name)]
    else:
        names = _PLACE.findall(template)
    for name in names:
        secret = _SECRET.fullmatch(name)
        if secret and secret[1] not in secrets:
            raise InvalidInput(field=field, expected=f"a secret that is given, not {secret[1]}")
        if not secret and name not in _FACTS:
            expected = "{tracking_number}, {carrier} or {secret:NAME}"
            raise InvalidInput(field=field, expected=expected)


def _is_place(name: str) -> bool:
    return name in _FACTS or _SECRET.fullmatch(name) is not None


def filled(template: str, facts: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    """The template with its places filled in; what is no place stays as it is."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name in facts:
            return facts[name]
        secret = _SECRET.fullmatch(name)
        return secrets[secret[1]] if secret and secret[1] in secrets else found[0]

    return _PLACE.sub(fill, template)
