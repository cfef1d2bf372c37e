"""The options of `milepost endpoint`, as its commands share them."""

from __future__ import annotations

from typing import Annotated

import typer

from milepost.delivery.model import BacklogPolicy, LanePolicy, Operational

Identifier = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint's id, ep_…")]
Description = Annotated[str | None, typer.Option(help="What it is for.", show_default=False)]
Schedule = Annotated[
    str | None,
    typer.Option(help="When to try again; default: the contract's first.", show_default=False),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", help="Seconds to wait for a reply.", show_default=False),
]
Concurrency = Annotated[
    int | None, typer.Option(help="How many requests at once.", show_default=False)
]
Policy = Annotated[
    LanePolicy | None,
    typer.Option(
        "--lane-policy",
        help="When a delivery is given up, the order's next one goes on, or the lane holds.",
        show_default=False,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--requests-per-second",
        help="How many requests a second at most, from each process that sends.",
        show_default=False,
    ),
]
Backlog = Annotated[
    BacklogPolicy | None,
    typer.Option(
        "--backlog-policy",
        help="Of what waits in a lane send every step, or the latest where the contract allows it.",
        show_default=False,
    ),
]
PauseAfter = Annotated[
    float | None,
    typer.Option(
        "--pause-after-hours",
        help="Pause after so many hours of nothing but failures; default: never by itself.",
        show_default=False,
    ),
]
Tells = Annotated[
    Operational | None,
    typer.Option(
        "--operational",
        help="Whether it is told what happens to other endpoints: none, also beside orders, only.",
        show_default=False,
    ),
]
PrivateNetworks = Annotated[
    bool | None,
    typer.Option(
        "--allow-private-networks",
        help="Take a URL on this machine or network; serve needs the same option to send there.",
        show_default=False,
    ),
]
Stores = Annotated[
    list[str] | None, typer.Option("--store", help="Only this store; may be repeated.")
]
Statuses = Annotated[
    list[str] | None, typer.Option("--status", help="Only this status; may be repeated.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="An option of the contract."),
]
Credentials = Annotated[
    list[str] | None,
    typer.Option(
        "--credential",
        metavar="NAME=VALUE",
        help="A credential of the contract; NAME=@FILE reads it from a file.",
    ),
]
