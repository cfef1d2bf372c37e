"""`milepost upkeep`: what is over is cleared away, now and not only when it is time."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
import typer

from milepost.cli.options import Database, Json, examples, settings_given
from milepost.cli.output import answer, hint, record
from milepost.cli.session import with_hub
from milepost.ports.upkeep import UpkeepRecord
from milepost.upkeep import Report
from milepost.wiring import Hub

upkeep = typer.Typer(help="Upkeep: orders whose time is over, and what else is not kept for ever.")

SAID_EVERY = 5_000


@upkeep.command("run", epilog=examples("upkeep run --dry-run", "upkeep run --json"))
def run_upkeep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be removed.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Remove what is over now, a little at a time; ends with 1 while another process does."""
    said = 0

    def tell(report: Report) -> None:
        nonlocal said
        if report.looked_at + report.rows - said >= SAID_EVERY:
            said = report.looked_at + report.rows
            hint(f"{report.looked_at} orders looked at, {report.orders} over, {report.rows} rows")

    async def work(hub: Hub) -> Report:
        act = hub.upkeep.would_do if dry_run else hub.upkeep.run
        return await act(progress=tell)

    done = with_hub(work, database=database)
    if as_json:
        answer({"dry_run": dry_run, **msgspec.structs.asdict(done)})
    else:
        record("Would be removed" if dry_run else "Removed", _facts(done))


@upkeep.command("show", epilog=examples("upkeep show"))
def show_upkeep(database: Database = None, as_json: Json = False) -> None:
    """Show for how long what is kept, and what the last upkeep did."""
    settings = settings_given(os.environ, database=database)

    async def read(hub: Hub) -> UpkeepRecord:
        return await hub.store.upkeep()

    last = with_hub(read, database=database)
    report = msgspec.json.decode(last.report, type=Report) if last.report else None
    if as_json:
        answer(
            {
                "retention_days": settings.retention_days,
                "retention_open_days": settings.retention_open_days,
                "begun_at": last.begun_at,
                "ended_at": last.ended_at,
                "running": last.owner is not None,
                "report": report,
            }
        )
        return
    days = settings.retention_days
    open_days = settings.retention_open_days if days else 0
    facts: list[tuple[str, object]] = [
        ("kept after the end", f"{days} days" if days else "for ever"),
        ("kept without an end", f"{open_days} days" if open_days else "for ever"),
        ("begun", last.begun_at),
        ("ended", last.ended_at),
        ("running", last.owner is not None),
    ]
    record("Upkeep", facts + (_facts(report) if report else []))


def _facts(report: Report) -> list[tuple[str, object]]:
    return [
        ("orders looked at", report.looked_at),
        ("orders", report.orders),
        ("updates that were kept", report.updates),
        ("messages of no order", report.receipts),
        ("notifications of no order", report.notices),
        ("endpoints with an old secret", report.expired),
        ("rows in all", report.rows),
        ("seconds", report.seconds),
    ]
