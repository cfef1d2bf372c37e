"""`milepost lifecycle`: what the table of states and edges says, in words and as a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from milepost.cli.exits import ExitCode
from milepost.cli.options import Json, examples
from milepost.cli.output import answer, hint, record, write_file, write_raw
from milepost.contracts import ROOMS
from milepost.contracts.contract import Diagram
from milepost.errors import InvalidInput
from milepost.orders.graph import MEANING, Explanation, explain, mermaid, svg
from milepost.orders.lifecycle import EdgeClass, State

OURS = Diagram(svg=svg, mermaid=lambda full: mermaid(full=full))

lifecycle = typer.Typer(help="Explain the lifecycle of an order, or draw it.")


class Form(StrEnum):
    """What the picture can be drawn as."""

    MERMAID = "mermaid"
    SVG = "svg"


_MARK = {
    EdgeClass.NORMAL: "yes",
    EdgeClass.CORRECTION: "as a correction: from a trusted source, with a note that says why",
    None: "no",
}


@lifecycle.command(
    "explain",
    epilog=examples("lifecycle explain picking shipped", "lifecycle explain delivered returning"),
)
def explain_step(
    origin: Annotated[State, typer.Argument(metavar="FROM", help="Where the order is.")],
    target: Annotated[State, typer.Argument(metavar="TO", help="Where it should go.")],
    as_json: Json = False,
) -> None:
    """Say whether an order may go from one state to another, why, and what it can do instead.

    Ends with code 4 when there is no direct way.
    """
    said = explain(origin, target)
    if as_json:
        answer(_shown(said))
    else:
        record(f"{origin} → {target}", _facts(said))
    if said.edge is None and origin is not target:
        raise typer.Exit(ExitCode.ILLEGAL)


def _facts(said: Explanation) -> list[tuple[str, object]]:
    same = said.origin is said.target
    facts: list[tuple[str, object]] = [
        ("allowed", "no step at all" if same else _MARK[said.edge_class]),
        ("why", said.why),
        (said.origin.value, MEANING[said.origin]),
    ]
    if not same:
        facts.append((said.target.value, MEANING[said.target]))
    if said.edge and said.passed_over:
        facts.append(("passes over", said.passed_over))
    if said.path:
        way = " → ".join(said.path)
        needs = " (needs a correction)" if said.path_class is EdgeClass.CORRECTION else ""
        facts.append(("shortest way", way + needs))
    facts.append((f"from {said.origin}", said.allowed or "nothing but corrections"))
    if said.corrections:
        facts.append(("by correction", said.corrections))
    return facts


def _shown(said: Explanation) -> dict[str, object]:
    return {
        "from": said.origin,
        "to": said.target,
        "allowed": said.legal,
        "class": said.edge_class,
        "why": said.why,
        "passed_over": said.passed_over if said.edge else (),
        "path": said.path,
        "path_class": said.path_class,
        "allowed_next": said.allowed,
        "corrections": said.corrections,
    }


@lifecycle.command(
    "graph",
    epilog=examples(
        "lifecycle graph",
        "lifecycle graph --format svg -o lifecycle.svg",
        "lifecycle graph --full",
        "lifecycle graph --contract withings --format svg -o withings.svg",
    ),
)
def graph(
    form: Annotated[Form, typer.Option("--format", help="What to draw it as.")] = Form.MERMAID,
    full: Annotated[
        bool, typer.Option("--full", help="mermaid: every edge, not the essential ones alone.")
    ] = False,
    contract: Annotated[
        str | None,
        typer.Option(
            help="Draw it in the words of a contract: withings. What is published of it and what "
            "is inferred are told apart.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: stdout.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the lifecycle, or a contract's words, as Mermaid text or as an SVG picture.

    The picture has all edges in a table below it.
    """
    if full and form is Form.SVG:
        raise InvalidInput(field="--full", expected="--format mermaid: the SVG has every edge")
    drawn = OURS if contract is None else _diagram_of(contract)
    text = drawn.mermaid(full) if form is Form.MERMAID else drawn.svg()
    if output is not None:
        write_file(output, text)
        hint(f"Wrote {output}.")
    if as_json:
        content = {"output": str(output)} if output else {"content": text}
        answer({"format": form, **({"contract": contract} if contract else {}), **content})
    elif output is None:
        write_raw(text.encode())


def _diagram_of(contract: str) -> Diagram:
    """The drawing of a contract's words. Raises InvalidInput."""
    drawn = {name: room.diagram for name, room in ROOMS.items() if room.diagram is not None}
    found = drawn.get(contract)
    if found is None:
        raise InvalidInput(field="--contract", expected=f"one of {', '.join(drawn)}")
    return found
