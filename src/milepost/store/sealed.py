"""What of an endpoint is kept sealed: all that its signatures and credentials are made of."""

from __future__ import annotations

import msgspec

from milepost.delivery.model import Endpoint, RetiringSecret
from milepost.sealing import Vault


class Secrets(msgspec.Struct, frozen=True, omit_defaults=True):
    """The secrets of an endpoint, as they are before they are sealed."""

    secrets: tuple[str, ...] = ()
    retiring: tuple[RetiringSecret, ...] = ()
    credentials: msgspec.Raw = msgspec.Raw(b"{}")

    def __repr__(self) -> str:
        return "Secrets(…)"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Secrets).decode


def place_of(account_id: str, endpoint_id: str) -> str:
    """The place that an endpoint's secrets are sealed for: in another row they do not open."""
    return f"endpoint {account_id} {endpoint_id}"


def sealed_of(endpoint: Endpoint, *, vault: Vault) -> bytes:
    """The secrets of an endpoint, sealed."""
    told = Secrets(endpoint.secrets, endpoint.retiring, msgspec.Raw(endpoint.credentials))
    place = place_of(endpoint.account_id, endpoint.endpoint_id)
    return vault.seal(_encode(told), place=place)


def secrets_of(sealed: bytes, *, account_id: str, endpoint_id: str, vault: Vault) -> Secrets:
    """The secrets that were sealed for this endpoint. Raises SecretUnreadable."""
    return _decode(vault.open(sealed, place=place_of(account_id, endpoint_id)))


def sealed_nothing(account_id: str, endpoint_id: str, *, vault: Vault) -> bytes:
    """What is kept of an endpoint that has no secrets any more."""
    return vault.seal(_encode(Secrets()), place=place_of(account_id, endpoint_id))


def sealed_anew(sealed: bytes, *, account_id: str, endpoint_id: str, vault: Vault) -> bytes:
    """The same secrets, sealed with the key that seals now. Raises SecretUnreadable."""
    place = place_of(account_id, endpoint_id)
    return vault.seal(vault.open(sealed, place=place), place=place)
