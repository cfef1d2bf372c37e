"""ShipMonk's order status change as it comes in, and its siblings on the same URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from milepost.contracts.incoming import Incoming, Message, MessageKind, Read
from milepost.contracts.proving import (
    LONGEST_WORD,
    NoOptions,
    Sealed,
    Secret,
    Secrets,
    name,
    reader_of,
    unmapped,
    web_url,
)
from milepost.contracts.shipmonk.packages import details_of
from milepost.contracts.shipmonk.payloads import NAME
from milepost.contracts.shipmonk.statuses import (
    ADDRESS_ACTION,
    READ,
    SCHEDULED_BY_REASON,
    SHOWN,
    reads,
)
from milepost.errors import InvalidInput
from milepost.orders.events import Meaning, Update
from milepost.orders.lifecycle import State
from milepost_receiver import Receiver, ShipMonkNotification, ShipMonkOther

S = State
MOST_PACKAGES = 500
"""As many as an order has parcels at most."""

_KINDS: Mapping[str, MessageKind] = MappingProxyType(
    {
        "shipment": MessageKind.SHIPMENT,
        "return": MessageKind.RETURN,
        "receiving": MessageKind.RECEIVING,
    }
)

_LOOKS: tuple[tuple[str, Meaning], ...] = (
    *((shown, (state, None)) for state, (shown, _) in SHOWN.items() if state is not S.SCHEDULED),
    *((shown, (S.SCHEDULED, reason)) for reason, shown in SCHEDULED_BY_REASON.items()),
)
COVERS: Mapping[str, tuple[Meaning, ...]] = MappingProxyType(
    {
        word: tuple(
            meaning
            for shown, meaning in _LOOKS
            if shown == word and meaning != (reading.state, reading.reason)
        )
        for word, reading in READ.items()
        # Whether it is the address that is wrong, the message says.
        if reading.state is not S.SUBMIT_FAILED
    }
)
"""The other states that a processing status stands for as well."""


class Credentials(Sealed, frozen=True):
    """What ShipMonk was given to prove itself by, at least one: all that are given must hold.

    Basic and the secret of X-Sm-Signature are ShipMonk's; `secrets` are the `whsec_…` of an
    endpoint, where a Milepost sends.
    """

    username: Secret | None = None
    password: Secret | None = None
    signature_secrets: Secrets = ()
    secrets: Secrets = ()

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            name = "username" if self.username is None else "password"
            raise ValueError(f"{name}: expected a value, as Basic needs both")
        if not (self.username or self.signature_secrets or self.secrets):
            raise ValueError("username: expected Basic, signature_secrets or secrets")


def reader(credentials: Credentials, _options: NoOptions, now: Callable[[], float]) -> Read:
    username, password = credentials.username, credentials.password
    basic = None if username is None or password is None else [(username, password)]
    signed = bool(credentials.secrets)
    return reader_of(
        lambda: Receiver.shipmonk(
            basic=basic,
            signature_secrets=credentials.signature_secrets or None,
            secrets=credentials.secrets or None,
            now=now,
        ),
        lambda told: (
            _sibling(told) if isinstance(told, ShipMonkOther) else _order(told, signed=signed)
        ),
    )


def _sibling(told: ShipMonkOther) -> Message:
    """An event of another kind: recognized and kept, with the order that it names."""
    kind = _KINDS.get(told.kind, MessageKind.OTHER)
    key = told.body.get("parent_order_key" if kind is MessageKind.SHIPMENT else "order_key")
    return Message(
        kind,
        message_id=told.delivery_id,
        order_key=name("order_key", key) if isinstance(key, str) and key else None,
    )


def _order(told: ShipMonkNotification, *, signed: bool) -> Message:
    word = told.processing_status[:LONGEST_WORD]
    message = Message(
        MessageKind.ORDER,
        message_id=told.delivery_id,
        order_key=name("order_key", told.order_key),
        store=None if told.store_id is None else str(told.store_id),
        tracking_number=name("tracking_number", next(iter(told.tracking_numbers), None)),
        word=word,
    )
    try:
        reading = reads(
            {
                "processing_status": told.processing_status,
                "order_status": told.order_status,
                "actions_required": ADDRESS_ACTION if _asks_for_address(told) else None,
            }
        )
    except InvalidInput:
        return msgspec.structs.replace(message, unmapped=_strange(told))
    whole = Update(
        source="",
        state=reading.state,
        reason=reading.reason,
        occurred_at=told.updated_at,
        source_sequence=told.sequence if signed else None,
        raw=word,
        carrier=name("shipment_data.carrier", told.carrier),
        carrier_service=name("shipment_data.service", told.carrier_service),
        updating=reading.updating,
        current=True,
        covers=COVERS.get(word, ()),
        whole=True,
    )
    return msgspec.structs.replace(message, updates=_by_package(told, whole))


def _asks_for_address(told: ShipMonkNotification) -> bool:
    actions = told.body.get("actions_required")
    return isinstance(actions, dict) and actions.get(ADDRESS_ACTION) is True


def _strange(told: ShipMonkNotification) -> tuple[str, ...]:
    if told.processing_status not in READ:
        return unmapped("processing_status", told.processing_status)
    return unmapped("order_status", told.order_status or "")


def _by_package(told: ShipMonkNotification, whole: Update) -> tuple[Update, ...]:
    """One update a package that can be told from others, each with the state of the order.

    Where none can be told, the one update is about the order alone.
    """
    bodies = told.body.get("packages")
    if not told.packages or not isinstance(bodies, tuple):
        return (whole,)
    if len(told.packages) > MOST_PACKAGES:
        raise InvalidInput(field="packages", expected=f"at most {MOST_PACKAGES}")
    updates = [
        msgspec.structs.replace(
            whole,
            tracking_number=name("packages.tracking_number", package.tracking_number),
            tracking_url=web_url(package.tracking_url),
            details=details_of(package.number, body),
        )
        for package, body in zip(told.packages, bodies, strict=True)
        if len(told.packages) == 1 or package.tracking_number or package.number is not None
    ]
    return tuple(updates) or (whole,)


INCOMING = Incoming(
    name=NAME,
    title="ShipMonk order status change",
    credentials=Credentials,
    options=NoOptions,
    reader=reader,
    proves="HTTP Basic and X-Sm-Signature (HMAC-SHA512 over the raw body), as far as given",
)
