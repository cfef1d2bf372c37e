"""`milepost conformance`: whether an integrator's own receiver keeps the rules."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from milepost.cli.exits import ExitCode
from milepost.cli.listen import Contract
from milepost.cli.options import Json
from milepost.cli.output import answer, plain, say, stdout, table
from milepost.cli.rehearsal_options import (
    Basic,
    ContractName,
    EndpointOption,
    PrivateNetworks,
    Secret,
    SignatureSecret,
    Timeout,
    endpoint_of,
    guard_of,
)
from milepost.cli.simulate import progress
from milepost.delivery.model import Endpoint
from milepost.errors import InvalidInput
from milepost.net.guard import Guard, check_url
from milepost.net.sender import Sender
from milepost.rehearsal.conformance.desk import Desk, Given
from milepost.rehearsal.conformance.rules import RULES, examine, rules_of
from milepost.rehearsal.conformance.shape import Finding, Level, Verdict

_SHOWN: Mapping[Verdict, Text] = MappingProxyType(
    {
        Verdict.PASS: Text("PASS", style="green"),
        Verdict.FAIL: Text("FAIL", style="bold red"),
        Verdict.NOT_CHECKED: Text("NOT CHECKED", style="yellow"),
    }
)


class Conformance(msgspec.Struct, frozen=True):
    """What came of the check, in the shape that `--json` prints; `good` decides how it ends."""

    url: str
    contract: str
    good: bool
    passed: int
    failed: int
    not_checked: int
    rules: tuple[Finding, ...]


def conformance(  # noqa: PLR0913, PLR0917 - options are named on the command line
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The receiver's own URL.")
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="List the rules, why they matter, and end.")
    ] = False,
    contract: ContractName = Contract.STANDARD,
    secret: Secret = None,
    basic: Basic = None,
    signature_secret: SignatureSecret = None,
    option: EndpointOption = None,
    state_url: Annotated[
        str | None,
        typer.Option(
            help="Answers an order's state as JSON; {order_key} and {order_id} are filled in.",
            show_default=False,
        ),
    ] = None,
    state_field: Annotated[str, typer.Option(help="Where in that answer the state is.")] = "state",
    settle_s: Annotated[
        float,
        typer.Option(
            "--settle", min=0, max=60, help="Seconds that it may work on after its answer."
        ),
    ] = 0.5,
    within_ms: Annotated[
        float, typer.Option("--within-ms", min=1, help="What p95 of the answers must be within.")
    ] = 1_000.0,
    parallel: Annotated[
        int, typer.Option(min=1, max=100, help="How many requests at a time for that.")
    ] = 10,
    strict: Annotated[
        bool, typer.Option("--strict", help="What a receiver should do counts as what it must.")
    ] = False,
    timeout_s: Timeout = None,
    allow_private_networks: PrivateNetworks = False,
    as_json: Json = False,
) -> None:
    """Check a receiver rule by rule: proofs, repeats, order, unknown words, time.

    It sends orders that never were, with keys that begin with TEST-: have it run where that does
    no harm. Ends with 1 when the receiver breaks a rule that it must keep.
    """
    if list_them:
        _list(as_json=as_json)
        return
    if url is None:
        raise InvalidInput(field="URL", expected="the receiver's URL, or --list")
    guard = guard_of(private_networks=allow_private_networks)
    check_url(url, guard=guard)
    if state_url is not None:
        check_url(state_url.replace("{order_key}", "x").replace("{order_id}", "x"), guard=guard)
    seed = secrets.randbelow(10**9)
    endpoint = endpoint_of(
        url,
        contract=contract,
        seed=seed,
        start=datetime.now(UTC),
        secret=secret,
        basic=basic,
        signature_secret=signature_secret,
        option=option,
        timeout_s=timeout_s,
    )
    given = Given(
        secret=secret is not None,
        basic=basic is not None,
        signature_secret=signature_secret is not None,
        state_url=state_url,
        state_field=state_field,
        settle_s=settle_s,
        within_ms=within_ms,
        parallel=parallel,
    )
    findings = asyncio.run(_examine(endpoint, given=given, guard=guard, seed=seed))
    counting = (Level.MUST, Level.SHOULD) if strict else (Level.MUST,)
    broken = [one for one in findings if one.verdict is Verdict.FAIL]
    counted = Counter(one.verdict for one in findings)
    found = Conformance(
        url=url,
        contract=contract.value,
        good=not any(one.level in counting for one in broken),
        passed=counted[Verdict.PASS],
        failed=counted[Verdict.FAIL],
        not_checked=counted[Verdict.NOT_CHECKED],
        rules=tuple(findings),
    )
    if as_json:
        answer(found)
    else:
        _show(found, broken)
    if not found.good:
        raise typer.Exit(ExitCode.REFUSED)


async def _examine(endpoint: Endpoint, *, given: Given, guard: Guard, seed: int) -> list[Finding]:
    wire = Sender(guard=guard)
    try:
        desk = Desk(endpoint, ask=wire.send, given=given, seed=seed)
        with progress("Rules", total=len(rules_of(endpoint.contract))) as advance:
            return await examine(desk, found=lambda _finding: advance())
    finally:
        await wire.close()


def _list(*, as_json: bool) -> None:
    if as_json:
        shown = [
            {
                "rule": rule.name,
                "title": rule.title,
                "level": rule.level,
                "contracts": sorted(rule.contracts) if rule.contracts else None,
                "why": rule.why,
                "mend": rule.mend,
            }
            for rule in RULES
        ]
        answer({"rules": shown})
        return
    table(
        "Rules",
        ("rule", "what is asked", "level", "of", "why"),
        [
            (rule.name, rule.title, rule.level, sorted(rule.contracts or ("all",)), rule.why)
            for rule in RULES
        ],
    )


def _show(found: Conformance, broken: Sequence[Finding]) -> None:
    table(
        f"{found.url} ({found.contract})",
        ("verdict", "rule", "what is asked", "what was seen"),
        [(_SHOWN[one.verdict], one.rule, one.title, one.saw) for one in found.rules],
    )
    for one in broken:
        must = "" if one.level is Level.MUST else " (it should)"
        line = Text(f"{one.rule}{must}: ", style="bold red")
        line.append(plain(f"{one.why} {one.mend}"), style="")
        stdout().print(line, soft_wrap=True)
    say(f"{found.passed} passed, {found.failed} failed, {found.not_checked} not checked.")
    if found.good:
        say("The receiver keeps every rule that was checked.", style="bold green")
    else:
        say("The receiver breaks a rule that it must keep.", style="bold red")
