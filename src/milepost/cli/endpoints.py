"""`milepost endpoint`: where an account's notifications go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import typer

from milepost.cli.endpoint_options import (
    Backlog,
    Concurrency,
    Credentials,
    Description,
    Identifier,
    Options,
    PauseAfter,
    Policy,
    PrivateNetworks,
    Rate,
    Schedule,
    Statuses,
    Stores,
    Tells,
    Timeout,
)
from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.pairs import merged
from milepost.cli.session import asked_for, in_account
from milepost.contracts import ROOMS
from milepost.delivery.model import Delivery, Endpoint
from milepost.errors import InvalidInput
from milepost.insights import EndpointView
from milepost.rules import EndpointChange, EndpointInput
from milepost.wiring import Hub

endpoint = typer.Typer(help="Endpoints: the URLs that are notified, each in its contract.")

T = TypeVar("T")


@endpoint.command(
    "add",
    epilog=examples(
        "endpoint add https://example.com/hooks --contract standard",
        "endpoint add https://example.com/withings --contract withings --option customer_id=1234",
        "endpoint add https://example.com/sm --contract shipmonk --credential username=hub "
        "--credential password=@password.txt --status en_route --status delivered",
    ),
)
def add_endpoint(  # noqa: PLR0913, PLR0917 - options are named on the command line
    url: Annotated[str, typer.Argument(help="The URL to notify, http:// or https://.")],
    contract: Annotated[str, typer.Option(help=f"One of {', '.join(ROOMS)}.")],
    description: Description = None,
    schedule: Schedule = None,
    stores: Stores = None,
    statuses: Statuses = None,
    timeout_s: Timeout = None,
    concurrency: Concurrency = None,
    requests_per_s: Rate = None,
    lane_policy: Policy = None,
    backlog_policy: Backlog = None,
    pause_after_h: PauseAfter = None,
    operational: Tells = None,
    option: Options = None,
    credential: Credentials = None,
    secret: Annotated[
        str | None,
        typer.Option(help="The secret to sign with, whsec_…; default: a new one."),
    ] = None,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Open an endpoint. Its secret is shown this once: the receiver verifies with it."""
    room = ROOMS.get(contract)
    if room is None:
        raise InvalidInput(field="--contract", expected=f"one of {', '.join(ROOMS)}")
    given = _given(
        description=description,
        schedule=schedule,
        stores=stores,
        statuses=statuses,
        timeout_s=timeout_s,
        concurrency=concurrency,
        requests_per_s=requests_per_s,
        lane_policy=lane_policy,
        backlog_policy=backlog_policy,
        pause_after_h=pause_after_h,
        operational=operational,
        secret=secret,
        options=merged(option, shape=room.options, known=b"{}", name="--option"),
        credentials=merged(credential, shape=room.credentials, known=b"{}", name="--credential"),
    )
    wanted = _checked(EndpointInput, contract=contract, url=url, **given)

    async def add(hub: Hub, account_id: str) -> Shown:
        return await shown(hub, await hub.operations.add_endpoint(account_id, wanted))

    opened = in_account(
        add,
        database=database,
        account=account,
        allow_private_networks=allow_private_networks,
    )
    show_endpoint_record(opened, as_json=as_json, with_secret=True)


def _given(**options: Any) -> dict[str, Any]:
    """What was given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def _checked(shape: type[T], **given: Any) -> T:
    """What was given as the interface takes it, within the same limits. Raises InvalidInput."""
    from milepost.api.reading import read_json

    return read_json(msgspec.json.encode(given), shape=shape)


@endpoint.command("list", epilog=examples("endpoint list", "endpoint list --json"))
def list_endpoints(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List an account's endpoints, oldest first."""

    async def read(hub: Hub, account_id: str) -> list[EndpointView]:
        return list(await hub.insights.endpoints(account_id))

    endpoints = in_account(read, database=database, account=account)
    if as_json:
        answer({"endpoints": endpoints})
        return
    table(
        "Endpoints",
        ("endpoint", "contract", "url", "stores", "statuses", "health", "since"),
        [
            (
                e.endpoint_id,
                e.contract,
                e.url,
                e.stores or "all",
                e.statuses or "all",
                e.health.condition,
                e.health.since,
            )
            for e in endpoints
        ],
        empty="There is no endpoint yet: `milepost endpoint add URL --contract standard` opens "
        "one, and `milepost listen` is a receiver to try it with.",
    )


