"""A merchant whose processes are killed: `python -m tests.sdk.killed work 4` in its folder."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psycopg

from milepost_receiver import Entry, Inbox, Receiver
from milepost_receiver.wsgi import webhook
from tests.sdk.senders import SECRET

LEASE_SECONDS = 0.3
MARK = "%s" if os.environ.get("SHOP_URL") else "?"
NUMBER = "SERIAL" if os.environ.get("SHOP_URL") else "INTEGER"


def connect() -> Any:
    """The merchant's database: the one on PostgreSQL that is named, or a file."""
    url = os.environ.get("SHOP_URL")
    return psycopg.connect(url) if url else sqlite3.connect("shop.db", timeout=30)


def inbox() -> Inbox[Any]:
    receiver = Receiver.standard(secrets=[SECRET])
    return Inbox(receiver, connect=connect, lease_seconds=LEASE_SECONDS)


class Silent(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(*, unanswered: bool) -> None:
    """Receives without working; `unanswered`: it is killed after the commit, before the answer."""
    app = webhook(inbox())

    def deadly(environ: Any, start_response: Callable[..., Any]) -> Any:
        parts = app(environ, start_response)
        die()
        return parts

    server = make_server("127.0.0.1", 0, deadly if unanswered else app, handler_class=Silent)
    print(server.server_port, flush=True)
    server.serve_forever()


def work(*, alive: int) -> None:
    """Works; it is killed in its n-th piece of work, when that is written and not committed."""
    calls = iter(range(1, sys.maxsize))

    def apply(entry: Entry[Any]) -> None:
        told = entry.notification
        insert = f"INSERT INTO done (order_id, sequence) VALUES ({MARK}, {MARK})"
        entry.connection.cursor().execute(insert, (told.order_id, told.sequence))
        if next(calls) == alive:
            die()

    box = inbox()
    while box.waiting():
        box.work(apply)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["create"]:
            inbox().create()
            with connect() as connection:
                columns = f"number {NUMBER} PRIMARY KEY, order_id TEXT, sequence INTEGER"
                connection.execute(f"CREATE TABLE done ({columns})")
            Path("ready").touch()
        case ["serve"]:
            serve(unanswered=False)
        case ["serve", "unanswered"]:
            serve(unanswered=True)
        case ["work", alive]:
            work(alive=int(alive))
        case other:
            raise SystemExit(f"unknown: {other}")
