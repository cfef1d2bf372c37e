"""`milepost serve`: the interface and the dispatcher in one process."""

from __future__ import annotations

import gc
import os
import resource
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from milepost import __version__
from milepost.cli.options import (
    Database,
    Json,
    LogFormat,
    LogLevel,
    Networks,
    PrivateNetworks,
    UntilEof,
    settings_given,
)
from milepost.cli.output import answer, hint, stderr
from milepost.logs import logger, set_up_logs
from milepost.operations import Operations
from milepost.settings import Settings
from milepost.traces import open_traces
from milepost.wiring import build

FIRST_ACCOUNT = FIRST_STORE = "main"


class First(msgspec.Struct, frozen=True):
    """What an empty database was given, and its first key: the only time that it is shown."""

    account_id: str
    store: str
    api_key: str


async def begin(operations: Operations) -> First | None:
    """Gives an empty database an account, a store and a key; None when it is not empty.

    A process that died in between left an account without a key, which nobody can use; it gets
    its key now.
    """
    accounts = await operations.accounts()
    if not accounts:
        # Of several processes that start on an empty database one gets it going.
        first = await operations.add_first_account(FIRST_ACCOUNT)
        if first is None:
            return None
        account = first
    else:
        account = accounts[0]
        begun = len(accounts) == 1 and account.name == FIRST_ACCOUNT
        if not begun or await operations.keys(account.account_id):
            return None
    store = await operations.put_store(account.account_id, FIRST_STORE)
    made = await operations.add_key(account.account_id, name="first key")
    return First(account.account_id, store.store, made.text)


async def _serve(settings: Settings, *, dispatch: bool, as_json: bool, until_eof: bool) -> None:
    from milepost.api.app import create_app
    from milepost.cli.web import bind, serve_until, stop_event, url_of
    from milepost.dashboard import elsewhere
    from milepost.dashboard import routes as pages
    from milepost.emulators import shipmonk, withings
    from milepost.inbound import PREFIX
    from milepost.inbound import Door as Inbound

    collect_rarely()
    bound = bind(settings.host, settings.port)
    url = url_of(bound)
    stop = stop_event(at_end_of_input=until_eof)
    log = logger("serve")
    hub = build(settings, traces=open_traces(os.environ))
    try:
        await hub.open(dispatch=dispatch)
        first = await begin(hub.operations)
        token = await hub.people.first_token()
        welcome = token and f"{settings.public_url.rstrip('/') or url}/welcome?token={token}"

        def started() -> None:
            _announce(url, settings=settings, first=first, welcome=welcome, as_json=as_json)
            database = settings.shown_database_url
            log.info("serving", url=url, database=database, version=__version__)

        await serve_until(
            stop,
            create_app(
                hub,
                beside=(
                    *withings.routes(hub),
                    *shipmonk.routes(hub),
                    *pages(hub, stopping=stop),
                ),
                elsewhere=elsewhere(hub),
                under={PREFIX: Inbound(hub.receiving, settings)},
                log_requests=settings.logs_requests,
            ),
            bound=bound,
            lifespan="off",
            graceful_s=settings.stop_s,
            on_started=started,
        )
        log.info("stopping", on_wire=hub.dispatcher.on_wire)
    finally:
        bound.close()
        await hub.close()
    log.info("stopped")


def _announce(
    url: str, *, settings: Settings, first: First | None, welcome: str | None, as_json: bool
) -> None:
    if as_json:
        answer(
            {
                "url": url,
                "version": __version__,
                "pid": os.getpid(),
                "database_url": settings.shown_database_url,
                "account_id": first and first.account_id,
                "store": first and first.store,
                "api_key": first and first.api_key,
                "welcome_url": welcome,
            }
        )
        return
    hint(f"Milepost {__version__} is at {url} (Ctrl-C stops it)", style="bold")
    if first is not None:
        console = stderr()
        hint(f"New database: account {FIRST_ACCOUNT}, store {first.store}, and this API key.")
        console.print()
        console.print(f"  {first.api_key}", style="bold green", soft_wrap=True)
        console.print()
        hint("Keep it now: it is not shown again. More: milepost account key add")
    if welcome is not None:
        console = stderr()
        hint("Nobody can look at the pages yet. Make the operator's account within the hour:")
        console.print()
        console.print(f"  {welcome}", style="bold green", soft_wrap=True)
        console.print()


def collect_rarely() -> None:
    """Lets the cycle collector leave alone what start-up made, and come less often.

    What an order or a delivery allocates has no cycles and goes by reference count; looking for
    cycles among thousands of them in flight costs several percent and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def allow_many_files() -> None:
    """Takes as many file descriptors as we may: every connection, in and out, needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def serve(
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on; default: 127.0.0.1.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="The port; 0 takes a free one. Default: 8400.",
            show_default=False,
        ),
    ] = None,
    database: Database = None,
    dispatch: Annotated[
        bool,
        typer.Option(
            "--dispatch/--no-dispatch",
            help="Whether this process sends too, or leaves that to `milepost work`.",
        ),
    ] = True,
    allow_private_networks: PrivateNetworks = None,
    allow_network: Networks = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    until_eof: UntilEof = False,
    as_json: Json = False,
) -> None:
    """Run the hub: migrations, the HTTP interface and the dispatcher in one process.

    An empty database gets the account main, the store main and an API key, which is printed this
    once. While no operator is on record it also prints a URL that makes one, good for an hour.
    With --json one value on standard output says when it is ready, and holds that key.
    SIGTERM and Ctrl-C stop it without losing anything; a second one ends it at once. With
    --no-dispatch it sends nothing: processes of `milepost work` do, or another `serve`.
    """
    from milepost.cli.web import run

    settings = settings_given(
        os.environ,
        database=database,
        host=host,
        port=port,
        allow_private_networks=allow_private_networks,
        allow_networks=tuple(allow_network) if allow_network else None,
        log_level=log_level,
        log_format=log_format,
    )
    set_up_logs(level=settings.log_level, form=settings.log_format)
    allow_many_files()
    run(_serve(settings, dispatch=dispatch, as_json=as_json, until_eof=until_eof))
