"""What an operator or an integrator changes: accounts, keys, stores, endpoints, and sending again.

Chance comes in as `token`: given a number of bytes, it returns so many random ones. `look` tells
the dispatcher that something may be due.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from milepost.contracts import sample
from milepost.contracts.contract import Contract, Notice, read_as
from milepost.contracts.operational import paused_notice, resumed_notice
from milepost.delivery.health import Cause
from milepost.delivery.model import (
    ENDPOINT_TEST,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    NewDelivery,
    read_delivery_id,
)
from milepost.delivery.rotation import without_expired
from milepost.delivery.signature import new_secret
from milepost.errors import InvalidInput, OrderErased, UnknownRecord
from milepost.orders.model import Store as StoreRecord
from milepost.ports import Account, ApiKey, NewId, Now, Store
from milepost.rules import (
    EndpointChange,
    EndpointInput,
    changes_of,
    check_choice,
    check_endpoint,
    new_endpoint,
)

ACCOUNT, ENDPOINT, KEY = "acc_", "ep_", "key_"
KEY_TEXT = "mp_"
PAUSED_BY_OPERATOR = "paused by the operator"
HIGHEST_STORE_NUMBER = 2**31 - 1
MOST_STORES = 10_000
"""Stores of one account: each process has all of them in memory."""

MOST_ENDPOINTS = 500
"""Endpoints of one account: each of them is looked at for each of its events."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_KEY_TEXT = re.compile(r"mp_([0-9a-hjkmnp-tv-z]{26})_[A-Za-z0-9_-]{43}", re.ASCII)

CheckUrl = Callable[[str], None]
"""Raises UrlRefused when notifications may not be sent to a URL."""


class NewKey(msgspec.Struct, frozen=True, gc=False):
    """An API key that was just made; its text is not kept anywhere and cannot be shown again."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.key_id})"


def account_of_key(text: str) -> str | None:
    """The account that a key's text names; None when it has not the shape of a key."""
    match = _KEY_TEXT.fullmatch(text)
    return None if match is None else ACCOUNT + match[1]


