"""Compares what the hub says it queued with what the receivers say they got; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from milepost.cli.demo.scenarios import SHIPMONK_SHOP, WITHINGS_SHOP, Scenario
from milepost.cli.landing import Landing

SHOP_OF: Mapping[str, str | None] = {
    "withings": WITHINGS_SHOP,
    "shipmonk": SHIPMONK_SHOP,
    "standard": None,
}
"""Whose orders a contract's endpoint hears of; None: everybody's."""


class Findings(msgspec.Struct):
    """What came of the demonstration; `problems` says each thing that is not as it must be."""

    delivered: dict[str, int] = {}
    attempts: int = 0
    unverified: int = 0
    out_of_order: int = 0
    lost: int = 0
    problems: list[str] = []

    @property
    def good(self) -> bool:
        """Whether everything accepted was delivered, verified and in order."""
        return not self.problems


def expected_words(scenario: Scenario, *, contract: str) -> tuple[str, ...]:
    """What an endpoint in this contract must be told of this order, in this order."""
    shop = SHOP_OF[contract]
    if shop is None:
        return scenario.states()
    return scenario.words() if scenario.shop == shop else ()


def examine(
    scenarios: Sequence[Scenario],
    *,
    orders: Mapping[str, str],
    endpoints: Mapping[str, str],
    deliveries: Sequence[Mapping[str, Any]],
    landings: Sequence[Landing],
    failures: int,
) -> Findings:
    """What is to be said of a run.

    `orders` are the order ids by key, `endpoints` the endpoint ids by contract, `deliveries` what
    the hub has on record, `landings` what the receivers reported in the order it landed.
    """
    found = Findings(delivered=dict.fromkeys(endpoints, 0))
    contract_of = {endpoint_id: contract for contract, endpoint_id in endpoints.items()}
    queued: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda d: int(d["sequence"])):
        queued[contract_of[delivery["endpoint_id"]], delivery["order_id"]].append(delivery)
    landed: dict[tuple[str, str], list[Landing]] = defaultdict(list)
    for landing in landings:
        landed[landing.contract, landing.order_id or ""].append(landing)
    _check_proofs(found, landings, failures=failures)
    _check_attempts(found, deliveries, landings)
    for scenario in scenarios:
        order_id = orders[scenario.key]
        for contract in endpoints:
            lane = contract, order_id
            _check_lane(
                found,
                where=f"{contract} {scenario.key}",
                words=expected_words(scenario, contract=contract),
                replaces=None if contract == "shipmonk" else scenario.replaces,
                queued=queued.pop(lane, []),
                landed=landed.pop(lane, []),
            )
    _check_strangers(found, queued, landed)
    for contract in endpoints:
        got = {x.delivery_id for x in landings if x.contract == contract and x.accepted}
        found.delivered[contract] = len(got)
    return found


def _check_proofs(found: Findings, landings: Sequence[Landing], *, failures: int) -> None:
    for landing in landings:
        if not landing.verified:
            found.unverified += 1
            found.problems.append(f"{landing.contract}: not verified: {landing.problem}")
    failed = [x for x in landings if x.verified and not x.accepted]
    if len(failed) != failures:
        found.problems.append(f"{len(failed)} failures on purpose instead of {failures}")
    if len({x.delivery_id for x in failed}) > 1:
        found.problems.append("the failures on purpose met more than one notification")


def _check_attempts(
    found: Findings, deliveries: Sequence[Mapping[str, Any]], landings: Sequence[Landing]
) -> None:
    found.attempts = sum(int(delivery["attempts"]) for delivery in deliveries)
    if found.attempts != len(landings):
        found.problems.append(
            f"the hub has {found.attempts} attempts on record, the receivers saw {len(landings)}"
        )
    seen = Counter(landing.delivery_id for landing in landings)
    for delivery in deliveries:
        if seen[delivery["delivery_id"]] != delivery["attempts"]:
            found.problems.append(
                f"{delivery['delivery_id']}: {delivery['attempts']} attempts on record, "
                f"{seen[delivery['delivery_id']]} seen"
            )


def _check_lane(
    found: Findings,
    *,
    where: str,
    words: Sequence[str],
    replaces: str | None,
    queued: Sequence[Mapping[str, Any]],
    landed: Sequence[Landing],
) -> None:
    """One order at one endpoint: all of it arrived, once, one after the other, in its words."""
    accepted = [x for x in landed if x.accepted]
    for delivery in queued:
        arrived = any(x.delivery_id == delivery["delivery_id"] for x in accepted)
        if not arrived or delivery["state"] != "acknowledged":
            found.lost += 1
            found.problems.append(
                f"{where}: {delivery['status']} (#{delivery['sequence']}) is {delivery['state']}"
                f" and {'arrived' if arrived else 'did not arrive'}"
            )
    missing = Counter(words) - Counter(str(delivery["status"]) for delivery in queued)
    for word, count in missing.items():
        found.lost += count
        found.problems.append(f"{where}: {word} was never queued")
    before = 0
    for landing in accepted:
        if landing.arrival != "in_order" or landing.previous != before or landing.duplicate:
            found.out_of_order += 1
            found.problems.append(
                f"{where}: #{landing.sequence} came after #{before}: {landing.arrival}"
            )
        before = landing.sequence or 0
    arrived_words = tuple(str(x.status) for x in accepted)
    if arrived_words != tuple(words):
        found.out_of_order += Counter(arrived_words) == Counter(words)
        found.problems.append(f"{where}: told {arrived_words} instead of {tuple(words)}")
    if any(landing.replaces != replaces for landing in accepted):
        found.problems.append(f"{where}: not told as a replacement of {replaces}")
    _check_tries(found, where=where, landed=landed)


def _check_tries(found: Findings, *, where: str, landed: Sequence[Landing]) -> None:
    """Attempts are numbered from one, and nothing of the lane passes a delivery that is retried."""
    tries: dict[str | None, list[int | None]] = defaultdict(list)
    for landing in landed:
        tries[landing.delivery_id].append(landing.attempt)
    for delivery_id, attempts in tries.items():
        if attempts != list(range(1, len(attempts) + 1)):
            found.problems.append(f"{where}: {delivery_id} came as attempts {attempts}")
    runs = [name for name, _ in groupby(landing.delivery_id for landing in landed)]
    if len(runs) != len(tries):
        found.out_of_order += 1
        found.problems.append(f"{where}: a notification passed another one that was retried")


def _check_strangers(
    found: Findings,
    queued: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    landed: Mapping[tuple[str, str], Sequence[Landing]],
) -> None:
    for (contract, order_id), what in (*queued.items(), *landed.items()):
        # What did not verify names no order; it has been counted already.
        if order_id:
            found.problems.append(f"{contract}: {len(what)} notifications of a stranger {order_id}")
