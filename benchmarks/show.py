"""The figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

FIGURES = (
    ("accepted a second", "accepted_per_s", "{:,}"),
    ("delivered a second", "delivered_per_s", "{:,}"),
    ("limit: sending alone, a second", "limit_send_per_s", "{:,}"),
    ("limit: storing alone, a second", "limit_store_per_s", "{:,}"),
    ("delivered, of sending alone", "share_of_sending", "{:.0%}"),
    ("accepted, of storing alone", "share_of_storing", "{:.0%}"),
    ("processor time an event: hub and database", "hub_and_database_us", "{:.0f} µs"),
    ("… hub", "hub_us", "{:.0f} µs"),
    ("… database", "database_us", "{:.0f} µs"),
    ("… receiver", "receiver_us", "{:.0f} µs"),
    ("… load", "load_us", "{:.0f} µs"),
    ("accept to receipt: p50", "p50_ms", "{:.1f} ms"),
    ("… p99", "p99_ms", "{:.1f} ms"),
    ("… slowest", "max_ms", "{:.1f} ms"),
    ("most memory of the hub", "hub_mib", "{:,} MiB"),
    ("memory of the database's processes", "database_mib", "{:,} MiB"),
)


def show(console: Console, report: Mapping[str, Any]) -> None:
    """One scenario."""
    table = Table(title="Milepost, from the request to the receiver", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for text, name, form in FIGURES:
        table.add_row(text, form.format(report[name]))
    console.print(table)
    console.print(_measured_on(report))


def show_suite(console: Console, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Every row, with what was wanted of it."""
    table = Table(title="Milepost against its targets", title_justify="left")
    table.add_column("scenario")
    for head in ("delivered/s", "hub+database µs", "p50 ms", "p99 ms", "of the limit"):
        table.add_column(head, justify="right")
    table.add_column("wanted")
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['delivered_per_s']:,}",
            f"{row['hub_and_database_us']:.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['share_of_limit']:.0%}",
            "\n".join(map(_wanted, row["wants"])),
        )
    console.print(table)
    if rows:
        console.print(_measured_on(next(iter(rows.values()))))


def _wanted(want: Mapping[str, Any]) -> str:
    color = "green" if want["met"] else "red"
    over = f" of {want['over']}" if want["over"] else ""
    number = f"{want['value']:,.2f}" if want["over"] else f"{want['value']:,}"
    return (
        f"[{color}]{want['figure']} {want['sense']} {want['number']:,.4g}{over}: {number}[/{color}]"
    )


def _measured_on(report: Mapping[str, Any]) -> str:
    where, settings = report["machine"], report["settings"]
    durable = ", ".join(f"{name} {value}" for name, value in report["durability"].items())
    return (
        f"{settings['store']} ({durable}); {settings['workers']} process(es), batches of "
        f"{settings['batch']}, {settings['endpoints']} endpoint(s), {settings['contract']}, "
        f"{settings['seconds']:g} s; {where['cores']} cores of {where['processor']}, "
        f"Python {where['python']}, SQLite {where['sqlite']}"
    )
