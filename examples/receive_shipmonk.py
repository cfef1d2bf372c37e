"""Receive ShipMonk in ten lines: verified, kept in a database, answered, and worked after that."""

import os
import sqlite3
from wsgiref.simple_server import make_server

from milepost_receiver import Inbox, Receiver
from milepost_receiver.wsgi import webhook

basic, secret = ("hub", os.environ["HUB_PASSWORD"]), os.environ["HUB_SECRET"]
receiver = Receiver.shipmonk(basic=[basic], signature_secrets=[secret])
inbox = Inbox(receiver, connect=lambda: sqlite3.connect("shop.db")).create()
with inbox.start(lambda entry: print(entry.notification, flush=True)):
    make_server("127.0.0.1", int(os.environ["PORT"]), webhook(inbox)).serve_forever()
