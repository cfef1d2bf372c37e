"""`milepost account`, `milepost account key` and `milepost store`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.session import asked_for, in_account, with_hub
from milepost.insights import StoreView, store_view
from milepost.operations import NewKey
from milepost.ports import Account, ApiKey
from milepost.wiring import Hub

account = typer.Typer(help="Open accounts, and make and revoke their API keys.")
key = typer.Typer(help="API keys: how programs act for an account.")
store = typer.Typer(help="Stores: the sales channels in which order keys are unique.")
account.add_typer(key, name="key")

KEY_COLUMNS = ("key id", "name", "made", "revoked")
STORE_COLUMNS = ("store", "number>", "name", "opened")


@account.command(
    "add",
    epilog=examples(
        "account add acme", "account add acme --json", "account add rehearsal --sandbox"
    ),
)
def add_account(
    name: Annotated[str, typer.Argument(help="What the account is called.")],
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="Give it a clock that can be moved forward; that is for ever."
        ),
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Open an account; a new database is made for the first one."""

    async def add(hub: Hub) -> Account:
        return await hub.operations.add_account(name, sandbox=sandbox)

    opened = with_hub(add, database=database, new=True)
    if as_json:
        answer(opened)
        return
    record("Account", _account_facts(opened))
    hint(f"Next: milepost account key add --account {opened.account_id}")


@account.command("list", epilog=examples("account list"))
def list_accounts(database: Database = None, as_json: Json = False) -> None:
    """List all accounts, oldest first."""

    async def read(hub: Hub) -> list[Account]:
        return list(await hub.operations.accounts())

    accounts = with_hub(read, database=database)
    if as_json:
        answer({"accounts": accounts})
        return
    table(
        "Accounts",
        ("account id", "name", "opened", "sandbox"),
        [(a.account_id, a.name, a.created_at, a.sandbox) for a in accounts],
        empty="There is no account yet: `milepost account add NAME` opens one.",
    )


def _account_facts(opened: Account) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("id", opened.account_id), ("name", opened.name)]
    facts.append(("opened", opened.created_at))
    if opened.sandbox:
        facts.append(("clock", "can be moved: it is a sandbox"))
    return facts


def key_shown(made: NewKey) -> dict[str, Any]:
    """A new key with its text: the only time that it is shown."""
    return {**msgspec.structs.asdict(made.key), "key": made.text}


@key.command("add", epilog=examples("account key add --name warehouse", "account key add --json"))
def add_key(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make an API key; its text is shown this once and kept nowhere."""

    async def add(hub: Hub, account_id: str) -> NewKey:
        return await hub.operations.add_key(account_id, name=name)

    made = in_account(add, database=database, account=account)
    if as_json:
        answer(key_shown(made))
        return
    record("API key", [("id", made.key.key_id), ("name", made.key.name), ("key", made.text)])
    hint("Keep the key now: it is not shown again.")


@key.command("list", epilog=examples("account key list"))
def list_keys(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List an account's keys, revoked ones too; their texts are kept nowhere."""

    async def read(hub: Hub, account_id: str) -> list[ApiKey]:
        return list(await hub.operations.keys(account_id))

    keys = in_account(read, database=database, account=account)
    if as_json:
        answer({"keys": keys})
        return
    table(
        "API keys",
        KEY_COLUMNS,
        [(k.key_id, k.name, k.created_at, k.revoked_at) for k in keys],
        empty="There is no key yet: `milepost account key add` makes one.",
    )


@key.command("revoke", epilog=examples("account key revoke key_0123456789"))
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `account key list` shows it.")],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End a key; a running hub refuses it a few seconds later."""

    async def revoke(hub: Hub, account_id: str) -> None:
        with asked_for(f"key {key_id}"):
            await hub.operations.revoke_key(account_id, key_id)

    in_account(revoke, database=database, account=account)
    if as_json:
        answer({"key_id": key_id, "revoked": True})
    else:
        say(f"{key_id} is revoked.")


@store.command("add", epilog=examples("store add main", "store add eu --name 'Europe' --number 7"))
def add_store(
    name_of_store: Annotated[
        str, typer.Argument(metavar="STORE", help="Its name: letters, digits, . _ and -.")
    ],
    name: Annotated[str | None, typer.Option(help="Its title; default: its name.")] = None,
    number: Annotated[
        int | None, typer.Option(help="Its number in contracts that need one; default: the next.")
    ] = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Open a store, or change the title and number of one."""

    async def add(hub: Hub, account_id: str) -> StoreView:
        opened = await hub.operations.put_store(account_id, name_of_store, name=name, number=number)
        return store_view(opened)

    opened = in_account(add, database=database, account=account)
    if as_json:
        answer(opened)
    else:
        table("Store", STORE_COLUMNS, [_store_row(opened)])


@store.command("list", epilog=examples("store list"))
def list_stores(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List an account's stores by their numbers."""

    async def read(hub: Hub, account_id: str) -> list[StoreView]:
        return list(await hub.insights.stores(account_id))

    stores = in_account(read, database=database, account=account)
    if as_json:
        answer({"stores": stores})
        return
    table(
        "Stores",
        STORE_COLUMNS,
        [_store_row(s) for s in stores],
        empty="There is no store yet: `milepost store add main` opens one.",
    )


def _store_row(shown: StoreView) -> tuple[object, ...]:
    return (shown.store, shown.number, shown.name, shown.created_at)
