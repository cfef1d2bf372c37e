"""`milepost simulate --through-hub`: orders and updates told to a running hub by its interface."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer

from milepost.api.bodies import UpdateBody
from milepost.cli.client import Client, RequestRefused
from milepost.cli.exits import ExitCode
from milepost.cli.output import answer, hint, say, table
from milepost.cli.simulate import progress
from milepost.errors import InvalidInput
from milepost.orders.events import Update
from milepost.orders.model import Order
from milepost.rehearsal.chaos import Planned, read_chaos
from milepost.rehearsal.lives import Life
from milepost.rehearsal.player import Pace
from milepost.rehearsal.tellings import OF_UPDATES, Telling, planned_tellings

LOOKS_EVERY_S = 0.1
_TOLD = frozenset(UpdateBody.__struct_fields__)
"""What the interface takes of an update; whether it is trusted, the hub knows by the key."""


class OrderSeen(msgspec.Struct, frozen=True):
    """An order in the hub: what was decided of what it was told, and how it stands in the end.

    `deliveries` are counted by their state. `good` where it ended as it truly did, or something
    of it was never told, and nothing of it waits or was given up.
    """

    order_key: str
    order_id: str | None
    state: str | None
    truth: str
    lost: int
    verdicts: dict[str, int]
    deliveries: dict[str, int]
    good: bool


class HubReport(msgspec.Struct, frozen=True):
    """What came of telling a hub, in the shape that `--json` prints."""

    scenario: str
    seed: int
    good: bool
    told: int
    lost: int
    verdicts: dict[str, int]
    deliveries: dict[str, int]
    orders: tuple[OrderSeen, ...]


def through(
    lived: Sequence[Life],
    *,
    hub: str,
    api_key: str | None,
    store: str,
    chaos: str,
    seed: int,
    scenario: str,
    pace: Pace,
    wait_s: float,
    as_json: bool,
) -> None:
    """Tells the hub all of it, waits for the deliveries, and reports; ends with 1 if not good."""
    if api_key is None:
        raise InvalidInput(field="--api-key", expected="an API key of the account in the hub")
    wanted = read_chaos(chaos, allowed=OF_UPDATES)
    planned = planned_tellings(lived, chaos=wanted, seed=seed)
    if not as_json:
        hint(f"Seed {seed}: --seed {seed} tells the same again.")
    with Client(hub, api_key=api_key) as client:
        verdicts = _tell(planned, client=client, store=store, pace=pace)
        found = _report(
            lived,
            planned,
            verdicts,
            client=client,
            scenario=scenario,
            seed=seed,
            until=time.monotonic() + wait_s,
        )
    if as_json:
        answer(found)
    else:
        _show(found)
    if not found.good:
        raise typer.Exit(ExitCode.REFUSED)


class Verdicts:
    """What the hub decided, by order, and the ids that it gave."""

    def __init__(self) -> None:
        self.by_order: dict[str, Counter[str]] = {}
        self.ids: dict[str, str] = {}

    def note(self, order_key: str, *, verdict: str, order_id: str | None) -> None:
        self.by_order.setdefault(order_key, Counter())[verdict] += 1
        if order_id is not None:
            self.ids[order_key] = order_id


def _tell(
    planned: Sequence[Planned[Telling]], *, client: Client, store: str, pace: Pace
) -> Verdicts:
    verdicts = Verdicts()
    began = time.monotonic()
    with progress("Told", total=len(planned)) as advance:
        for one in planned:
            if pace.speed is not None:
                due = began + (one.at - planned[0].at).total_seconds() / pace.speed
                time.sleep(max(due - time.monotonic(), 0))
            if not one.lost:
                _tell_one(one.item, client=client, store=store, verdicts=verdicts)
            advance()
    return verdicts


def _tell_one(telling: Telling, *, client: Client, store: str, verdicts: Verdicts) -> None:
    happening = telling.happening
    order = happening.after
    if happening.update is None:
        told = client.post("/v1/orders", _order_body(order, store=store, at=happening.at))
        verdicts.note(order.order_key, verdict=told["outcome"], order_id=told["order_id"])
        return
    try:
        body = _update_body(happening.update, order_key=order.order_key, store=store)
        told = client.post("/v1/updates", body)
    except RequestRefused as refusal:
        if refusal.problem.get("allowed") is None:
            raise
        told = {"verdict": "illegal", "order_id": None}
    verdicts.note(order.order_key, verdict=told["verdict"], order_id=told["order_id"])


def _order_body(order: Order, *, store: str, at: datetime) -> Mapping[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(order.content))
    return {
        **content,
        "store": store,
        "order_key": order.order_key,
        "source": "shop",
        "occurred_at": at.isoformat(),
    }


def _update_body(update: Update, *, order_key: str, store: str) -> Mapping[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(update))
    said = {k: v for k, v in told.items() if v not in (None, False) and k in _TOLD}
    return {**said, "store": store, "order_key": order_key}


def _report(
    lived: Sequence[Life],
    planned: Sequence[Planned[Telling]],
    verdicts: Verdicts,
    *,
    client: Client,
    scenario: str,
    seed: int,
    until: float,
) -> HubReport:
    arrived = {one.item.name for one in planned if not one.lost}
    lost = Counter(one.item.lane for one in planned if one.item.name not in arrived)
    orders = tuple(
        _seen(life.order, verdicts=verdicts, lost=lost, client=client, until=until)
        for life in lived
    )
    return HubReport(
        scenario=scenario,
        seed=seed,
        good=all(order.good for order in orders),
        told=sum(not one.lost for one in planned),
        lost=lost.total(),
        verdicts=_summed(order.verdicts for order in orders),
        deliveries=_summed(order.deliveries for order in orders),
        orders=orders,
    )


def _seen(
    truth: Order, *, verdicts: Verdicts, lost: Counter[str], client: Client, until: float
) -> OrderSeen:
    key = truth.order_key
    order_id = verdicts.ids.get(key)
    state = None if order_id is None else client.get(f"/v1/orders/{order_id}")["state"]
    deliveries = _settled(order_id, client=client, until=until)
    as_it_was = state == truth.state.value or lost[key] > 0
    owed = deliveries.get("pending", 0) + deliveries.get("abandoned", 0)
    return OrderSeen(
        order_key=key,
        order_id=order_id,
        state=state,
        truth=truth.state.value,
        lost=lost[key],
        verdicts=dict(verdicts.by_order.get(key, {})),
        deliveries=deliveries,
        good=as_it_was and not owed,
    )


def _settled(order_id: str | None, *, client: Client, until: float) -> dict[str, int]:
    """The order's deliveries by state, once none of them is pending or the time is over."""
    if order_id is None:
        return {}
    while True:
        found = client.every(f"/v1/deliveries?order={order_id}&limit=200", name="deliveries")
        counted = Counter(str(delivery["state"]) for delivery in found)
        if not counted["pending"] or time.monotonic() > until:
            return {state: number for state, number in counted.items() if number}
        time.sleep(LOOKS_EVERY_S)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items())


def _show(found: HubReport) -> None:
    table(
        "Orders",
        ("order", "in the hub", "in truth", "told", "never told>", "deliveries"),
        [
            (
                order.order_key,
                order.state,
                order.truth,
                _in_words(order.verdicts),
                order.lost or None,
                _in_words(order.deliveries),
            )
            for order in found.orders
        ],
    )
    say(
        f"{found.told} told, {found.lost} never told: {_in_words(found.verdicts)}. "
        f"Deliveries: {_in_words(found.deliveries) or 'none'}."
    )
    if found.good:
        say("Every order is in the hub as it was, and all of it is delivered.", style="bold green")
    else:
        say("Not as it was, or not all of it is delivered.", style="bold red")
