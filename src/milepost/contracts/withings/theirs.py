"""What Withings' order interface answers, read: the answer's number, and the orders in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec

from milepost.contracts.comparison import Package, Theirs, decoded, items, member, text
from milepost.contracts.withings.signing import signature, signed_text
from milepost.errors import InvalidInput
from milepost.orders.model import Url

MOST_NAMED = 50
"""Orders that are asked for at once; ours, as no limit is published."""

OK, TOO_MANY, TIMED_OUT = 0, 601, 522
_REFUSES_CALLER = frozenset((100, 101, 102, 200, 401))
_REFUSES_PARAMETERS = frozenset((*range(201, 214), 400, *range(501, 512)))

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class ReadAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a source's orders are asked for at Withings.

    `every_h` is how often all open orders are compared, 0 for only on demand; of those that
    nothing was heard of for `quiet_h`. `timeout_s` is for one request.
    """

    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    client_secret: Secret
    base_url: Url = "https://wbsapi.withings.net"
    every_h: Annotated[float, msgspec.Meta(ge=0, le=24 * 366)] = 24
    quiet_h: Annotated[float, msgspec.Meta(ge=0, le=24 * 366)] = 2
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=120)] = 30

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url: expected an https or http URL")

    def __repr__(self) -> str:
        return f"ReadAccess({self.base_url})"


def signed(access: ReadAccess, *, action: str, once: str) -> Mapping[str, str]:
    """The parameters that sign a call; `once` is the timestamp or the nonce."""
    told = signed_text(action=action, client_id=access.client_id, once=once)
    return MappingProxyType(
        {
            "action": action,
            "client_id": access.client_id,
            "signature": signature(access.client_secret, told),
        }
    )


def status_of(raw: bytes) -> tuple[int, object]:
    """The number and the body of an answer. Raises InvalidInput for what is none."""
    answer = decoded(raw)
    number = member(answer, "status")
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidInput(field="status", expected="a number")
    return number, member(answer, "body")


def refuses_caller(number: int) -> bool:
    """Whether the number says that these credentials may not ask (published families)."""
    return number in _REFUSES_CALLER


def refuses_parameters(number: int) -> bool:
    """Whether it says that something that was asked for is at fault."""
    return number in _REFUSES_PARAMETERS


def nonce_of(body: object) -> str:
    """The nonce in an answer. Raises InvalidInput."""
    nonce = text(member(body, "nonce"))
    if nonce is None:
        raise InvalidInput(field="nonce", expected="a text")
    return nonce


def orders_of(body: object) -> Iterator[Theirs]:
    """The orders in an answer; what cannot be told apart as an order is left out."""
    for order in items(member(body, "orders")):
        key = text(member(order, "customer_ref_id"))
        if key is not None:
            yield Theirs(key, _words(order), _packages(order))


def _words(order: object) -> Mapping[str, str | None]:
    names = ("status", "parcel_status")
    return {name: text(member(order, name)) for name in names}


def _packages(order: object) -> tuple[Package, ...]:
    package = Package(
        tracking_number=text(member(order, "tracking_number")),
        carrier=text(member(order, "carrier")),
        carrier_service=text(member(order, "carrier_service")),
    )
    return () if package == Package() else (package,)