@endpoint.command("show", epilog=examples("endpoint show ep_0123456789"))
def show_endpoint(
    endpoint_id: Identifier,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show an endpoint; of its secrets and credentials only that they are there."""

    async def read(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            return await shown(hub, await hub.store.endpoint(account_id, endpoint_id))

    show_endpoint_record(in_account(read, database=database, account=account), as_json=as_json)


@endpoint.command(
    "edit",
    epilog=examples(
        "endpoint edit ep_0123456789 --url https://example.com/new",
        "endpoint edit ep_0123456789 --status delivered --all-stores",
    ),
)
def edit_endpoint(  # noqa: PLR0913, PLR0917 - options are named on the command line
    endpoint_id: Identifier,
    url: Annotated[str | None, typer.Option(help="The URL.", show_default=False)] = None,
    description: Description = None,
    schedule: Schedule = None,
    stores: Stores = None,
    all_stores: Annotated[bool, typer.Option("--all-stores", help="Every store.")] = False,
    statuses: Statuses = None,
    all_statuses: Annotated[bool, typer.Option("--all-statuses", help="Every status.")] = False,
    timeout_s: Timeout = None,
    concurrency: Concurrency = None,
    requests_per_s: Rate = None,
    any_rate: Annotated[bool, typer.Option("--any-rate", help="As many as come.")] = False,
    lane_policy: Policy = None,
    backlog_policy: Backlog = None,
    pause_after_h: PauseAfter = None,
    never_pause: Annotated[bool, typer.Option("--never-pause", help="Never by itself.")] = False,
    operational: Tells = None,
    option: Options = None,
    credential: Credentials = None,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change an endpoint; what is not named stays. Options and credentials are merged by name."""
    excluding = (
        (all_stores, stores),
        (all_statuses, statuses),
        (any_rate, requests_per_s),
        (never_pause, pause_after_h),
    )
    if any(none and some is not None for none, some in excluding):
        raise InvalidInput(field="", expected="one of two options that exclude each other")
    given = _given(
        url=url,
        description=description,
        schedule=schedule,
        stores=stores,
        statuses=statuses,
        timeout_s=timeout_s,
        concurrency=concurrency,
        requests_per_s=requests_per_s,
        lane_policy=lane_policy,
        backlog_policy=backlog_policy,
        pause_after_h=pause_after_h,
        operational=operational,
    )
    given |= {"stores": None} if all_stores else {}
    given |= {"statuses": None} if all_statuses else {}
    given |= {"requests_per_s": None} if any_rate else {}
    given |= {"pause_after_h": None} if never_pause else {}

    async def change(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            known = await hub.store.endpoint(account_id, endpoint_id)
            room = ROOMS[known.contract]
            if option:
                given["options"] = merged(
                    option, shape=room.options, known=known.options, name="--option"
                )
            if credential:
                given["credentials"] = merged(
                    credential, shape=room.credentials, known=known.credentials, name="--credential"
                )
            told = _checked(EndpointChange, **given)
            return await shown(
                hub, await hub.operations.change_endpoint(account_id, endpoint_id, told)
            )

    changed = in_account(
        change,
        database=database,
        account=account,
        allow_private_networks=allow_private_networks,
    )
    show_endpoint_record(changed, as_json=as_json)


@endpoint.command(
    "pause", epilog=examples("endpoint pause ep_0123456789 --why 'maintenance until 6'")
)
def pause_endpoint(
    endpoint_id: Identifier,
    why: Annotated[str, typer.Option(help="What others read about it.")] = "paused by the operator",
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Park what is pending and what becomes pending there, until it is resumed."""

    async def pause(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            return await shown(
                hub, await hub.operations.pause_endpoint(account_id, endpoint_id, why=why)
            )

    show_endpoint_record(in_account(pause, database=database, account=account), as_json=as_json)


@endpoint.command("resume", epilog=examples("endpoint resume ep_0123456789"))
def resume_endpoint(
    endpoint_id: Identifier,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send what was parked, and go on."""

    async def resume(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            return await shown(hub, await hub.operations.resume_endpoint(account_id, endpoint_id))

    show_endpoint_record(in_account(resume, database=database, account=account), as_json=as_json)


@endpoint.command("remove", epilog=examples("endpoint remove ep_0123456789 --yes"))
def remove_endpoint(
    endpoint_id: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Remove an endpoint: what is pending is abandoned, its history stays."""
    if sys.stdin.isatty() and not (yes or as_json):
        typer.confirm(f"Remove {endpoint_id} and abandon what is pending?", abort=True, err=True)

    async def remove(hub: Hub, account_id: str) -> int:
        with asked_for(f"endpoint {endpoint_id}"):
            return await hub.operations.delete_endpoint(account_id, endpoint_id)

    abandoned = in_account(remove, database=database, account=account)
    if as_json:
        answer({"endpoint_id": endpoint_id, "abandoned": abandoned})
    else:
        say(f"{endpoint_id} is removed; {abandoned} pending deliveries were abandoned.")


@endpoint.command("test", epilog=examples("endpoint test ep_0123456789"))
def send_test(
    endpoint_id: Identifier,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Queue a test notification; a running `serve` sends it."""

    async def queue(hub: Hub, account_id: str) -> Delivery:
        with asked_for(f"endpoint {endpoint_id}"):
            return await hub.operations.send_test(account_id, endpoint_id)

    show_queued(in_account(queue, database=database, account=account), as_json=as_json)


def show_queued(delivery: Delivery, *, as_json: bool) -> None:
    """Shows a delivery that is to be sent, and how to see what came of it."""
    from milepost.api.answers import queued

    if as_json:
        answer(queued(delivery))
    else:
        say(f"Queued {delivery.delivery_id}; a running `milepost serve` sends it.")
        hint(f"What came of it: milepost delivery show {delivery.delivery_id}")


class Shown(NamedTuple):
    """An endpoint as it is shown, and its signing secret, which is only when it was just made."""

    view: EndpointView
    secret: str

    def __repr__(self) -> str:
        return f"Shown({self.view.endpoint_id})"


async def shown(hub: Hub, endpoint: Endpoint) -> Shown:
    """An endpoint that was just read or changed, ready to be shown."""
    secret = endpoint.secrets[0] if endpoint.secrets else ""
    return Shown(await hub.insights.shown(endpoint), secret)


def show_endpoint_record(found: Shown, *, as_json: bool, with_secret: bool = False) -> None:
    """Shows an endpoint, and its signing secret only when it has just been made."""
    if as_json:
        told = {"endpoint": found.view, "secret": found.secret}
        answer(told if with_secret else found.view)
        return
    record("Endpoint", _facts(found.view))
    if with_secret:
        say(f"secret {found.secret}", style="bold")
        hint("Keep the secret now: it is not shown again. Receivers verify with it.")


def _facts(view: EndpointView) -> Sequence[tuple[str, object]]:
    state = f"{view.state}: {view.state_why}" if view.state_why else view.state
    health = view.health
    return [
        ("id", view.endpoint_id),
        ("contract", view.contract),
        ("url", view.url),
        ("description", view.description),
        ("state", state),
        ("health", health.condition),
        ("since", health.since),
        ("failures in a row", health.failures),
        ("last received", health.last_success_at),
        ("last failed", health.last_failure_at),
        ("with", health.last_outcome),
        ("stores", view.stores or "all"),
        ("statuses", view.statuses or "all"),
        ("schedule", view.schedule),
        ("timeout", f"{view.timeout_s:g} s"),
        ("requests at once", view.concurrency),
        ("requests a second", f"{view.requests_per_s:g}" if view.requests_per_s else "any"),
        ("when one is given up", view.lane_policy.replace("_", " ")),
        ("of a backlog", view.backlog_policy.replace("_", " ")),
        ("pauses after failing", f"{view.pause_after_h:g} h" if view.pause_after_h else "never"),
        ("operational events", view.operational),
        *((f"option {name}", value) for name, value in view.options.items()),
        ("credentials set", view.credentials_set),
        ("secrets", view.secrets_count),
        *(("an old secret until", at) for at in view.old_secrets_until),
        ("opened", view.created_at),
        ("changed", view.updated_at),
    ]
