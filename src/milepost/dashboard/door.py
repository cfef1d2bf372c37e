"""One door for each path: who looks, whether they may, what they sent, and the page; plain ASGI."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from milepost.dashboard.exchange import (
    Headers,
    comes_from_us,
    cookie,
    cookie_name,
    cookies_of,
    flash_of,
    flash_text,
    origin_of,
    read_fields,
    read_form,
    respond,
)
from milepost.dashboard.page import Events, Flash, Gone, Page, Result, Shown, Told, View
from milepost.dashboard.refusals import Forbidden, OutOfDate, Refusal, WrongMethod, refusal_of
from milepost.dashboard.rendering import has_part, render
from milepost.dashboard.streaming import Alive, stream_events
from milepost.errors import InvalidInput, MilepostError, RateLimited, StoreError
from milepost.exchange import ClientGone, Receive, Scope, Send
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE, logger
from milepost.people import Entered, NotNow
from milepost.ports import Account
from milepost.wiring import Hub

HTML = "text/html; charset=utf-8"
PART = b"milepost-part"
"""The header with which our script asks for one part of a page."""

LOG_IN = "/log-in"
_FLASH_S = 120
_TOKEN_BYTES = 32
_log = logger("pages")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request before it is known who asks."""

    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    cookies: Mapping[str, str]
    origin: str

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")

    def cookie(self, name: str) -> str:
        return self.cookies.get(cookie_name(name, secure=self.secure), "")

    @property
    def url(self) -> str:
        query = self.scope["query_string"].decode("latin-1")
        path: str = quote(self.scope["path"])
        return f"{path}?{query}" if query else path

    @property
    def part(self) -> str:
        return self.headers.get(PART, b"").decode("latin-1")


