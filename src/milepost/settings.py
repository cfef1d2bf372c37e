"""Every setting, read once from the environment; nothing else in Milepost reads it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

import msgspec

from milepost.errors import SettingInvalid

PREFIX = "MILEPOST_"

_NETWORKS = ("allow_networks", "trusted_proxies")

POSTGRES_SCHEMES = ("postgresql", "postgres")
"""How a database URL of PostgreSQL begins; both mean the same."""

NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this process runs; each field is read from MILEPOST_ and its name in capitals.

    database_url: `sqlite:///path`, relative to the working directory; `sqlite:////path` absolute;
    or `postgresql://user:password@host/database`, with several hosts separated by commas.
    host, port: where `serve` listens.
    allow_private_networks: whether endpoints may be at addresses that are not public.
    allow_networks: networks that are allowed besides, separated by commas.
    max_body_bytes, max_order_bytes, max_batch: the limits of one request, of one order and of the
    number of items in a batch.
    max_waiting: how many items may wait for their commit before more are refused with 503.
    max_pending: how many deliveries may be pending before more are refused with 503.
    min_free_bytes: how much room on the database's disk is left alone: with less, 503.
    key_requests_per_s, key_requests_burst, key_requests_at_once: what one API key may ask for.
    source_requests_per_s, source_requests_burst: how much one source may send.
    trusted_proxies: networks of proxies whose word on a client's address is taken, separated by
    commas.
    key_items_per_s, key_items_burst: how many orders and updates one API key may tell.
    max_connections: how many requests are sent at once.
    lease_s: how long a claimed lane is ours without a sign of life.
    poll_s: how often an idle dispatcher looks for deliveries that have become due.
    stop_s: how long a graceful stop waits for replies.
    tracking_poll_s: how often it is looked for parcels whose carrier is to be asked.
    tracking_at_once: how many questions to carriers are asked at once.
    slow_store_s: transactions and reads that take longer are logged as warnings.
    log_requests: whether each request is a line in the log.
    secret_key: the keys that seal secrets in the database, separated by commas; the first seals.
    secret_key_file: a file with them instead; by default one beside an SQLite database.
    address_checker: a JSON file that describes an address checker; without it form alone counts.
    address_checker_s: how long it may take for an answer.
    address_checker_down: whether an order is accepted or refused while it does not answer.
    client_calls_per_minute: what one client application may ask of the order interface.
    test_step_s: the time between the steps of a fake order.
    sandbox, sandbox_speed: whether merchants may have orders completed without a warehouse, and by
    how much the published times of that are divided.
    retention_days: how long orders are kept after their end; 0 keeps everything for ever.
    retention_open_days: how long orders that never end are kept after their last change; 0 is for
    ever too.
    silence_every_s: how often it is looked for orders of which nothing was heard for too long.
    upkeep_every_s: how often what is over is cleared away.
    public_url: where browsers find the hub, if not where it listens: behind a proxy that ends TLS.
    metrics, metrics_token: whether /metrics is there, and the bearer token that it asks for if any.
    """

    database_url: str = "sqlite:///milepost.db"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8400
    allow_private_networks: bool = False
    allow_networks: tuple[str, ...] = ()
    max_body_bytes: Positive = 8 * 1024 * 1024
    max_order_bytes: Positive = 256 * 1024
    max_batch: Positive = 1_000
    max_waiting: Positive = 20_000
    max_pending: Positive = 5_000_000
    min_free_bytes: NotNegative = 256 * 1024 * 1024
    key_requests_per_s: Positive = 10_000
    key_requests_burst: Positive = 20_000
    key_requests_at_once: Positive = 500
    source_requests_per_s: Positive = 10_000
    source_requests_burst: Positive = 20_000
    trusted_proxies: tuple[str, ...] = ()
    key_items_per_s: Positive = 50_000
    key_items_burst: Positive = 100_000
    max_connections: Positive = 512
    lease_s: Seconds = 60.0
    poll_s: Seconds = 0.2
    stop_s: Seconds = 20.0
    tracking_poll_s: Seconds = 1.0
    tracking_at_once: Positive = 64
    slow_store_s: Seconds = 1.0
    secret_key: str = ""
    secret_key_file: str = ""
    retention_days: NotNegative = 90
    retention_open_days: NotNegative = 730
    silence_every_s: Seconds = 60.0
    upkeep_every_s: Seconds = 3_600.0
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"
    log_format: Annotated[str, msgspec.Meta(pattern="^(text|json)$")] = "text"
    log_requests: bool = True
    address_checker: str = ""
    address_checker_s: Seconds = 2.0
    address_checker_down: Annotated[str, msgspec.Meta(pattern="^(accept|refuse)$")] = "accept"
    client_calls_per_minute: Positive = 120
    test_step_s: Seconds = 10.0
    sandbox: bool = False
    sandbox_speed: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 1.0
    public_url: str = ""
    metrics: bool = True
    metrics_token: str = ""

    def __repr__(self) -> str:
        return f"Settings({self.shown_database_url})"

    @property
    def logs_requests(self) -> bool:
        """Whether a request is to be a line, and lines of its level are written at all."""
        return self.log_requests and self.log_level in ("debug", "info")

    @property
    def is_postgres(self) -> bool:
        """Whether the database is one that several processes may dispatch from."""
        return self.database_url.partition("://")[0] in POSTGRES_SCHEMES

    @property
    def shown_database_url(self) -> str:
        """The database's URL without a name and a password that may be in it.

        Of what is asked for after the question mark only hosts and ports are shown.
        """
        scheme, separator, rest = self.database_url.partition("://")
        if scheme not in POSTGRES_SCHEMES:
            return scheme + separator + rest.rpartition("@")[2]
        place, _, asked = rest.rpartition("@")[2].partition("?")
        where = [part for part in asked.split("&") if part.startswith(("host=", "port="))]
        return scheme + separator + place + ("?" + "&".join(where) if where else "")


def read_settings(environment: Mapping[str, str], **given: Any) -> Settings:
    """The settings of this environment; those `given` (and not None) come first.

    Raises SettingInvalid naming the variable; one that begins like ours and is unknown is refused,
    because a misspelled setting would silently not count.
    """
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in hints:
            raise SettingInvalid(f"{variable} is not a setting; those are {_names(hints)}")
        parts = tuple(p.strip() for p in text.split(",") if p.strip())
        values[name] = parts if name in _NETWORKS else text
    values.update({name: value for name, value in given.items() if value is not None})
    for name in values:
        _read_one(name, values)
    return msgspec.convert(values, Settings, strict=False)


def _read_one(name: str, values: Mapping[str, Any]) -> None:
    try:
        msgspec.convert({name: values[name]}, Settings, strict=False)
        if name in _NETWORKS:
            for network in values[name]:
                ipaddress.ip_network(network)
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingInvalid(f"{PREFIX}{name.upper()}: {error}") from None


def _names(hints: Mapping[str, Any]) -> str:
    return ", ".join(PREFIX + name.upper() for name in hints)
