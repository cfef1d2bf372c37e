"""`milepost endpoint rotate` and `milepost secrets`: secrets and keys that follow each other."""

from __future__ import annotations

import re
import secrets
import sys
from typing import Annotated

import typer

from milepost.cli.endpoint_options import Identifier
from milepost.cli.endpoints import Shown, endpoint, show_endpoint_record, shown
from milepost.cli.exits import ExitCode
from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, hint, record, say
from milepost.cli.pairs import text_or_file
from milepost.cli.session import asked_for, in_account, with_hub, without_secrets
from milepost.delivery.rotation import LONGEST_OVERLAP, OVERLAP
from milepost.errors import InvalidInput
from milepost.sealing import key_text
from milepost.sealing.keys import KEY_BYTES
from milepost.secrecy import Rekeyed, RotationInput
from milepost.wiring import Hub

keys = typer.Typer(help="The keys that the secrets in the database are sealed with.")

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_MOST_S = int(LONGEST_OVERLAP.total_seconds())


def _seconds(text: str, *, option: str) -> int:
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else -1
    if not 0 <= seconds <= _MOST_S:
        most = f"{LONGEST_OVERLAP.days}d"
        raise InvalidInput(field=option, expected=f"a time such as 90m, 24h or 7d, at most {most}")
    return seconds


@endpoint.command(
    "rotate",
    epilog=examples(
        "endpoint rotate ep_0123456789",
        "endpoint rotate ep_0123456789 --overlap 7d --secret @new-secret.txt",
        "endpoint rotate ep_0123456789 --overlap 0 --json    # the old secret is known to others",
    ),
)
def rotate_secret(
    endpoint_id: Identifier,
    overlap: Annotated[
        str, typer.Option(help="How long the old secret signs beside the new one: 90m, 24h, 7d.")
    ] = f"{int(OVERLAP.total_seconds()) // 3_600}h",
    secret: Annotated[
        str | None,
        typer.Option(
            help="The new secret, whsec_…, or @FILE with it; default: a new one.",
            show_default=False,
        ),
    ] = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Give an endpoint a new signing secret, shown this once; the old one signs on for a while."""
    told = None if secret is None else text_or_file(secret)
    wanted = RotationInput(_seconds(overlap, option="--overlap"), told)

    async def rotate(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            return await shown(hub, await hub.secrecy.rotate(account_id, endpoint_id, wanted))

    rotated = in_account(rotate, database=database, account=account)
    show_endpoint_record(rotated, as_json=as_json, with_secret=True)


@endpoint.command("retire", epilog=examples("endpoint retire ep_0123456789"))
def retire_secrets(
    endpoint_id: Identifier,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End the old signing secrets of an endpoint at once."""

    async def retire(hub: Hub, account_id: str) -> Shown:
        with asked_for(f"endpoint {endpoint_id}"):
            return await shown(hub, await hub.secrecy.retire(account_id, endpoint_id))

    retired = in_account(retire, database=database, account=account)
    show_endpoint_record(retired, as_json=as_json)


@keys.command(
    "new-key",
    epilog=examples("secrets new-key", "secrets new-key > milepost.key; chmod 600 milepost.key"),
)
def new_key(as_json: Json = False) -> None:
    """Print a new key, for MILEPOST_SECRET_KEY or a file; it is kept nowhere."""
    made = key_text(secrets.token_bytes(KEY_BYTES))
    if as_json:
        answer({"key": made})
    else:
        say(made)


@keys.command("show", epilog=examples("secrets show"))
def show_keys(database: Database = None, as_json: Json = False) -> None:
    """Show the ids of the keys, the one that seals first, and where they come from."""

    async def read(hub: Hub) -> tuple[str, ...]:
        return (hub.vault.shown, *hub.vault.ids)

    where, first, *others = with_hub(read, database=database)
    if as_json:
        answer({"seals": first, "opens": [first, *others], "from": where})
    else:
        record("Keys", [("seals and opens", first), ("opens", others or None), ("from", where)])


@keys.command("forget", epilog=examples("secrets forget --yes"))
def forget_secrets(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """When the key is lost: pause every endpoint and take its secrets and credentials off.

    Nothing else is lost. Stop the hub first; afterwards rotate each endpoint's secret, set its
    credentials, and resume it.
    """
    if sys.stdin.isatty() and not (yes or as_json):
        typer.confirm("Take the secrets of all endpoints away?", abort=True, err=True)
    count = without_secrets(database=database)
    if as_json:
        answer({"endpoints": count})
    else:
        say(f"{count} endpoints are paused and have no secrets.")
        hint("For each: milepost endpoint rotate, endpoint edit --credential, endpoint resume")


@keys.command("rekey", epilog=examples("secrets rekey", "secrets rekey --json"))
def rekey(database: Database = None, as_json: Json = False) -> None:
    """Seal every secret with the first key; then the others are needed no more.

    Every process has to have the new key first. Ends with 1 when somebody has sealed with another
    key meanwhile: run it again.
    """

    async def seal(hub: Hub) -> Rekeyed:
        return await hub.secrecy.rekey(
            progress=lambda seen: None if as_json else hint(f"{seen} endpoints")
        )

    done = with_hub(seal, database=database)
    if as_json:
        answer(done)
    else:
        say(f"{done.sealed} of {done.endpoints} endpoints were sealed anew.")
        if done.complete:
            hint("The first key alone is enough now: take the others away.")
    if not done.complete:
        hint("Some are sealed with another key still: run it again.")
        raise typer.Exit(ExitCode.REFUSED)
