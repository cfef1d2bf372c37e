"""Client applications: who may ask the order interface for an account, and where it is notified.

An application has a store of its own, so that its references are its own, and no other's orders can
be read or cancelled with its secret. What its notify URI is told is an endpoint like any other, of
the contract `withings` and for that store alone, made and kept with the application.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from milepost.contracts.withings.extensions import NAME
from milepost.delivery.model import Endpoint
from milepost.errors import InvalidInput
from milepost.operations import CheckUrl, Operations
from milepost.orders.model import Name, Url
from milepost.ports import Now, Store
from milepost.ports.withings import ClientApplication
from milepost.rules import EndpointChange, EndpointInput

ID_BYTES = SECRET_BYTES = 32
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
_SECRET = re.compile(r"[!-~]{16,255}", re.ASCII)

UNSET = msgspec.UNSET


class ClientInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new application; its id and its secret are made unless it brings those that it has.

    `store` is where its orders go; it is opened when it is not there, and called like the
    application when it is left out.
    """

    name: Name
    billing_id: Name
    notify_uri: Url | None = None
    store: Name | None = None
    client_id: Name | None = None
    secret: Name | None = None

    def __repr__(self) -> str:
        return f"ClientInput({self.name})"


class ClientChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes of an application; what is left out stays as it is.

    Without a `notify_uri`, null, nothing is notified any more. A new secret counts at once, and
    the one before it no longer.
    """

    name: Name | msgspec.UnsetType = UNSET
    billing_id: Name | msgspec.UnsetType = UNSET
    notify_uri: Url | msgspec.UnsetType | None = UNSET
    secret: Name | msgspec.UnsetType = UNSET
    rotate_secret: bool = False

    def __repr__(self) -> str:
        return "ClientChange(…)"


class ClientView(msgspec.Struct, frozen=True):
    """A client application as it is shown; its secret is not."""

    client_id: str
    name: str
    billing_id: str
    store: str
    endpoint_id: str | None
    notify_uri: str | None
    created_at: datetime
    updated_at: datetime


class NewClient(msgspec.Struct, frozen=True):
    """An application, and its secrets where they were just made: the only time they are shown.

    `secret` signs its requests; `notification_secret` verifies what it is notified.
    """

    client: ClientView
    secret: str | None = None
    notification_secret: str | None = None

    def __repr__(self) -> str:
        return f"NewClient({self.client.client_id})"


class Applications:
    """Every change of client applications; each counts as soon as its call has returned."""

    def __init__(
        self,
        store: Store,
        *,
        operations: Operations,
        check_url: CheckUrl,
        now: Now,
        token: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._operations = operations
        self._check_url = check_url
        self._now = now
        self._token = token

    async def add(self, account_id: str, wanted: ClientInput) -> NewClient:
        """Registers an application.

        Raises InvalidInput, and AlreadyExists for a client id or a store that another one has.
        """
        now = self._now()
        client = ClientApplication(
            account_id=account_id,
            client_id=wanted.client_id or self._token(ID_BYTES).hex(),
            name=wanted.name,
            billing_id=wanted.billing_id,
            secret=wanted.secret or self._token(SECRET_BYTES).hex(),
            store=wanted.store or wanted.name,
            endpoint_id=None,
            created_at=now,
            updated_at=now,
        )
        _check(client)
        if wanted.notify_uri is not None:
            self._check_url(wanted.notify_uri)
        if client.store not in [s.store for s in await self._store.stores(account_id)]:
            await self._operations.put_store(account_id, client.store)
        await self._store.add_client(client)
        client, endpoint = await self._notify(client, wanted.notify_uri)
        shown = _view(client, endpoint)
        return NewClient(shown, client.secret, _signing_secret(endpoint))

    async def change(self, account_id: str, client_id: str, change: ClientChange) -> NewClient:
        """Changes an application. Raises UnknownRecord, InvalidInput."""
        known = await self._store.client(account_id, client_id)
        told = {
            field: value
            for field in ("name", "billing_id", "secret")
            if (value := getattr(change, field)) is not UNSET
        }
        if change.rotate_secret:
            told["secret"] = self._token(SECRET_BYTES).hex()
        client = msgspec.structs.replace(known, **told, updated_at=self._now())
        _check(client)
        before = await self._endpoint_of(client)
        uri = change.notify_uri
        if isinstance(uri, msgspec.UnsetType):
            uri = None if before is None else before.url
        elif uri is not None:
            self._check_url(uri)
        await self._store.change_client(client)
        client, endpoint = await self._notify(client, uri)
        opened = endpoint if before is None else None
        return NewClient(
            _view(client, endpoint),
            client.secret if "secret" in told else None,
            _signing_secret(opened),
        )

    async def remove(self, account_id: str, client_id: str) -> int:
        """Removes an application and its endpoint; its orders and its store stay.

        Returns how many pending notifications were abandoned. Raises UnknownRecord.
        """
        client = await self._store.client(account_id, client_id)
        abandoned = 0
        endpoint = await self._endpoint_of(client)
        if endpoint is not None:
            abandoned = await self._operations.delete_endpoint(account_id, endpoint.endpoint_id)
        await self._store.delete_client(account_id, client_id)
        return abandoned

    async def list(self, account_id: str) -> Sequence[ClientView]:
        """The account's applications, oldest first."""
        endpoints = {e.endpoint_id: e for e in await self._store.endpoints(account_id)}
        return [
            _view(client, endpoints.get(client.endpoint_id or ""))
            for client in await self._store.clients(account_id)
        ]

    async def show(self, account_id: str, client_id: str) -> ClientView:
        """Raises UnknownRecord."""
        client = await self._store.client(account_id, client_id)
        return _view(client, await self._endpoint_of(client))

    async def _endpoint_of(self, client: ClientApplication) -> Endpoint | None:
        """The application's endpoint, also one that a process made which died before it said so."""
        for endpoint in await self._store.endpoints(client.account_id):
            if endpoint.endpoint_id == client.endpoint_id or _is_for(endpoint, client):
                return endpoint
        return None

    async def _notify(
        self, client: ClientApplication, uri: str | None
    ) -> tuple[ClientApplication, Endpoint | None]:
        """Opens, changes or removes the endpoint, so that it is the one for this URI."""
        known = await self._endpoint_of(client)
        endpoint = known
        if uri is None and known is not None:
            await self._operations.delete_endpoint(client.account_id, known.endpoint_id)
            endpoint = None
        elif uri is not None and known is None:
            endpoint = await self._operations.add_endpoint(client.account_id, _wanted(client, uri))
        elif uri is not None and known is not None:
            options = msgspec.json.decode(known.options) | {"customer_id": client.billing_id}
            change = EndpointChange(url=uri, options=msgspec.Raw(msgspec.json.encode(options)))
            endpoint = await self._operations.change_endpoint(
                client.account_id, known.endpoint_id, change
            )
        named = None if endpoint is None else endpoint.endpoint_id
        if named != client.endpoint_id:
            client = msgspec.structs.replace(client, endpoint_id=named)
            await self._store.change_client(client)
        return client, endpoint


