"""People and their sessions, and the links of an account."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from milepost.dashboard.entry import let_in
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.errors import AlreadyExists, InvalidInput
from milepost.people import Right
from milepost.ports.people import Role

PEOPLE, LINKS, YOU = "/people", "/links", "/you"
DAYS = (1, 7, 30, 90)


class NewPerson(msgspec.Struct, frozen=True):
    """The form of a new person."""

    name: str
    role: Role
    password: str
    account: str | None = None


class NewLink(msgspec.Struct, frozen=True):
    """The form of a new link."""

    days: int
    role: Role = Role.MERCHANT


# everybody


async def show_people(view: View) -> Shown:
    return await _people(view, {})


async def _people(view: View, errors: dict[str, str]) -> Shown:
    context = {
        "people": await view.hub.people.people(),
        "roles": list(Role),
        "account_names": {a.account_id: a.name for a in view.accounts},
        "form": {"role": "", "account": "", **view.form},
        "errors": errors,
    }
    return Shown("people/people.html", context, 422 if errors else 200)


async def add_person(view: View) -> Result:
    try:
        given = view.read_form(NewPerson)
        sees = None if given.role is Role.OPERATOR else given.account
        if sees is not None and all(a.account_id != sees for a in view.accounts):
            raise InvalidInput(field="account", expected="an account of this hub")
        # As it was typed: blanks at the ends of a password are part of it.
        password = view.form["password"]
        made = await view.hub.people.add(given.name, role=given.role, password=password, sees=sees)
    except InvalidInput as error:
        return await _people(view, {error.field: error.expected})
    except AlreadyExists:
        return await _people(view, {"name": "a name that nobody has yet"})
    return Gone(PEOPLE, Flash(f"{made.name} can log in now."))


async def disable_person(view: View) -> Result:
    name = view.path["name"]
    if name == view.person.name:
        raise InvalidInput(field="name", expected="somebody else: you would lock yourself out")
    disabled = view.form.get("disabled") == "yes"
    await view.hub.people.disable(name, disabled=disabled)
    return Gone(PEOPLE, Flash(f"{name} {'cannot log in any more' if disabled else 'can log in'}."))


# oneself


async def show_you(view: View) -> Shown:
    return await _you(view, {})


async def _you(view: View, errors: dict[str, str]) -> Shown:
    name = view.person.name
    sessions = await view.hub.people.sessions(name) if name else ()
    context = {"sessions": sessions, "errors": errors}
    return Shown("people/you.html", context, 422 if errors else 200)


async def end_session(view: View) -> Result:
    await view.hub.people.end(view.person.name, view.path["session"])
    return Gone(YOU, Flash("That session is over."))


async def change_password(view: View) -> Result:
    people, name = view.hub.people, view.person.name
    current, password = view.form.get("current", ""), view.form.get("password", "")
    if not await people.is_password(name, current, address=view.address):
        return await _you(view, {"current": "your password as it is now"})
    try:
        changed = await people.change_password(name, password)
    except InvalidInput as error:
        return await _you(view, {error.field: error.expected})
    opened = await people.open(changed, address=view.address, agent=view.agent)
    said = "Your password is changed, and your other sessions are over."
    return let_in(view, opened, to=YOU, flash=Flash(said))


# links


async def show_links(view: View) -> Shown:
    return await _links(view, {})


async def _links(view: View, errors: dict[str, str], made: str = "") -> Shown:
    context = {
        "links": await view.hub.portal.links(view.account_id),
        "days": DAYS,
        "made": made,
        "errors": errors,
    }
    return Shown("people/links.html", context, 422 if errors else 200)


async def make_link(view: View) -> Result:
    try:
        given = view.read_form(NewLink)
        made = await view.hub.portal.make(
            view.account_id,
            role=given.role,
            lasting=timedelta(days=min(given.days, 10_000)),
            made_by=view.person.name,
        )
    except InvalidInput as error:
        return await _links(view, {error.field: error.expected})
    # Shown once, so it cannot wait for another request.
    return await _links(view, {}, made=f"{view.origin}/portal/{made.text}")


async def revoke_link(view: View) -> Result:
    await view.hub.portal.revoke(view.account_id, view.path["link"])
    return Gone(LINKS, Flash("The link is revoked, and who came by it is logged out."))


PAGES = (
    Page(path=PEOPLE, act=show_people, right=Right.RUN, place=PEOPLE),
    Page(path=PEOPLE, act=add_person, method="POST", right=Right.RUN, place=PEOPLE),
    Page(
        path=PEOPLE + "/{name}/disable",
        act=disable_person,
        method="POST",
        right=Right.RUN,
        place=PEOPLE,
    ),
    Page(path=LINKS, act=show_links, right=Right.RUN, place=LINKS),
    Page(path=LINKS, act=make_link, method="POST", right=Right.RUN, place=LINKS),
    Page(
        path=LINKS + "/{link}/revoke",
        act=revoke_link,
        method="POST",
        right=Right.RUN,
        place=LINKS,
    ),
    Page(path=YOU, act=show_you, place=YOU),
    Page(path=YOU + "/password", act=change_password, method="POST", place=YOU),
    Page(path=YOU + "/sessions/{session}/end", act=end_session, method="POST", place=YOU),
)
