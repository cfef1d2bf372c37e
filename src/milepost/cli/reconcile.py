"""`milepost reconcile`: a source's orders beside its provider's, watched while it is compared."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from milepost.cli.exits import ExitCode
from milepost.cli.options import (
    AccountName,
    After,
    Database,
    Json,
    Limit,
    PrivateNetworks,
    StoreName,
    examples,
    moment,
)
from milepost.cli.output import answer, hint, record, stderr, table, utc
from milepost.cli.session import asked_for, in_account, order_named
from milepost.errors import InvalidInput
from milepost.ports import Page
from milepost.ports.reconciling import (
    ChangedSince,
    Choice,
    Everything,
    Found,
    OneOrder,
    Open,
    Reconciliation,
    RunState,
)
from milepost.wiring import Hub

SHOWN = 100
"""Differences that are shown at once; `reconcile show` pages through the others."""

SAID_EVERY = 1_000
USUAL = "run"


class _ByItsSource(TyperGroup):
    """Takes what is no command of its own as the name of a source."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = [USUAL, *args]
        return super().resolve_command(ctx, args)


reconcile = typer.Typer(
    cls=_ByItsSource,
    help="Compare a source's orders with what its provider answers, and mend what differs.",
    epilog=examples("reconcile theirs --dry-run", "reconcile runs"),
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its id: rec_…")]
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="What the source is called.")]


@reconcile.command(
    USUAL,
    epilog=examples(
        "reconcile theirs --dry-run",
        "reconcile theirs --all",
        "reconcile theirs --order 1001",
        "reconcile theirs --changed-since 2026-01-31T10:00 --json",
    ),
)
def run_reconciliation(
    source: SourceName,
    every: Annotated[
        bool, typer.Option("--all", help="All orders, those that have ended too.")
    ] = False,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", help="One order: its id, key or number, or a tracking number of it."
        ),
    ] = None,
    store: StoreName = None,
    changed_since: Annotated[
        str | None, typer.Option(help="Orders that have changed here since then (ISO 8601).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what differs, and change nothing.")
    ] = False,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Compare now; without a choice the open orders of which nothing was heard for a while.

    Ends with 1 when anything differs still, and with 5 when the provider cannot be asked.
    """
    since = moment(changed_since, option="--changed-since")
    if sum((every, order is not None, since is not None)) > 1:
        expected = "at most one of --all, --order and --changed-since"
        raise InvalidInput(field="", expected=expected)

    async def work(hub: Hub, account_id: str) -> tuple[Reconciliation, Sequence[Found], str | None]:
        choice: Choice | None = Everything() if every else None
        if since is not None:
            choice = ChangedSince(since)
        if order is not None:
            named = await order_named(hub, account_id, order, store=store)
            choice = OneOrder(named.order_id)
        runs = hub.comparisons.runs
        with asked_for(f"source {source}"):
            begun = await runs.begin(account_id, source, choice=choice, dry_run=dry_run)
        with _watched() as tell:
            run = await runs.run(begun, progress=tell)
        page = Page(limit=SHOWN)
        return run, *await runs.differences(account_id, run.run_id, page=page)

    run, found, following = in_account(
        work, database=database, account=account, allow_private_networks=allow_private_networks
    )
    _tell(run, found, following=following, as_json=as_json)
    code = exit_code(run)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def exit_code(run: Reconciliation) -> ExitCode:
    """How a command ends that waited for this run."""
    if run.state is RunState.FAILED:
        return ExitCode.UNAVAILABLE
    return ExitCode.REFUSED if run.unapplied or run.state is RunState.STOPPED else ExitCode.OK


@contextmanager
def _watched() -> Generator[Callable[[Reconciliation], None], None, None]:
    """Shows on standard error how far a run is: a bar on a terminal, else a line now and then."""
    console = stderr()
    said = 0
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    task = bar.add_task("comparing", total=None)

    def tell(run: Reconciliation) -> None:
        nonlocal said
        text = f"{run.differences} differ, {run.applied} mended"
        if run.place.page:
            text = f"looking through the provider's list, {text}"
        if run.why and run.state is RunState.RUNNING:
            text = f"{text}, waiting: {run.why[:50]}"
        # A count that was taken when it began may be behind by now.
        total = max(run.total, run.examined) or None
        bar.update(task, description=text, total=total, completed=run.examined)
        if bar.disable and run.examined - said >= SAID_EVERY:
            said = run.examined
            hint(f"{run.examined} of {run.total} orders, {text}")

    with bar:
        yield tell


@reconcile.command("runs", epilog=examples("reconcile runs", "reconcile runs --source theirs"))
def list_runs(
    source: Annotated[
        str | None, typer.Option(help="Those of this source.", show_default=False)
    ] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List comparisons, newest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[Reconciliation], str | None]:
        return await hub.comparisons.runs.list(account_id, source=source, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        from milepost.api.reconciling import ReconciliationsPage, run_view

        answer(ReconciliationsPage([run_view(run) for run in found], following))
        return
    table(
        "Reconciliations",
        ("id", "source", "what", "state", "asked", "orders>", "differ>", "mended>", "why"),
        [
            (
                run.run_id,
                run.source,
                told(run),
                run.state,
                run.asked_at,
                run.asked,
                run.differences,
                run.applied,
                run.why,
            )
            for run in found
        ],
        empty="Nothing was compared yet: `milepost reconcile SOURCE --dry-run` lists differences.",
    )
    if following:
        hint(f"There are more: --after {following}")


@reconcile.command(
    "show", epilog=examples("reconcile show rec_01…", "reconcile show rec_01… --json")
)
def show_run(
    name: RunName,
    limit: Limit = SHOWN,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show how far a comparison is, and what differed."""

    async def read(hub: Hub, account_id: str) -> tuple[Reconciliation, Sequence[Found], str | None]:
        runs = hub.comparisons.runs
        with asked_for(f"reconciliation {name}"):
            run = await runs.find(account_id, name)
        return run, *await runs.differences(account_id, name, page=Page(after, limit))

    run, found, following = in_account(read, database=database, account=account)
    _tell(run, found, following=following, as_json=as_json)


