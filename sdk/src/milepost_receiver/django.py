"""A receiver as a Django view, with its inbox in one of Django's databases.

inbox = django_inbox(receiver)
urlpatterns = [path("notifications", webhook(inbox))]
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from django.db import close_old_connections, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from milepost_receiver.answering import (
    CONTENT_TYPE,
    METHODS,
    Reply,
    check_length,
    keep,
    other_method,
    read_up_to,
    refusal,
)
from milepost_receiver.database import Session, written
from milepost_receiver.errors import ReceiverError
from milepost_receiver.inbox import Inbox
from milepost_receiver.notification import Notification
from milepost_receiver.receiver import Receiver

N = TypeVar("N", bound=Notification)


def django_inbox(receiver: Receiver[N], *, using: str = "default", **given: Any) -> Inbox[N]:
    """An inbox in this database of Django; the rest of the arguments are those of Inbox.

    `entry.connection` is Django's own, and what models write there is part of the transaction.
    """
    return Inbox(receiver, database=_DjangoDatabase(using), **given)


def webhook(inbox: Inbox[Any]) -> Callable[[HttpRequest], HttpResponse]:
    """The view: it keeps what is posted in the inbox, and answers then; no CSRF token is asked."""

    def receive(request: HttpRequest) -> HttpResponse:
        reply = _reply(inbox, request)
        return HttpResponse(reply.body, status=reply.status, content_type=CONTENT_TYPE)

    # With ATOMIC_REQUESTS the answer would come before the commit, which may still fail.
    view: Callable[[HttpRequest], HttpResponse] = transaction.non_atomic_requests(
        csrf_exempt(receive)
    )
    return view


def _reply(inbox: Inbox[Any], request: HttpRequest) -> Reply:
    if request.method not in METHODS:
        return other_method()
    limit = inbox.receiver.max_body_bytes
    try:
        length = check_length(request.headers.get("content-length"), limit=limit)
        body = read_up_to(request.read, limit=limit, length=length)
    except ReceiverError as error:
        return refusal(error)
    return keep(inbox, request.headers, body)


class _DjangoSession:
    """One of Django's connections; its cursors take %s whatever the database."""

    def __init__(self, using: str) -> None:
        self._using = using

    @property
    def connection(self) -> Any:
        return connections[self._using]

    def transaction(self) -> AbstractContextManager[object]:
        # Durable: it is refused within another transaction, where its end would promise nothing.
        found: AbstractContextManager[object] = transaction.atomic(using=self._using, durable=True)
        return found

    def change(self, text: str, **values: object) -> int:
        with self._run(text, values) as cursor:
            return int(cursor.rowcount)

    def rows(self, text: str, **values: object) -> list[tuple[Any, ...]]:
        with self._run(text, values) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def _run(self, text: str, values: dict[str, object]) -> Generator[Any]:
        sql, names = written(text, paramstyle="format")
        with self.connection.cursor() as cursor:
            cursor.execute(sql, [values[name] for name in names] or None)
            yield cursor


class _DjangoDatabase:
    def __init__(self, using: str) -> None:
        self._using = using

    @contextmanager
    def session(self) -> Generator[Session]:
        yield _DjangoSession(self._using)

    def rest(self) -> None:
        """Lets go of connections that are too old or broken, as Django does after a request."""
        close_old_connections()
