"""Receive with Flask: `flask --app receive_with_flask run`.

What is told of an order is written beside the mark that it was worked, in one transaction.
"""

from __future__ import annotations

import os
import sqlite3

from flask import Flask

from milepost_receiver import Entry, Inbox, Receiver, StandardNotification
from milepost_receiver.flask import webhook

UPSERT = """
INSERT INTO orders (order_key, state, told) VALUES (?, ?, 1)
ON CONFLICT (order_key) DO UPDATE SET state = excluded.state, told = told + 1
"""


def connect() -> sqlite3.Connection:
    return sqlite3.connect("shop.db")


def apply(entry: Entry[StandardNotification]) -> None:
    order = entry.notification.order
    entry.connection.execute(UPSERT, (order.order_key, order.state))


with connect() as connection:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS orders (order_key TEXT PRIMARY KEY, state TEXT, told INTEGER)"
    )
inbox = Inbox(Receiver.standard(secrets=[os.environ["HUB_SECRET"]]), connect=connect).create()
app = Flask(__name__)
app.post("/notifications")(webhook(inbox))
worker = inbox.start(apply)