@reconcile.command("stop", epilog=examples("reconcile stop rec_01…"))
def stop_run(
    name: RunName,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End a comparison; what it has mended stays mended."""

    async def stop(hub: Hub, account_id: str) -> Reconciliation:
        with asked_for(f"reconciliation {name}"):
            return await hub.comparisons.runs.stop_run(account_id, name)

    _tell(in_account(stop, database=database, account=account), (), following=None, as_json=as_json)


def told(run: Reconciliation) -> str:
    """What a run compares, in words."""
    what = _chosen(run.choice)
    return f"{what}, dry run" if run.dry_run else what


def _chosen(choice: Choice) -> str:
    match choice:
        case Open(quiet_since):
            return f"open, quiet since {utc(quiet_since)}"
        case Everything():
            return "all"
        case ChangedSince(since):
            return f"changed since {utc(since)}"
        case OneOrder(order_id):
            return order_id


def _tell(
    run: Reconciliation,
    found: Sequence[Found],
    *,
    following: str | None,
    as_json: bool,
) -> None:
    if as_json:
        from milepost.api.reconciling import ReconciliationPage, difference_view, run_view

        page = ReconciliationPage(run_view(run), [difference_view(one) for one in found], following)
        answer(msgspec.structs.asdict(page))
        return
    record(
        "Reconciliation",
        [
            ("id", run.run_id),
            ("source", run.source),
            ("what", told(run)),
            ("state", run.state),
            ("why", run.why),
            ("orders looked at", f"{run.examined:,} of {max(run.total, run.examined):,}"),
            ("asked for", f"{run.asked:,}"),
            ("differ", f"{run.differences:,}"),
            ("mended", f"{run.applied:,}"),
            ("ended", run.finished_at),
        ],
    )
    if found:
        table(
            "What differs",
            ("order", "store", "kind", "parcel", "ours", "theirs", "verdict", "why"),
            [
                (
                    one.order_key,
                    one.store,
                    one.kind,
                    one.parcel,
                    one.ours,
                    one.theirs,
                    one.verdict,
                    one.why,
                )
                for one in found
            ],
        )
    if following:
        hint(f"There are more: milepost reconcile show {run.run_id} --after {following}")
