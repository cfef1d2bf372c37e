"""Carrier sources: one small interface, and a kind for each way to learn of scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from milepost.errors import InvalidInput
from milepost.net.carriers.http_json import Fetch, HttpCarrier
from milepost.net.carriers.pushed import Pushed
from milepost.net.carriers.shape import (
    ENVIRONMENT,
    KINDS,
    HttpConfig,
    PushedConfig,
    SimulatorConfig,
    check_source,
    config_of,
    secrets_of,
)
from milepost.net.carriers.simulator import STORIES, Simulator, story_of
from milepost.net.carriers.wire import CarrierWire
from milepost.ports.tracking import Carrier, CarrierSource

ReadVariable = Callable[[str], str | None]
"""The value of a variable of the environment; None where there is none."""

__all__ = [
    "KINDS",
    "STORIES",
    "CarrierWire",
    "Fetch",
    "HttpCarrier",
    "Pushed",
    "ReadVariable",
    "Simulator",
    "carrier_of",
    "check_source",
    "story_of",
]


def carrier_of(
    source: CarrierSource, *, fetch: Fetch, variable: ReadVariable, user_agent: str
) -> Carrier:
    """The source, ready to be asked. Raises InvalidInput for one that cannot be."""
    config = config_of(source)
    match config:
        case HttpConfig():
            secrets = _resolved(secrets_of(source), variable=variable)
            return HttpCarrier(config, secrets=secrets, fetch=fetch, user_agent=user_agent)
        case SimulatorConfig():
            return Simulator(config)
        case PushedConfig():
            return Pushed(config)
        case _:
            assert_never(config)


def _resolved(secrets: Mapping[str, str], *, variable: ReadVariable) -> Mapping[str, str]:
    """The texts of the secrets; those that a variable holds are looked up now."""
    texts: dict[str, str] = {}
    for name, value in secrets.items():
        if value.startswith(ENVIRONMENT):
            found = variable(value.removeprefix(ENVIRONMENT))
            if found is None:
                expected = f"the variable {value.removeprefix(ENVIRONMENT)} to be set"
                raise InvalidInput(field=f"secrets.{name}", expected=expected)
            texts[name] = found
        else:
            texts[name] = value
    return texts
