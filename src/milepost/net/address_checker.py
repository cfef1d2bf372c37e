"""An address checker behind HTTP and JSON, described by configuration: what to send, what to read.

One POST an address, by the same sender and under the same guard as notifications.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from milepost.delivery.model import Reply, Request
from milepost.errors import SettingInvalid
from milepost.orders.address import AddressFault
from milepost.orders.model import Address
from milepost.ports import Post
from milepost.ports.withings import Unreachable

_FIELD = re.compile(r"\{(\w+)\}")
_NOTHING = object()
_SUCCESS = range(200, 300)
MOST_REASONS = 20

Url = Annotated[str, msgspec.Meta(pattern="^https?://", max_length=2_048)]
Place = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Good(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the answer says whether an address is good, and which values there mean that it is."""

    at: Place
    values: Annotated[tuple[Any, ...], msgspec.Meta(min_length=1)]


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the answer lists what is wrong: texts, or objects with a text under a name.

    `field` names what in such an object says which field it is, in the words of the request.
    """

    at: Place
    text: str | None = None
    field: str | None = None


class CheckerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a checker is asked: `{street1}` and the like in `body` stand for the address's fields.

    A path such as `result.verdicts.0.code` leads through objects and lists.
    """

    url: Url
    body: dict[str, Any]
    good: Good
    headers: dict[str, str] = {}
    reasons: Reasons | None = None

    def __post_init__(self) -> None:
        unknown = _fields_in(self.body) - set(Address.__struct_fields__)
        if unknown:
            known = ", ".join(Address.__struct_fields__)
            raise ValueError(f"body: expected no fields but {known}")

    def __repr__(self) -> str:
        return f"CheckerConfig({self.url})"


def read_config(path: str) -> CheckerConfig:
    """The configuration in a JSON file. Raises SettingInvalid."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=CheckerConfig)
    except OSError as error:
        raise SettingInvalid(f"MILEPOST_ADDRESS_CHECKER: {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise SettingInvalid(f"MILEPOST_ADDRESS_CHECKER: {path}: {error}") from None


class AddressChecker:
    """Asks a checker about one address at a time."""

    def __init__(self, config: CheckerConfig, *, post: Post, timeout_s: float) -> None:
        self._config = config
        self._post = post
        self._timeout_s = timeout_s
        self._headers = (
            ("content-type", "application/json"),
            *((name.lower(), value) for name, value in config.headers.items()),
        )

    async def ask(self, address: Address) -> Sequence[AddressFault]:
        """What the checker says is wrong with it; nothing when it is good. Raises Unreachable."""
        body = msgspec.json.encode(_filled(self._config.body, address))
        request = Request(self._config.url, self._headers, body, self._timeout_s)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self._post(request, done)
        return self._read(await answer)

    def _read(self, reply: Reply) -> Sequence[AddressFault]:
        if reply.failure is not None:
            raise Unreachable(f"{reply.failure}: {reply.detail}")
        if reply.status not in _SUCCESS:
            raise Unreachable(f"it answered {reply.status}")
        try:
            told = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            raise Unreachable("it did not answer with JSON") from None
        verdict = _at(told, self._config.good.at)
        if verdict is _NOTHING:
            raise Unreachable(f"its answer has nothing at {self._config.good.at}")
        if verdict in self._config.good.values:
            return ()
        return self._reasons(told) or (AddressFault("", "the address checker refuses it"),)

    def _reasons(self, told: Any) -> tuple[AddressFault, ...]:
        reasons = self._config.reasons
        found = _NOTHING if reasons is None else _at(told, reasons.at)
        if reasons is None or found is _NOTHING or found is None:
            return ()
        listed = found if isinstance(found, list) else [found]
        return tuple(_fault(one, reasons) for one in listed[:MOST_REASONS])


def _fault(one: Any, reasons: Reasons) -> AddressFault:
    if not isinstance(one, dict):
        return AddressFault("", str(one))
    why = one.get(reasons.text or "", "the address checker refuses it")
    field = str(one.get(reasons.field or "", ""))
    return AddressFault(field if field in Address.__struct_fields__ else "", str(why))


def _at(told: Any, path: str) -> Any:
    """What stands at a path, `_NOTHING` where it leads nowhere."""
    for name in path.split("."):
        if isinstance(told, dict) and name in told:
            told = told[name]
        elif isinstance(told, list) and name.isdigit() and int(name) < len(told):
            told = told[int(name)]
        else:
            return _NOTHING
    return told


def _filled(template: Any, address: Address) -> Any:
    if isinstance(template, dict):
        return {name: _filled(value, address) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, address) for value in template]
    if isinstance(template, str):
        return _FIELD.sub(lambda found: str(getattr(address, found[1]) or ""), template)
    return template


def _fields_in(template: Any) -> set[str]:
    if isinstance(template, dict):
        return {field for value in template.values() for field in _fields_in(value)}
    if isinstance(template, list):
        return {field for value in template for field in _fields_in(value)}
    return set(_FIELD.findall(template)) if isinstance(template, str) else set()