def key_digest(text: str) -> str:
    """All that is kept of a key's text: its SHA-256 in hex; its 256 random bits need no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


class Operations:
    """Every change that is not an order's; each counts as soon as its call has returned."""

    def __init__(
        self,
        store: Store,
        *,
        rooms: Mapping[str, Contract],
        check_url: CheckUrl,
        now: Now,
        new_id: NewId,
        token: Callable[[int], bytes],
        look: Callable[[], None],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._check_url = check_url
        self._now = now
        self._new_id = new_id
        self._token = token
        self._look = look

    # accounts and keys

    async def add_account(self, name: str, *, sandbox: bool = False) -> Account:
        """Opens an account, for ever a sandbox or none.

        Raises InvalidInput when the name is empty or too long.
        """
        _check_length("name", name)
        account = Account(ACCOUNT + self._new_id(), name, self._now(), sandbox)
        await self._store.add_account(account)
        return account

    async def add_first_account(self, name: str) -> Account | None:
        """Opens the first account; None where there is one already, opened just now perhaps."""
        account = Account(ACCOUNT + self._new_id(), name, self._now())
        return account if await self._store.add_first_account(account) else None

    async def accounts(self) -> Sequence[Account]:
        """All accounts, oldest first."""
        return await self._store.accounts()

    async def add_key(self, account_id: str, *, name: str) -> NewKey:
        """Makes an API key of the account. Raises UnknownRecord, InvalidInput."""
        _check_length("name", name)
        await self._check_account(account_id)
        secret = base64.urlsafe_b64encode(self._token(32)).rstrip(b"=").decode()
        text = f"{KEY_TEXT}{account_id.removeprefix(ACCOUNT)}_{secret}"
        key = ApiKey(account_id, self._short_id(KEY), name, self._now())
        await self._store.add_key(key, digest=key_digest(text))
        return NewKey(key, text)

    async def keys(self, account_id: str) -> Sequence[ApiKey]:
        """The account's keys, revoked ones too, oldest first. Raises UnknownRecord."""
        await self._check_account(account_id)
        return await self._store.keys(account_id)

    async def revoke_key(self, account_id: str, key_id: str) -> None:
        """Ends a key; doors that have just seen it let it in for a few seconds more.

        Raises UnknownRecord.
        """
        await self._store.revoke_key(account_id, key_id, now=self._now())

    async def _check_account(self, account_id: str) -> None:
        if all(account.account_id != account_id for account in await self._store.accounts()):
            raise UnknownRecord

    # stores

    async def put_store(
        self, account_id: str, store: str, *, name: str | None = None, number: int | None = None
    ) -> StoreRecord:
        """Opens a store or changes its name and number.

        Raises InvalidInput, and AlreadyExists when another store has the number.
        """
        if not _STORE_NAME.fullmatch(store):
            expected = "1 to 100 letters, digits, dots, hyphens and underscores"
            raise InvalidInput(field="store", expected=expected)
        title = store if name is None else name
        _check_length("name", title)
        if number is not None and not 1 <= number <= HIGHEST_STORE_NUMBER:
            raise InvalidInput(field="number", expected=f"a number of 1 to {HIGHEST_STORE_NUMBER}")
        known = {one.store for one in await self._store.stores(account_id)}
        if store not in known and len(known) >= MOST_STORES:
            expected = f"at most {MOST_STORES} stores in an account"
            raise InvalidInput(field="store", expected=expected)
        return await self._store.put_store(
            account_id, store, name=title, number=number, now=self._now()
        )

    # endpoints

    async def add_endpoint(self, account_id: str, wanted: EndpointInput) -> Endpoint:
        """Opens an endpoint; its signing secret is in what is returned. Raises InvalidInput."""
        room = self._rooms.get(wanted.contract)
        if len(await self._store.endpoints(account_id)) >= MOST_ENDPOINTS:
            expected = f"at most {MOST_ENDPOINTS} endpoints in an account"
            raise InvalidInput(field="", expected=expected)
        if room is None:
            raise InvalidInput(field="contract", expected=f"one of {', '.join(self._rooms)}")
        now = self._now()
        endpoint = new_endpoint(
            wanted,
            room=room,
            account_id=account_id,
            endpoint_id=self._short_id(ENDPOINT),
            secret=wanted.secret or new_secret(self._token(32)),
            now=now,
        )
        await self._check_endpoint(endpoint)
        await self._store.put_endpoint(endpoint)
        return endpoint

    async def change_endpoint(
        self, account_id: str, endpoint_id: str, change: EndpointChange
    ) -> Endpoint:
        """Changes an endpoint; what is pending goes by the new rules, its body as it was made.

        Raises UnknownRecord, InvalidInput.
        """
        endpoint = await self._store.endpoint(account_id, endpoint_id)
        told = changes_of(change, room=self._rooms[endpoint.contract])
        now = self._now()

        def change_to(known: Endpoint) -> Endpoint:
            changed = msgspec.structs.replace(known, **told, updated_at=now)
            return without_expired(changed, now=now)

        await self._check_endpoint(change_to(endpoint))
        return await self._store.change_endpoint(account_id, endpoint_id, change=change_to)

    async def pause_endpoint(
        self, account_id: str, endpoint_id: str, *, why: str = PAUSED_BY_OPERATOR
    ) -> Endpoint:
        """Parks what is and becomes pending there until it is resumed, and tells who subscribed.

        Raises UnknownRecord.
        """
        now = self._now()
        known = await self._store.endpoint(account_id, endpoint_id)
        endpoint = await self._store.set_endpoint_state(
            account_id,
            endpoint_id,
            state=EndpointState.PAUSED,
            why=why,
            now=now,
            notice=paused_notice(known, why=why, at=now, cause=Cause.OPERATOR, rooms=self._rooms),
        )
        self._look()
        return endpoint

    async def resume_endpoint(self, account_id: str, endpoint_id: str) -> Endpoint:
        """Sends what was parked, and goes on; tells who subscribed.

        Raises UnknownRecord, and InvalidInput for one whose secrets were lost.
        """
        now = self._now()
        known = await self._store.endpoint(account_id, endpoint_id)
        if not known.secrets:
            raise InvalidInput(field="", expected="a signing secret: rotate it first")
        endpoint = await self._store.set_endpoint_state(
            account_id,
            endpoint_id,
            state=EndpointState.ACTIVE,
            why="",
            now=now,
            notice=resumed_notice(known, at=now, rooms=self._rooms),
        )
        self._look()
        return endpoint

    async def delete_endpoint(self, account_id: str, endpoint_id: str) -> int:
        """Removes an endpoint; returns how many pending deliveries were abandoned with it.

        Raises UnknownRecord.
        """
        return await self._store.delete_endpoint(account_id, endpoint_id, now=self._now())

    async def _check_endpoint(self, endpoint: Endpoint) -> None:
        self._check_url(endpoint.url)
        check_endpoint(endpoint, room=self._rooms[endpoint.contract])
        if endpoint.stores is not None:
            stores = await self._store.stores(endpoint.account_id)
            check_choice("stores", endpoint.stores, [s.store for s in stores])

    # sending

    async def send_test(self, account_id: str, endpoint_id: str) -> Delivery:
        """Queues a notification of a made-up order; while the endpoint is paused it is parked.

        Raises UnknownRecord.
        """
        now = self._now()
        endpoint = await self._store.endpoint(account_id, endpoint_id)
        room = self._rooms[endpoint.contract]
        stores = await self._store.stores(account_id)
        made_up = StoreRecord(account_id, "test", 1, "Test store", now)
        store = next((s for s in stores if s.store in (endpoint.stores or (s.store,))), made_up)
        order, event = sample(store, now=now, order_id=ENDPOINT_TEST + self._new_id())
        others = {r.name: r.words(order) for r in self._rooms.values() if r is not room}
        notice = Notice(order, event, store, others if room.shows_others else {})
        delivery = NewDelivery(
            endpoint=endpoint,
            order_id=order.order_id,
            sequence=event.sequence,
            status=room.status(order),
            body=room.body(notice, read_as(room.options, endpoint.options)),
        )
        queued = await self._store.add_delivery(delivery, now=now)
        self._look()
        return queued

    async def resend(self, account_id: str, delivery_id: str) -> Delivery:
        """Sends a settled delivery again; one that is pending stays as it is.

        Raises UnknownRecord, OrderErased.
        """
        named = read_delivery_id(delivery_id)
        if named is None:
            raise UnknownRecord
        order_id, sequence, endpoint_id = named
        delivery = await self._store.resend(
            account_id, endpoint_id, order_id, sequence, now=self._now()
        )
        if delivery.state is not DeliveryState.PENDING:
            # Its body is gone, or about to go.
            raise OrderErased
        self._look()
        return delivery

    def _short_id(self, prefix: str) -> str:
        """The prefix and 50 random bits in ten characters of Crockford's base 32."""
        bits = int.from_bytes(self._token(7), "big")
        return prefix + "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 50, 5))


def _check_length(field: str, text: str) -> None:
    if not 1 <= len(text.strip()) <= 255 or len(text) > 255:
        raise InvalidInput(field=field, expected="1 to 255 characters")
