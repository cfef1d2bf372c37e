"""`milepost work`: a process that only sends, one of any number on one database."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Annotated

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
from milepost.cli.output import answer, hint
from milepost.cli.serve import allow_many_files, collect_rarely
from milepost.cli.session import check_there
from milepost.logs import logger, set_up_logs
from milepost.settings import Settings
from milepost.traces import open_traces
from milepost.wiring import Hub, build


async def _work(settings: Settings, *, port: int | None, as_json: bool, until_eof: bool) -> None:
    from milepost.cli.web import bind, stop_event, url_of

    collect_rarely()
    bound = None if port is None else bind(settings.host, port)
    url = None if bound is None else url_of(bound)
    stop = stop_event(at_end_of_input=until_eof)
    log = logger("work")
    hub = build(settings, traces=open_traces(os.environ))

    def started() -> None:
        _announce(url, settings=settings, as_json=as_json)
        log.info("working", url=url, database=settings.shown_database_url, version=__version__)

    try:
        await hub.open(dispatch=True)
        if bound is None:
            started()
            await stop.wait()
        else:
            await _show_health(hub, stop, bound=bound, on_started=started)
        log.info("stopping", on_wire=hub.dispatcher.on_wire)
    finally:
        if bound is not None:
            bound.close()
        await hub.close()
    log.info("stopped")


async def _show_health(
    hub: Hub, stop: asyncio.Event, *, bound: socket.socket, on_started: Callable[[], None]
) -> None:
    """Answers whoever watches the process until `stop` is set."""
    from milepost.api.app import create_app
    from milepost.api.health import ROUTES
    from milepost.cli.web import serve_until

    await serve_until(
        stop,
        create_app(hub, routes=ROUTES, log_requests=hub.settings.logs_requests),
        bound=bound,
        lifespan="off",
        graceful_s=hub.settings.stop_s,
        on_started=on_started,
    )


def _announce(url: str | None, *, settings: Settings, as_json: bool) -> None:
    database = settings.shown_database_url
    if as_json:
        answer({"url": url, "version": __version__, "pid": os.getpid(), "database_url": database})
        return
    hint(f"Milepost {__version__} sends from {database} (Ctrl-C stops it)", style="bold")
    if url is not None:
        hint(f"Its health is at {url}/readyz")


def work(
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Answer /livez, /readyz and /metrics on this port; 0 takes a free one.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The address for that port; default: 127.0.0.1.", show_default=False),
    ] = None,
    database: Database = None,
    allow_private_networks: PrivateNetworks = None,
    allow_network: Networks = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    until_eof: UntilEof = False,
    as_json: Json = False,
) -> None:
    """Send what is due, and nothing else: no orders are taken in here.

    On PostgreSQL any number of these work side by side, with and without `milepost serve`, on one
    machine or many. On SQLite one process sends: this one, if `serve` runs with --no-dispatch.
    SIGTERM and Ctrl-C stop it without losing anything; a second one ends it at once.
    """
    from milepost.cli.web import run

    settings = settings_given(
        os.environ,
        database=database,
        host=host,
        allow_private_networks=allow_private_networks,
        allow_networks=tuple(allow_network) if allow_network else None,
        log_level=log_level,
        log_format=log_format,
    )
    set_up_logs(level=settings.log_level, form=settings.log_format)
    check_there(settings)
    allow_many_files()
    run(_work(settings, port=port, as_json=as_json, until_eof=until_eof))
