"""What changes of an endpoint's secrets, and of the keys that they are sealed with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.delivery.model import Endpoint

EndpointName = tuple[str, str]
"""The account and the id of an endpoint."""


SECRETS_LOST = "its secrets are lost: rotate the secret, set the credentials, and resume it"
"""Why an endpoint is paused whose secrets could not be read any more."""


class Resealed(msgspec.Struct, frozen=True, gc=False):
    """How many endpoints were looked at and sealed anew, and after which one to go on, if any."""

    seen: int
    sealed: int
    after: EndpointName | None


class SecretStore(Protocol):
    """Endpoints with their secrets, which are kept sealed. Every method may raise StoreError."""

    async def open_without_secrets(self, *, now: datetime) -> int:
        """Opens a database whose key is lost, instead of `open`; returns how many endpoints it has.

        Each is paused, with neither secrets nor credentials, and what comes is sealed with the
        keys that are there now.
        """

    async def change_endpoint(
        self, account_id: str, endpoint_id: str, *, change: Callable[[Endpoint], Endpoint]
    ) -> Endpoint:
        """Writes what `change` makes of the endpoint as it is, in one transaction.

        Of two changes at once neither is lost; `change` may be called again. Raises UnknownRecord,
        and whatever `change` raises.
        """

    async def reseal(self, *, after: EndpointName | None, limit: int) -> Resealed:
        """Seals with the first key what another one has sealed, of the next so many endpoints."""

    async def finish_resealing(self) -> bool:
        """Makes the first key the one that the database asks for, if all is sealed with it.

        Then the others are needed no more. Returns whether that is so.
        """
