"""The options that `simulate` and `conformance` share: whom to send to, and how it is proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.listen import Contract
from milepost.cli.pairs import merged
from milepost.contracts import ROOMS
from milepost.delivery.model import Endpoint
from milepost.delivery.signature import signing_key
from milepost.errors import InvalidInput
from milepost.net.guard import Guard
from milepost.rehearsal.chance import signing_secret
from milepost.rehearsal.sends import endpoint_at

ContractName = Annotated[Contract, typer.Option(help="The contract that the receiver is told in.")]
Secret = Annotated[
    str | None,
    typer.Option(
        envvar="MILEPOST_REHEARSAL_SECRET",
        help="The endpoint's signing secret, whsec_…; without one it is made of the seed.",
        show_default=False,
    ),
]
Basic = Annotated[
    str | None,
    typer.Option(
        envvar="MILEPOST_REHEARSAL_BASIC",
        help="shipmonk: the username:password that the receiver expects.",
        show_default=False,
    ),
]
SignatureSecret = Annotated[
    str | None,
    typer.Option(
        envvar="MILEPOST_REHEARSAL_SIGNATURE_SECRET",
        help="shipmonk: the secret of X-Sm-Signature.",
        show_default=False,
    ),
]
EndpointOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of the contract, such as customer_id=4711 or profile=form.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.05,
        max=120,
        help="Seconds to wait for an answer; default: the contract's.",
        show_default=False,
    ),
]

PrivateNetworks = Annotated[
    bool,
    typer.Option(
        "--allow-private-networks",
        help="Send to private networks too; this machine is always allowed.",
    ),
]

_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {Contract.WITHINGS.value: ("customer_id=4711",)}
)
"""Options that an endpoint of a contract cannot do without; what is given comes after them."""

_THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_SHIPMONK_ONLY = "nothing in this contract: only shipmonk has it"


def endpoint_of(
    url: str,
    *,
    contract: Contract,
    seed: int,
    start: datetime,
    secret: str | None,
    basic: str | None,
    signature_secret: str | None,
    option: Sequence[str] | None,
    timeout_s: float | None,
) -> Endpoint:
    """The endpoint as it would be set up in a hub. Raises InvalidInput, which repeats no secret."""
    room = ROOMS[contract.value]
    if secret is not None:
        signing_key(secret)
    given = [*_NEEDED.get(room.name, ()), *(option or ())]
    options = merged(given, shape=room.options, known=b"{}", name="--option")
    return endpoint_at(
        url,
        room=room,
        seed=seed,
        start=start,
        secrets=(secret or signing_secret(seed),),
        credentials=_credentials(contract, basic=basic, signature_secret=signature_secret),
        options=bytes(options),
        timeout_s=timeout_s,
    )


def _credentials(contract: Contract, *, basic: str | None, signature_secret: str | None) -> bytes:
    told: dict[str, Any] = {}
    if contract is not Contract.SHIPMONK:
        for name, value in (("--basic", basic), ("--signature-secret", signature_secret)):
            if value is not None:
                raise InvalidInput(field=name, expected=_SHIPMONK_ONLY)
        return b"{}"
    if basic is not None:
        username, colon, password = basic.partition(":")
        if not (username and colon and password):
            raise InvalidInput(field="--basic", expected="username:password")
        told |= {"username": username, "password": password}
    if signature_secret is not None:
        told["signature_secret"] = signature_secret
    try:
        msgspec.convert(told, ROOMS[contract.value].credentials)
    except msgspec.ValidationError:
        expected = "texts of at most 255 characters without control characters"
        raise InvalidInput(field="--basic or --signature-secret", expected=expected) from None
    return msgspec.json.encode(told)


def guard_of(*, private_networks: bool) -> Guard:
    """What may be connected to: this machine always, private networks where the user says so."""
    return Guard(allow_networks=_THIS_MACHINE, allow_private=private_networks)
