"""`milepost user` and `milepost portal`: who may look at the pages."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import Annotated, Any

import typer

from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.session import account_named, asked_for, with_hub
from milepost.errors import InvalidInput
from milepost.people import NewLink
from milepost.ports.people import PersonRecord, PortalLink, Role
from milepost.wiring import Hub

user = typer.Typer(help="People who log in to the pages.", no_args_is_help=True)
portal = typer.Typer(help="Links that let a merchant look at one account.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that is typed to log in.")]
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_LASTING = re.compile(r"([1-9][0-9]{0,5})([mhd])")


def _password() -> str:
    """The password: asked for twice at a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _told(person: PersonRecord) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role,
        "account_id": person.sees,
        "created_at": person.created_at,
        "disabled_at": person.disabled_at,
    }


def _say_person(title: str, person: PersonRecord, *, as_json: bool) -> None:
    if as_json:
        answer(_told(person))
    else:
        record(title, _told(person).items())


@user.command(
    "add",
    epilog=examples(
        "user add ada --role operator",
        "user add bob --role merchant --account acme < password.txt",
        "user add eve --role read-only --json < password.txt",
    ),
)
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Let a person log in to the pages.

    An operator sees every account and lets others in; a merchant sees and changes one account;
    read-only sees one account, or all without --account, and changes nothing. The password is asked
    for, or read from standard input when that is no terminal.
    """
    password = _password()

    async def work(hub: Hub) -> PersonRecord:
        sees = None
        if role is not Role.OPERATOR and (account is not None or role is Role.MERCHANT):
            sees = (await account_named(hub, account)).account_id
        return await hub.people.add(name, role=role, password=password, sees=sees)

    _say_person("Can log in now", with_hub(work, database=database), as_json=as_json)


@user.command("list", epilog=examples("user list", "user list --json"))
def list_people(database: Database = None, as_json: Json = False) -> None:
    """Show who can log in to the pages."""

    async def work(hub: Hub) -> list[PersonRecord]:
        return list(await hub.people.people())

    found = with_hub(work, database=database)
    if as_json:
        answer({"people": [_told(one) for one in found]})
        return
    table(
        "People",
        ("name", "role", "account", "since", "disabled"),
        ((p.name, p.role, p.sees or "every one", p.created_at, p.disabled_at) for p in found),
        empty="Nobody can log in yet: `milepost serve` prints where the first operator is made.",
    )


@user.command(
    "role",
    epilog=examples("user role bob operator", "user role bob read-only --account acme"),
)
def change_role(
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="operator, merchant or read-only.")],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Give a person another role; the person's sessions end."""

    async def work(hub: Hub) -> PersonRecord:
        sees = None
        if role is not Role.OPERATOR and (account is not None or role is Role.MERCHANT):
            sees = (await account_named(hub, account)).account_id
        with asked_for(name):
            return await hub.people.change_role(name, role=role, sees=sees)

    _say_person("Changed", with_hub(work, database=database), as_json=as_json)


@user.command(
    "disable",
    epilog=examples("user disable bob", "user disable bob --enable", "user disable bob --json"),
)
def disable(
    name: Name,
    enable: Annotated[bool, typer.Option("--enable", help="Let the person in again.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Lock a person out; the person's sessions end at once."""

    async def work(hub: Hub) -> PersonRecord:
        with asked_for(name):
            return await hub.people.disable(name, disabled=not enable)

    _say_person("Changed", with_hub(work, database=database), as_json=as_json)


@user.command("password", epilog=examples("user password ada", "user password ada < password.txt"))
def change_password(name: Name, database: Database = None, as_json: Json = False) -> None:
    """Give a person a new password; the person's sessions end.

    It is asked for, or read from standard input when that is no terminal.
    """
    password = _password()

    async def work(hub: Hub) -> PersonRecord:
        with asked_for(name):
            return await hub.people.change_password(name, password)

    _say_person("Changed", with_hub(work, database=database), as_json=as_json)


# links


def _link(link: PortalLink) -> dict[str, Any]:
    return {
        "link_id": link.link_id,
        "account_id": link.account_id,
        "role": link.role,
        "made_by": link.made_by or None,
        "made_at": link.made_at,
        "expires_at": link.until_at,
        "revoked_at": link.revoked_at,
    }


def lasting(text: str) -> timedelta:
    """A length of time such as 30m, 12h or 7d. Raises InvalidInput."""
    found = _LASTING.fullmatch(text)
    if found is None:
        raise InvalidInput(field="--expires", expected="minutes, hours or days: 30m, 12h, 7d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


@portal.command(
    "link",
    epilog=examples(
        "portal link --account acme --expires 7d",
        "portal link --account acme --role read-only --json",
    ),
)
def make_link(
    account: AccountName = None,
    expires: Annotated[str, typer.Option(help="After how long: 30m, 12h, 7d.")] = "7d",
    role: Annotated[
        Role, typer.Option(help="merchant or read-only: whether its holder may change things.")
    ] = Role.MERCHANT,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Print a link that lets whoever holds it look at one account, until it expires.

    It is shown this once. MILEPOST_PUBLIC_URL says where browsers find the hub.
    """

    async def work(hub: Hub) -> tuple[NewLink, str]:
        found = await account_named(hub, account)
        made = await hub.portal.make(
            found.account_id, role=role, lasting=lasting(expires), made_by=""
        )
        settings = hub.settings
        base = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
        return made, f"{base}/portal/{made.text}"

    made, url = with_hub(work, database=database)
    if as_json:
        answer({**_link(made.link), "url": url})
        return
    say(url)
    hint(f"{made.link.link_id} is good until {made.link.until_at:%Y-%m-%d %H:%M} UTC.")


@portal.command("list", epilog=examples("portal list", "portal list --account acme --json"))
def list_links(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Show the links of an account, those that are over too."""

    async def work(hub: Hub) -> list[PortalLink]:
        return list(await hub.portal.links((await account_named(hub, account)).account_id))

    found = with_hub(work, database=database)
    if as_json:
        answer({"links": [_link(one) for one in found]})
        return
    table(
        "Links",
        ("link", "may", "made", "expires", "revoked"),
        ((x.link_id, x.role, x.made_at, x.until_at, x.revoked_at) for x in found),
        empty="There are none: `milepost portal link` makes one.",
    )


@portal.command("revoke", epilog=examples("portal revoke lnk_0123456789"))
def revoke_link(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Its id, as `portal list` shows it.")],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End a link; whoever came by it is logged out at once."""

    async def work(hub: Hub) -> None:
        with asked_for(link):
            await hub.portal.revoke((await account_named(hub, account)).account_id, link)

    with_hub(work, database=database)
    if as_json:
        answer({"link_id": link, "revoked": True})
    else:
        say(f"{link} is revoked.")
