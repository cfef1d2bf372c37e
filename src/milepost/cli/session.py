"""A hub for the length of one command, on the database itself and beside a running `serve`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from milepost.cli.exits import AmbiguousName
from milepost.cli.options import settings_given
from milepost.errors import InvalidInput, StoreError, UnknownRecord
from milepost.logs import set_up_logs
from milepost.orders.model import Order
from milepost.ports import Account
from milepost.settings import Settings
from milepost.wiring import Hub, build

T = TypeVar("T")

SQLITE = "sqlite:///"


def with_hub(
    work: Callable[[Hub], Awaitable[T]],
    *,
    database: str | None,
    new: bool = False,
    allow_private_networks: bool | None = None,
) -> T:
    """What `work` returns, given a hub that is open and does not send.

    Raises StoreError when there is no database, unless a `new` one may be made.
    """
    settings = settings_given(
        os.environ, database=database, allow_private_networks=allow_private_networks
    )
    # The answer is on standard output already; a log line is worth showing when something is odd.
    quiet = {"debug": "debug", "info": "warning"}.get(settings.log_level, settings.log_level)
    set_up_logs(level=quiet, form=settings.log_format)
    if not new:
        check_there(settings)

    async def whole() -> T:
        hub = build(settings)
        try:
            await hub.open(dispatch=False)
            return await work(hub)
        finally:
            await hub.close()

    return asyncio.run(whole())


def without_secrets(*, database: str | None) -> int:
    """Takes the secrets of every endpoint away; returns how many endpoints there are."""
    settings = settings_given(os.environ, database=database)
    check_there(settings)

    async def whole() -> int:
        hub = build(settings)
        try:
            return await hub.store.open_without_secrets(now=hub.now())
        finally:
            await hub.close()

    return asyncio.run(whole())


def in_account(
    work: Callable[[Hub, str], Awaitable[T]],
    *,
    database: str | None,
    account: str | None,
    allow_private_networks: bool | None = None,
) -> T:
    """What `work` returns, given a hub and the id of the account that is meant."""

    async def inside(hub: Hub) -> T:
        return await work(hub, (await account_named(hub, account)).account_id)

    return with_hub(inside, database=database, allow_private_networks=allow_private_networks)


def sqlite_path(settings: Settings) -> Path | None:
    """The file of an SQLite database; None for any other."""
    url = settings.database_url
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def check_there(settings: Settings) -> None:
    """Raises StoreError for an SQLite file that is not there."""
    path = sqlite_path(settings)
    if path is not None and not path.exists():
        # A mistyped path must not become an empty database that answers "nothing here".
        raise StoreError(
            f"There is none at {path}: `milepost serve` or `milepost account add` makes it, "
            "--database names another."
        )


async def account_named(hub: Hub, name: str | None) -> Account:
    """The account with this id or name, or the only one.

    Raises UnknownRecord, InvalidInput when none is named and there are several, AmbiguousName.
    """
    accounts = await hub.operations.accounts()
    if not accounts:
        raise UnknownRecord("There is no account yet: `milepost account add NAME` opens one.")
    if name is None and len(accounts) > 1:
        raise InvalidInput(field="--account", expected=f"one of {_listed(accounts)}")
    found = [a for a in accounts if name in (None, a.account_id)]
    found = found or [a for a in accounts if a.name == name]
    if not found:
        raise UnknownRecord(f"No account is called {name}; there is {_listed(accounts)}.")
    if len(found) > 1:
        raise AmbiguousName(f"Accounts called {name}: {_listed(found)}; give the id.")
    return found[0]


def _listed(accounts: Sequence[Account]) -> str:
    shown = ", ".join(f"{a.name} ({a.account_id})" for a in accounts[:5])
    return shown if len(accounts) <= 5 else f"{shown} and {len(accounts) - 5} more"


async def store_named(hub: Hub, account_id: str, name: str | None) -> str:
    """The name of the store that is meant: the one given, or the only one. Raises InvalidInput."""
    if name is not None:
        return name
    stores = await hub.insights.stores(account_id)
    if len(stores) == 1:
        return stores[0].store
    listed = ", ".join(s.store for s in stores[:10])
    expected = f"one of {listed}" if stores else "a store: `milepost store add NAME` opens one"
    raise InvalidInput(field="--store", expected=expected)


async def order_named(hub: Hub, account_id: str, text: str, *, store: str | None) -> Order:
    """The one order with this id, key, number or tracking number.

    Raises UnknownRecord, and AmbiguousName when it fits several.
    """
    found = await hub.store.find_orders(account_id, text)
    found = [order for order in found if store in (None, order.store)]
    # An id names one order whatever it is the key or the tracking number of elsewhere.
    exact = [order for order in found if order.order_id == text]
    found = exact or [order for order in found if order.order_key == text] or found
    if not found:
        raise UnknownRecord(f"No order has {text} as its id, key, number or tracking number.")
    if len(found) > 1:
        listed = ", ".join(f"{o.order_id} ({o.store})" for o in found[:5])
        raise AmbiguousName(f"{text} fits {len(found)} orders: {listed}. Give the id or --store.")
    return found[0]


@contextmanager
def asked_for(what: str) -> Iterator[None]:
    """Says in an UnknownRecord from inside what was asked for, as it was asked."""
    try:
        yield
    except UnknownRecord:
        raise UnknownRecord(f"Asked for: {what}.") from None
