"""Getting in: the first operator, log-in and log-out, merchants' links, and what stays chosen."""

from __future__ import annotations

import msgspec

from milepost.dashboard.exchange import cookie, local_path
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.dashboard.rendering import THEMES
from milepost.errors import InvalidInput, UnknownRecord
from milepost.people import NotNow, Opened, WrongPassword

WELCOME, LOG_IN, LOG_OUT = "/welcome", "/log-in", "/log-out"
_YEAR_S = 365 * 86_400


class Credentials(msgspec.Struct, frozen=True):
    """Who wants in."""

    name: str = ""
    password: str = ""
    token: str = ""


def let_in(view: View, opened: Opened, *, to: str, flash: Flash | None = None) -> Gone:
    """Gives the browser its session, and goes on there."""
    lasts_s = max(0, int((opened.until_at - view.now).total_seconds()))
    secure = view.secure
    return Gone(
        to,
        flash,
        (
            cookie("session", opened.token, secure=secure, lasts_s=lasts_s),
            cookie("visitor", "", secure=secure, lasts_s=0),
        ),
    )


# the first operator


async def welcome(view: View) -> Result:
    if await view.hub.people.has_operator():
        return Gone(LOG_IN)
    given = view.query.get("token", "")
    return Shown("entry/welcome.html", {"given": Credentials(token=given), "errors": {}})


async def begin(view: View) -> Result:
    given = Credentials(
        **{k: v for k, v in view.form.items() if k in Credentials.__struct_fields__}
    )
    people = view.hub.people
    if await people.has_operator():
        return Gone(LOG_IN, Flash("There is an operator already; log in.", "note"))
    try:
        made = await people.begin(given.token.strip(), name=given.name, password=given.password)
    except InvalidInput as error:
        return _again("entry/welcome.html", given, {error.field: error.expected})
    if made is None:
        why = "the token that `milepost serve` printed last, within the hour"
        return _again("entry/welcome.html", given, {"token": why})
    opened = await people.open(made, address=view.address, agent=view.agent)
    return let_in(view, opened, to="/", flash=Flash(f"Welcome, {made.name}. The hub is yours."))


def _again(template: str, given: Credentials, errors: dict[str, str], status: int = 422) -> Shown:
    shown = msgspec.structs.replace(given, password="")
    return Shown(template, {"given": shown, "errors": errors}, status)


# log-in and log-out


async def ask_in(view: View) -> Result:
    if view.who is not None:
        return Gone(local_path(view.query.get("next")))
    people = view.hub.people
    if not await people.has_operator() and not await people.people():
        return Gone(WELCOME)
    return Shown("entry/log_in.html", {"given": Credentials(), "problem": ""})


async def log_in(view: View) -> Result:
    form = view.form
    name, password = form.get("name", ""), form.get("password", "")
    status = 422
    after: tuple[tuple[bytes, bytes], ...] = ()
    try:
        opened = await view.hub.people.log_in(
            name, password, address=view.address, agent=view.agent
        )
    except WrongPassword:
        problem = "This name and this password do not go together."
    except NotNow as error:
        status, after = 429, ((b"retry-after", b"%d" % error.after_s),)
        problem = f"There were too many attempts. Try again in {error.after_s} s."
    else:
        return let_in(view, opened, to=local_path(form.get("next")))
    context = {"given": Credentials(name=name), "problem": problem}
    return Shown("entry/log_in.html", context, status, after)


async def log_out(view: View) -> Result:
    await view.hub.people.log_out(view.token)
    cookies = (cookie("session", "", secure=view.secure, lasts_s=0),)
    return Gone(LOG_IN, Flash("You are logged out."), cookies)


async def portal(view: View) -> Result:
    """Opens the session that a link is for; a link that is over raises LinkOver."""
    opened = await view.hub.portal.open(view.path["text"], address=view.address, agent=view.agent)
    return let_in(view, opened, to="/")


# what stays chosen


async def choose_account(view: View) -> Result:
    wanted = view.form.get("account", "")
    chosen = next((a for a in view.accounts if a.account_id == wanted), None)
    if chosen is None:
        raise UnknownRecord
    cookies = (cookie("account", wanted, secure=view.secure, lasts_s=_YEAR_S),)
    return Gone("/", Flash(f"You are looking at {chosen.name} now.", "note"), cookies)


async def choose_theme(view: View) -> Result:
    wanted = view.form.get("theme", "")
    if wanted not in THEMES:
        raise InvalidInput(field="theme", expected=", ".join(THEMES))
    kept = f"milepost_theme={wanted}; Path=/; SameSite=Lax; Max-Age={_YEAR_S}"
    return Gone(local_path(view.form.get("back")), None, (kept,))


PAGES = (
    Page(path=WELCOME, act=welcome, public=True),
    Page(path=WELCOME, act=begin, method="POST", public=True),
    Page(path=LOG_IN, act=ask_in, public=True),
    Page(path=LOG_IN, act=log_in, method="POST", public=True),
    Page(path=LOG_OUT, act=log_out, method="POST"),
    Page(path="/portal/{text}", act=portal, public=True),
    Page(path="/account", act=choose_account, method="POST"),
    Page(path="/theme", act=choose_theme, method="POST", public=True),
)
