"""`milepost client`: the programs that ask a provider's own interface for an account."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.session import asked_for, in_account
from milepost.errors import InvalidInput
from milepost.provider import ClientChange, ClientInput, ClientView, NewClient
from milepost.wiring import Hub

client = typer.Typer(help="Client applications: programs that place orders as with Withings.")

Identifier = Annotated[str, typer.Argument(metavar="CLIENT", help="The application's client id.")]
PrivateNetworks = Annotated[
    bool | None,
    typer.Option(
        "--allow-private-networks",
        help="Take a URI on this machine or network; serve needs the same option to send there.",
        show_default=False,
    ),
]


@client.command(
    "add",
    epilog=examples(
        "client add shop --billing-id 12345 --notify-uri https://example.com/withings",
        "client add shop --billing-id 12345 --client-id 9b1f… --store eu",
    ),
)
def add_client(
    name: Annotated[str, typer.Argument(help="What the application is called.")],
    billing_id: Annotated[str, typer.Option(help="Its dropshipment billing ID.")],
    notify_uri: Annotated[
        str | None, typer.Option(help="Its dropshipment notify URI.", show_default=False)
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Where its orders go; default: a store of its name.", show_default=False),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="The id that it has; default: a new one.", show_default=False)
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="MILEPOST_CLIENT_SECRET",
            help="The secret that it signs with; default: a new one.",
            show_default=False,
        ),
    ] = None,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Register an application. Its secrets are shown this once."""
    wanted = _checked(
        ClientInput,
        name=name,
        billing_id=billing_id,
        notify_uri=notify_uri,
        store=store,
        client_id=client_id,
        secret=secret,
    )

    async def add(hub: Hub, account_id: str) -> NewClient:
        return await hub.provider.applications.add(account_id, wanted)

    made = in_account(
        add, database=database, account=account, allow_private_networks=allow_private_networks
    )
    _show(made, as_json=as_json)


@client.command("list", epilog=examples("client list", "client list --json"))
def list_clients(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List an account's applications, oldest first."""

    async def read(hub: Hub, account_id: str) -> list[ClientView]:
        return list(await hub.provider.applications.list(account_id))

    clients = in_account(read, database=database, account=account)
    if as_json:
        answer({"clients": clients})
        return
    table(
        "Client applications",
        ("client id", "name", "billing id", "store", "notify URI"),
        [(c.client_id, c.name, c.billing_id, c.store, c.notify_uri) for c in clients],
        empty="There is no client application yet: `milepost client add NAME` registers one.",
    )


@client.command("show", epilog=examples("client show 9b1f…"))
def show_client(
    client_id: Identifier,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show an application; its secret is not shown again."""

    async def read(hub: Hub, account_id: str) -> ClientView:
        with asked_for(f"client {client_id}"):
            return await hub.provider.applications.show(account_id, client_id)

    view = in_account(read, database=database, account=account)
    if as_json:
        answer(view)
    else:
        record("Client application", _facts(view))


@client.command(
    "edit",
    epilog=examples(
        "client edit 9b1f… --notify-uri https://example.com/new",
        "client edit 9b1f… --rotate-secret",
    ),
)
def edit_client(
    client_id: Identifier,
    name: Annotated[str | None, typer.Option(help="Its name.", show_default=False)] = None,
    billing_id: Annotated[
        str | None, typer.Option(help="Its billing ID.", show_default=False)
    ] = None,
    notify_uri: Annotated[
        str | None, typer.Option(help="Its notify URI.", show_default=False)
    ] = None,
    no_notify_uri: Annotated[
        bool, typer.Option("--no-notify-uri", help="Notify it no more.")
    ] = False,
    secret: Annotated[
        str | None, typer.Option(help="The secret that it has now.", show_default=False)
    ] = None,
    rotate_secret: Annotated[
        bool, typer.Option("--rotate-secret", help="Make a new secret; the old one counts no more.")
    ] = False,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change an application; what is not named stays."""
    if (notify_uri is not None and no_notify_uri) or (secret is not None and rotate_secret):
        raise InvalidInput(field="", expected="one of two options that exclude each other")
    told: dict[str, Any] = {"notify_uri": None} if no_notify_uri else {}
    change = _checked(
        ClientChange,
        **told,
        name=name,
        billing_id=billing_id,
        **({} if notify_uri is None else {"notify_uri": notify_uri}),
        secret=secret,
        rotate_secret=rotate_secret,
    )

    async def edit(hub: Hub, account_id: str) -> NewClient:
        with asked_for(f"client {client_id}"):
            return await hub.provider.applications.change(account_id, client_id, change)

    changed = in_account(
        edit, database=database, account=account, allow_private_networks=allow_private_networks
    )
    _show(changed, as_json=as_json)


@client.command("remove", epilog=examples("client remove 9b1f… --yes"))
def remove_client(
    client_id: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Remove an application and its endpoint; its orders and their store stay."""
    if sys.stdin.isatty() and not (yes or as_json):
        typer.confirm(f"Remove {client_id} and abandon what is pending?", abort=True, err=True)

    async def remove(hub: Hub, account_id: str) -> int:
        with asked_for(f"client {client_id}"):
            return await hub.provider.applications.remove(account_id, client_id)

    abandoned = in_account(remove, database=database, account=account)
    if as_json:
        answer({"client_id": client_id, "abandoned": abandoned})
    else:
        say(f"{client_id} is removed; {abandoned} pending notifications were abandoned.")


def _checked(shape: Any, **given: Any) -> Any:
    """What was given as the interface takes it, within the same limits. Raises InvalidInput."""
    from milepost.api.reading import read_json

    told = {k: v for k, v in given.items() if v is not None or k == "notify_uri"}
    return read_json(msgspec.json.encode(told), shape=shape)


def _show(made: NewClient, *, as_json: bool) -> None:
    if as_json:
        answer(made)
        return
    record("Client application", _facts(made.client))
    if made.secret is not None:
        say(f"client_secret {made.secret}", style="bold")
    if made.notification_secret is not None:
        say(f"notification_secret {made.notification_secret}", style="bold")
    if made.secret is not None or made.notification_secret is not None:
        hint("Keep them now: they are not shown again.")


def _facts(view: ClientView) -> Sequence[tuple[str, object]]:
    return [
        ("client id", view.client_id),
        ("name", view.name),
        ("billing id", view.billing_id),
        ("store", view.store),
        ("notify URI", view.notify_uri),
        ("endpoint", view.endpoint_id),
        ("registered", view.created_at),
        ("changed", view.updated_at),
    ]
