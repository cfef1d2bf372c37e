"""The command line as a whole: every command under one roof, and every error as one line."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version as version_of
from typing import Any

import typer
from typer.core import TyperGroup

from milepost import __version__
from milepost.cli.accounts import account, store
from milepost.cli.attention import attention
from milepost.cli.carriers import carrier
from milepost.cli.clients import client
from milepost.cli.clocks import clock
from milepost.cli.conformance import conformance
from milepost.cli.deliveries import delivery, quarantine
from milepost.cli.demo import demo
from milepost.cli.doctor import doctor
from milepost.cli.egress import egress
from milepost.cli.endpoints import endpoint
from milepost.cli.erasure import erase_order
from milepost.cli.exits import MEANINGS, exit_code_of
from milepost.cli.fulfillment import require_actions, split_order
from milepost.cli.lifecycle import lifecycle
from milepost.cli.listen import listen
from milepost.cli.options import Json, examples
from milepost.cli.orders import order
from milepost.cli.output import answer, hint, say
from milepost.cli.people import portal, user
from milepost.cli.reconcile import reconcile
from milepost.cli.replacements import replace_order
from milepost.cli.resends import resend
from milepost.cli.secrecy import keys
from milepost.cli.serve import serve
from milepost.cli.silence import silence
from milepost.cli.simulate import simulate
from milepost.cli.sources import receipt, source
from milepost.cli.truth import order_truth
from milepost.cli.updates import update
from milepost.cli.upkeep import upkeep
from milepost.cli.warehouses import warehouse
from milepost.cli.work import work
from milepost.errors import MilepostError


class _Roof(TyperGroup):
    """Turns what Milepost raises into one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MilepostError as error:
            hint(f"milepost: {error}".replace("\n", " "), style="red")
            raise typer.Exit(exit_code_of(error)) from None


_CODES = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    cls=_Roof,
    name="milepost",
    help="A self-hosted order-status hub: every step of an order, checked, and told in order "
    "to every system that cares.",
    epilog=f"Exit codes:\n{_CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.command(
    epilog=examples(
        "serve",
        "serve --port 8000 --database shop.db",
        "serve --no-dispatch               # beside processes of `milepost work`",
        "serve --allow-private-networks    # receivers on this machine or network",
    )
)(serve)
app.command(
    epilog=examples(
        "work",
        "work --port 8401 --json           # with /livez, /readyz and /metrics",
        "work --database postgresql://milepost@db1,db2/milepost",
    )
)(work)
app.command(epilog=examples("demo", "demo --json"))(demo)
app.add_typer(account, name="account")
app.add_typer(store, name="store")
app.add_typer(warehouse, name="warehouse")
app.add_typer(endpoint, name="endpoint")
app.add_typer(client, name="client")
order.command(
    "replace",
    epilog=examples(
        "order replace 1001",
        "order replace 1001 --serial-number SN-001122334455 --note 'the display was broken'",
        "order replace 1001 --key 1001-B --line SCALE-1:1",
    ),
)(replace_order)
order.command(
    "require",
    epilog=examples("order require 1001 --require customs", "order require 1001 --settle customs"),
)(require_actions)
order.command(
    "split",
    epilog=examples("order split 1001 --part 1001-2=SCALE-1:1,PEN:2 --json"),
)(split_order)
order.command(
    "erase",
    epilog=examples(
        "order erase 1001 --yes",
        "order erase 1001 --abandon-pending --note 'request 4711' --json",
        "order erase --email ada@example.com --dry-run",
        "order erase --email ada@example.com --yes",
    ),
)(erase_order)
order.command("truth", epilog=examples("order truth 1001", "order truth 1001 --json"))(order_truth)
app.add_typer(order, name="order")
app.command(
    epilog=examples(
        "update 1001 shipped --carrier UPS --tracking-number 1Z999AA10123456784",
        "update 1001 delivered --at 2026-01-31T12:00:00Z --source carrier",
        "update 1001 returning --correction --note 'refused at the door'",
    )
)(update)
app.add_typer(delivery, name="delivery")
app.add_typer(resend, name="resend")
app.add_typer(reconcile, name="reconcile")
app.add_typer(quarantine, name="quarantine")
app.add_typer(carrier, name="carrier")
app.add_typer(source, name="source")
app.add_typer(receipt, name="receipt")
app.add_typer(egress, name="egress")
app.add_typer(attention, name="attention")
app.add_typer(silence, name="silence")
app.add_typer(clock, name="clock")
app.add_typer(lifecycle, name="lifecycle")
app.add_typer(user, name="user")
app.add_typer(portal, name="portal")
app.add_typer(keys, name="secrets")
app.add_typer(upkeep, name="upkeep")
app.command(
    epilog=examples(
        "listen --secret whsec_…",
        "listen --contract withings --accept-unsigned --port 9000",
        "listen --contract shipmonk --basic hub:password --signature-secret … --fail 2",
    )
)(listen)
app.command(
    epilog=examples(
        "simulate --list",
        "simulate complete --contract shipmonk --to http://127.0.0.1:8401/ --basic hub:password",
        "simulate return --to http://127.0.0.1:8401/ --chaos duplicate,reorder,error=500 --seed 7",
        "simulate all --through-hub --to http://127.0.0.1:8400 --chaos drop,duplicate=0.5",
    )
)(simulate)
app.command(
    epilog=examples(
        "conformance --list",
        "conformance http://127.0.0.1:8401/ --secret whsec_…",
        "conformance http://127.0.0.1:8401/ --secret whsec_… "
        "--state-url 'http://127.0.0.1:8401/orders/{order_key}'",
        "conformance https://example.com/hooks --contract shipmonk --basic hub:password --json",
    )
)(conformance)
app.command(epilog=examples("doctor", "doctor --json"))(doctor)


@app.command(epilog=examples("version"))
def version(as_json: Json = False) -> None:
    """Show the versions of Milepost and of what it stands on."""
    versions = {
        "milepost": __version__,
        "milepost_receiver": version_of("milepost-receiver"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    if as_json:
        answer(versions)
    else:
        say("\n".join(f"{name} {number}" for name, number in versions.items()))


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    app(prog_name="milepost")