def _is_for(endpoint: Endpoint, client: ClientApplication) -> bool:
    made = f"notify URI of {client.client_id}"
    return endpoint.contract == NAME and endpoint.description == made


def _wanted(client: ClientApplication, uri: str) -> EndpointInput:
    options = msgspec.json.encode({"customer_id": client.billing_id})
    return EndpointInput(
        contract=NAME,
        url=uri,
        description=f"notify URI of {client.client_id}",
        stores=(client.store,),
        options=msgspec.Raw(options),
    )


def _check(client: ClientApplication) -> None:
    if not _CLIENT_ID.fullmatch(client.client_id):
        expected = "1 to 255 letters, digits, dots, hyphens and underscores"
        raise InvalidInput(field="client_id", expected=expected)
    if not _SECRET.fullmatch(client.secret):
        raise InvalidInput(field="secret", expected="16 to 255 visible ASCII characters")


def _signing_secret(endpoint: Endpoint | None) -> str | None:
    return endpoint.secrets[0] if endpoint is not None and endpoint.secrets else None


def _view(client: ClientApplication, endpoint: Endpoint | None) -> ClientView:
    return ClientView(
        client_id=client.client_id,
        name=client.name,
        billing_id=client.billing_id,
        store=client.store,
        endpoint_id=None if endpoint is None else endpoint.endpoint_id,
        notify_uri=None if endpoint is None else endpoint.url,
        created_at=client.created_at,
        updated_at=client.updated_at,
    )
