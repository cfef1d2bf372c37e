"""The front of the kit: headers and body in, a verified and typed notification out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from milepost_receiver.body import take_bytes
from milepost_receiver.errors import ConfigurationInvalid
from milepost_receiver.headers import HeaderSource, pick_headers
from milepost_receiver.notification import (
    DELIVERY_HEADERS,
    DeliveryFacts,
    Notification,
    read_delivery_facts,
)
from milepost_receiver.operational import OperationalNotification, parse_with_operational
from milepost_receiver.shipmonk import ShipMonkNotification, ShipMonkOther, parse_shipmonk
from milepost_receiver.standard import StandardNotification, parse_standard
from milepost_receiver.verify import (
    TOLERANCE_SECONDS,
    BasicCredentials,
    Proof,
    ShipMonkSignature,
    StandardWebhooks,
)
from milepost_receiver.withings import CONTENT_HEADERS, WithingsNotification, parse_withings

MAX_BODY_BYTES = 1024 * 1024

READ_HEADERS = DELIVERY_HEADERS | CONTENT_HEADERS
"""The headers that a notification is read from; the others only prove it."""

N_co = TypeVar("N_co", bound=Notification, covariant=True)


class Parse(Protocol[N_co]):
    """How a contract reads a verified body."""

    def __call__(self, headers: Mapping[str, str], *, facts: DeliveryFacts) -> N_co: ...


class Receiver(Generic[N_co]):
    """Verifies and reads the notifications of one endpoint; made once, usable from any thread.

    Make one with `standard`, `withings` or `shipmonk`. They share `max_body_bytes`,
    `tolerance_seconds` (how far the time of signing may be from now) and `now` (answers seconds
    since the epoch), and raise ConfigurationInvalid. Several secrets or pairs may be given while
    one replaces another. Secrets are never shown, in no error and in no repr.
    """

    __slots__ = ("_contract", "_max_body_bytes", "_parse", "_proofs", "_wanted")

    def __init__(
        self,
        contract: str,
        *,
        proofs: Iterable[Proof],
        parse: Parse[N_co],
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        if not max_body_bytes > 0:
            raise ConfigurationInvalid("max_body_bytes", expected="a positive number")
        self._contract = contract
        self._proofs = tuple(proofs)
        self._parse = parse
        self._max_body_bytes = max_body_bytes
        self._wanted = DELIVERY_HEADERS.union(
            CONTENT_HEADERS, *(proof.headers for proof in self._proofs)
        )

    def __repr__(self) -> str:
        proofs = ", ".join(type(proof).__name__ for proof in self._proofs) or "unsigned"
        return f"Receiver({self._contract}: {proofs})"

    @property
    def contract(self) -> str:
        """Which of the three contracts this reads."""
        return self._contract

    @property
    def max_body_bytes(self) -> int:
        """The largest body that is read; stop reading a request there."""
        return self._max_body_bytes

    @property
    def wanted_headers(self) -> frozenset[str]:
        """The headers that are looked at, in lower case."""
        return self._wanted

    def read_trusted(self, headers: HeaderSource, body: bytes | bytearray | memoryview) -> N_co:
        """The notification, without any proof: for what you have kept or fetched yourself.

        What came over the network goes to `read`. Raises a ReceiverError and nothing else.
        """
        raw = take_bytes(body, limit=self._max_body_bytes)
        picked = pick_headers(headers, wanted=READ_HEADERS)
        return self._parse(picked, facts=read_delivery_facts(picked, body=raw))

    def read(self, headers: HeaderSource, body: bytes | bytearray | memoryview) -> N_co:
        """The notification, once every configured proof holds; body is the raw bytes.

        Headers are a mapping or pairs, of text or bytes, in any case. Raises a ReceiverError and
        nothing else, whatever arrives; its `http_status` is a fitting reply.
        """
        raw = take_bytes(body, limit=self._max_body_bytes)
        picked = pick_headers(headers, wanted=self._wanted)
        for proof in self._proofs:
            proof.check(picked, body=raw)
        return self._parse(picked, facts=read_delivery_facts(picked, body=raw))

    @overload
    @staticmethod
    def standard(
        *,
        secrets: Iterable[str | bytes],
        operational: Literal[False] = False,
        max_body_bytes: int = MAX_BODY_BYTES,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> Receiver[StandardNotification]: ...

    @overload
    @staticmethod
    def standard(
        *,
        secrets: Iterable[str | bytes],
        operational: Literal[True],
        max_body_bytes: int = MAX_BODY_BYTES,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> Receiver[StandardNotification | OperationalNotification]: ...

    @staticmethod
    def standard(
        *,
        secrets: Iterable[str | bytes],
        operational: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> Receiver[Any]:
        """A receiver of Milepost's own contract; secrets are `whsec_…` texts or their bytes.

        An endpoint that subscribed to operational events needs `operational`: without it they are
        refused as malformed.
        """
        proof = StandardWebhooks(secrets, tolerance_seconds=tolerance_seconds, now=now)
        parse = parse_with_operational if operational else parse_standard
        return Receiver("standard", proofs=[proof], parse=parse, max_body_bytes=max_body_bytes)

    @staticmethod
    def withings(
        *,
        secrets: Iterable[str | bytes] | None = None,
        accept_unsigned: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> Receiver[WithingsNotification]:
        """A receiver of Withings order updates: either secrets, or unsigned ones by your word.

        Withings publishes no signature, so only Milepost's can be verified. With accept_unsigned
        anybody who knows the URL can send anything: allow the provider's addresses only.
        """
        if (secrets is None) != bool(accept_unsigned):
            raise ConfigurationInvalid(expected="either secrets or accept_unsigned=True")
        proofs = (
            []
            if secrets is None
            else [StandardWebhooks(secrets, tolerance_seconds=tolerance_seconds, now=now)]
        )
        return Receiver(
            "withings", proofs=proofs, parse=parse_withings, max_body_bytes=max_body_bytes
        )

    @staticmethod
    def shipmonk(
        *,
        basic: Iterable[tuple[str, str]] | None = None,
        signature_secrets: Iterable[str | bytes] | None = None,
        secrets: Iterable[str | bytes] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> Receiver[ShipMonkNotification | ShipMonkOther]:
        """A receiver of ShipMonk's order webhooks; every kind of proof that is given must hold.

        `basic` are username and password, `signature_secrets` those of X-Sm-Signature, and
        `secrets` the `whsec_…` of Milepost, which ShipMonk itself does not sign with.
        """
        proofs: list[Proof] = []
        if basic is not None:
            proofs.append(BasicCredentials(basic))
        if signature_secrets is not None:
            proofs.append(ShipMonkSignature(signature_secrets))
        if secrets is not None:
            proofs.append(StandardWebhooks(secrets, tolerance_seconds=tolerance_seconds, now=now))
        if not proofs:
            raise ConfigurationInvalid(expected="basic, signature_secrets or secrets")
        return Receiver(
            "shipmonk", proofs=proofs, parse=parse_shipmonk, max_body_bytes=max_body_bytes
        )
