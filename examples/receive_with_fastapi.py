"""Receive with FastAPI, and with Starlette alike: `uvicorn receive_with_fastapi:app`.

What is told of an order is written beside the mark that it was worked, in one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from milepost_receiver import Entry, Inbox, Receiver, StandardNotification
from milepost_receiver.fastapi import webhook

UPSERT = """
INSERT INTO orders (order_key, state, told) VALUES (?, ?, 1)
ON CONFLICT (order_key) DO UPDATE SET state = excluded.state, told = told + 1
"""


def connect() -> sqlite3.Connection:
    return sqlite3.connect("shop.db")


def apply(entry: Entry[StandardNotification]) -> None:
    order = entry.notification.order
    entry.connection.execute(UPSERT, (order.order_key, order.state))


@asynccontextmanager
async def working(_app: FastAPI) -> AsyncIterator[None]:
    with inbox.start(apply):
        yield


with connect() as connection:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS orders (order_key TEXT PRIMARY KEY, state TEXT, told INTEGER)"
    )
inbox = Inbox(Receiver.standard(secrets=[os.environ["HUB_SECRET"]]), connect=connect).create()
app = FastAPI(lifespan=working)
app.add_route("/notifications", webhook(inbox), methods=["POST"])