class Door:
    """The ASGI application of one path; answers every request, refused ones with a page."""

    def __init__(self, pages: Sequence[Page], *, hub: Hub, stopping: asyncio.Event) -> None:
        self._pages = {page.method: page for page in pages}
        if "GET" in self._pages:
            self._pages["HEAD"] = self._pages["GET"]
        self._path = pages[0].path
        self._fallback = pages[0]
        self._hub = hub
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, acts and answers."""
        scope[ROUTE] = self._path
        headers = dict(scope["headers"])
        origin = origin_of(scope, headers, public_url=self._hub.settings.public_url)
        asked = _Asked(scope, receive, headers, cookies_of(headers), origin)
        view = self._nobodys(asked, self._pages.get(scope["method"], self._fallback))
        begun = False

        async def begin(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            page = self._pages.get(scope["method"])
            if page is None:
                raise WrongMethod
            view = await self._view(asked, page)
            if view.who is None and not page.public:
                answer: Result = self._to_log_in(asked)
            else:
                view = await self._with_form(asked, view)
                answer = await view.page.act(view)
            await self._answer(begin, asked, view, answer)
        except ClientGone:
            return
        except MilepostError as error:
            if begun:
                raise
            await self._refuse(send, asked, view, error)
        except Exception as error:
            if begun:
                raise
            # Whatever it is, it is shown as a page.
            _log.error("unexpected", path=self._path, request_id=_id(scope), exc_info=error)
            await self._refuse(send, asked, view, MilepostError())

    async def _with_form(self, asked: _Asked, view: View) -> View:
        """The view with what was sent. Raises Forbidden, OutOfDate, and what reading raises."""
        page = view.page
        if view.who is not None and not (page.public or view.may(page.right)):
            raise Forbidden
        if page.method == "POST":
            if not comes_from_us(asked.headers, origin=asked.origin):
                raise OutOfDate
            fields = await read_form(asked.headers, asked.receive)
            given = fields.pop("csrf", [""])[-1]
            if not hmac.compare_digest(given.encode(), view.csrf.encode()):
                raise OutOfDate
            return replace(view, fields=fields)
        return view

    def _to_log_in(self, asked: _Asked) -> Gone:
        if asked.scope["method"] == "POST":
            # What was sent is lost, and must not be sent again by a log-in.
            return Gone(LOG_IN, Flash("You are logged out; nothing was changed.", "note"))
        return Gone(LOG_IN if asked.url == "/" else f"{LOG_IN}?next={quote(asked.url, safe='/')}")

    # who looks

    def _nobodys(self, asked: _Asked, page: Page) -> View:
        """What is known before anything was asked of the database."""
        client = asked.scope.get("client") or ("", 0)
        token = asked.cookie("visitor")
        return View(
            hub=self._hub,
            page=page,
            path=asked.scope.get("path_params", {}),
            query={},
            fields={},
            cookies=asked.cookies,
            token=token,
            csrf=csrf_of(token, ""),
            who=None,
            account=None,
            accounts=(),
            address=client[0],
            agent=asked.headers.get(b"user-agent", b"").decode("latin-1"),
            origin=asked.origin,
            url=asked.url,
            zone=_zone(asked.cookies.get("milepost_zone", "")),
            theme=asked.cookies.get("milepost_theme", "auto"),
            flash=flash_of(asked.cookie("flash")),
            now=self._hub.now(),
            stopping=self._stopping,
            renderer=render,
        )

    async def _view(self, asked: _Asked, page: Page) -> View:
        view = self._nobodys(asked, page)
        query = read_fields(asked.scope["query_string"])
        view = replace(view, query={name: values[-1] for name, values in query.items()})
        token = asked.cookie("session")
        entered = await self._hub.people.find(token) if token else None
        if entered is None:
            if not view.token and page.public:
                token = base64.urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode()
                view = replace(view, token=token, csrf=csrf_of(token, ""))
            return view
        accounts = await self._accounts(entered)
        account = _chosen(accounts, asked.cookie("account"))
        if account is not None:
            asked.scope[ACCOUNT] = account.account_id
        return replace(
            view,
            who=entered.person,
            token=token,
            csrf=csrf_of(token, account.account_id if account else ""),
            account=account,
            accounts=accounts,
        )

    async def _accounts(self, entered: Entered) -> Sequence[Account]:
        accounts = await self._hub.operations.accounts()
        sees = entered.person.sees
        return accounts if sees is None else [a for a in accounts if a.account_id == sees]

    # what goes back

    async def _answer(self, send: Send, asked: _Asked, view: View, answer: Result) -> None:
        match answer:
            case Gone():
                await self._send_on(send, asked, answer)
            case Told():
                await respond(
                    send,
                    status=200,
                    content=answer.content,
                    content_type=answer.content_type,
                    headers=(*_kept_as(answer.name), *answer.headers),
                )
            case Events():
                await stream_events(
                    send,
                    asked.receive,
                    answer.stream,
                    stopping=self._stopping,
                    alive=self._alive(asked),
                )
            case Shown():
                await self._show(send, asked, view, answer)

    def _alive(self, asked: _Asked) -> Alive:
        token = asked.cookie("session")

        async def alive() -> bool:
            return await self._hub.people.find(token) is not None

        return alive

    async def _show(
        self, send: Send, asked: _Asked, view: View, shown: Shown, *, extra: Headers = ()
    ) -> None:
        cookies: list[str] = []
        part = asked.part
        if part and not has_part(shown.template, part):
            part = ""
        if not part:
            if view.flash is not None:
                cookies.append(cookie("flash", "", secure=view.secure, lasts_s=0))
            if view.who is None and view.token and view.token != asked.cookie("visitor"):
                cookies.append(cookie("visitor", view.token, secure=view.secure))
        content = render(view, shown.template, shown.context, part).encode()
        await respond(
            send,
            status=shown.status,
            content=content,
            content_type=HTML,
            headers=(*shown.headers, *extra),
            cookies=cookies,
        )

    async def _send_on(self, send: Send, asked: _Asked, gone: Gone) -> None:
        cookies = list(gone.cookies)
        if gone.flash is not None:
            text = flash_text(gone.flash)
            cookies.append(cookie("flash", text, secure=asked.secure, lasts_s=_FLASH_S))
        await respond(
            send,
            status=303,
            content=b"",
            content_type=HTML,
            headers=((b"location", quote(gone.to, safe="/?&=%#:,+-_.~").encode()),),
            cookies=cookies,
        )

    async def _refuse(self, send: Send, asked: _Asked, view: View, error: MilepostError) -> None:
        refusal = refusal_of(error)
        asked.scope[PROBLEM] = type(error).__name__
        if isinstance(error, StoreError):
            _log.error("store failed", request_id=_id(asked.scope), error=str(error))
        shown = Shown("refused.html", self._told(asked, error, refusal), refusal.status)
        after = error.after_s if isinstance(error, (NotNow, RateLimited)) else 5
        later = ((b"retry-after", b"%d" % after),) if refusal.status in (429, 503) else ()
        await self._show(send, asked, view, shown, extra=later)

    def _told(self, asked: _Asked, error: MilepostError, refusal: Refusal) -> dict[str, object]:
        detail = error.detail if refusal.retold else ""
        if isinstance(error, InvalidInput):
            detail = f"{error.field or 'Input'}: expected {error.expected}."
        return {
            "refusal": refusal,
            "summary": error.summary if refusal.retold else "",
            "detail": detail,
            "request_id": _id(asked.scope),
        }


def csrf_of(token: str, account_id: str) -> str:
    """What a form must carry: bound to the session, and to the account that the page showed.

    So a form of a tab in which another account is looked at does nothing in this one.
    """
    if not token:
        return ""
    said = hmac.new(token.encode(), f"form {account_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(said.digest()).decode()


def _chosen(accounts: Sequence[Account], account_id: str) -> Account | None:
    found = (account for account in accounts if account.account_id == account_id)
    return next(found, accounts[0] if accounts else None)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, as the browser has told it."""
    if not name or len(name) > 64:
        return None
    try:
        return ZoneInfo(name.replace("%2F", "/"))
    except (ValueError, OSError):
        return None


def _kept_as(name: str | None) -> Headers:
    if name is None:
        return ()
    return ((b"content-disposition", f"attachment; filename*=UTF-8''{quote(name)}".encode()),)


def _id(scope: Scope) -> str:
    return str(scope.get(REQUEST_ID, ""))
