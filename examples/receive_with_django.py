"""Receive with Django, in one file: `python receive_with_django.py runserver`.

In a project of yours it is the view and the worker that you take; the worker may be a command.
What is told of an order is written beside the mark that it was worked, in one transaction.
"""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}},
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["HUB_SECRET"],
)
django.setup()

from milepost_receiver import Entry, Receiver, StandardNotification  # noqa: E402
from milepost_receiver.django import django_inbox, webhook  # noqa: E402

UPSERT = """
INSERT INTO orders (order_key, state, told) VALUES (%s, %s, 1)
ON CONFLICT (order_key) DO UPDATE SET state = excluded.state, told = told + 1
"""


def apply(entry: Entry[StandardNotification]) -> None:
    order = entry.notification.order
    # With models you would write them as ever: they are in the same transaction.
    with entry.connection.cursor() as cursor:
        cursor.execute(UPSERT, [order.order_key, order.state])


with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS orders (order_key TEXT PRIMARY KEY, state TEXT, told INTEGER)"
    )
inbox = django_inbox(Receiver.standard(secrets=[os.environ["HUB_SECRET"]])).create()
urlpatterns = [path("notifications", webhook(inbox))]
worker = inbox.start(apply)
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
