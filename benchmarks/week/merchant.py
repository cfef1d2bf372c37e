"""The merchant: one process that receives three contracts with the kit and keeps what it learns.

Every notification and what was made of it are one transaction in its own database, and only then
is it answered: killed at any moment, it knows what it has taken and has taken nothing twice.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from milepost_receiver import (
    Arrival,
    Notification,
    Receiver,
    ReceiverError,
    ShipMonkNotification,
    StandardNotification,
    WithingsNotification,
    compare,
)

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    contract TEXT NOT NULL, order_key TEXT NOT NULL, sequence INTEGER NOT NULL, word TEXT NOT NULL,
    tracking_number TEXT, PRIMARY KEY (contract, order_key)
);
CREATE TABLE IF NOT EXISTS seen (delivery_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""


class Books:
    """What the merchant knows, in a database of its own."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(TABLES)

    def keep(self, contract: str, notification: Notification) -> str:
        """Takes one notification in, and says how it stood to what was known."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                arrival = self._keep(contract, notification)
                self._count(arrival)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        return arrival

    def refuse(self, why: str) -> None:
        """Counts a notification that was not one."""
        with self._lock:
            self._count(f"refused: {why}")

    def _keep(self, contract: str, notification: Notification) -> str:
        new = self._database.execute(
            "INSERT INTO seen VALUES (?) ON CONFLICT DO NOTHING", (notification.delivery_id,)
        ).rowcount
        if not new:
            return Arrival.DUPLICATE
        order_key, word, number = said(notification)
        if not order_key:
            return "about no order"
        known = self._database.execute(
            "SELECT sequence FROM orders WHERE contract = ? AND order_key = ?",
            (contract, order_key),
        ).fetchone()
        arrival = compare(known[0] if known else None, notification)
        if arrival in (Arrival.IN_ORDER, Arrival.GAP):
            self._database.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "sequence = excluded.sequence, word = excluded.word, "
                "tracking_number = coalesce(excluded.tracking_number, tracking_number)",
                (contract, order_key, notification.sequence, word, number),
            )
        return arrival

    def _count(self, name: str) -> None:
        self._database.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET number = number + 1",
            (str(name),),
        )


def said(notification: Notification) -> tuple[str, str, str | None]:
    """The order, the contract's word for how it stands, and its tracking number."""
    match notification:
        case WithingsNotification():
            word = notification.parcel_status or notification.status or ""
            return notification.customer_ref, word, notification.tracking_number
        case ShipMonkNotification():
            number = next(iter(notification.tracking_numbers), None)
            return notification.order_key, notification.processing_status, number
        case StandardNotification():
            order = notification.order
            numbers = [p.tracking_number for p in order.parcels if p.tracking_number]
            return order.order_key or "", order.state, next(iter(numbers), None)
        case _:
            return "", "", None


def _receiver(contract: str, secret: str) -> Receiver[Any]:
    if contract == "shipmonk":
        return Receiver.shipmonk(
            basic=[("week", secret)], signature_secrets=[secret], secrets=[secret]
        )
    if contract == "withings":
        return Receiver.withings(secrets=[secret])
    return Receiver.standard(secrets=[secret])


def serve(path: str, *, port: int, secret: str) -> None:
    """Receives at /withings, /shipmonk and /standard until it is told to end."""
    books = Books(path)
    receivers = {
        f"/{name}": (name, _receiver(name, secret)) for name in ("withings", "shipmonk", "standard")
    }

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            contract, receiver = receivers[self.path]
            status = 204
            try:
                books.keep(contract, receiver.read(self.headers.items(), body))
            except ReceiverError as error:
                status = error.http_status
                books.refuse(type(error).__name__)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing: what counts is in the database."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Desk)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()
    server.server_close()


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    found = parser.parse_args(words)
    serve(found.database, port=found.port, secret=found.secret)


if __name__ == "__main__":
    main(sys.argv[1:])
