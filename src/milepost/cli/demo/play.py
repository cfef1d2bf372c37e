"""Plays the scenarios against a hub over HTTP, as a shop, a warehouse and a carrier would."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

import msgspec

from milepost.cli.client import Client, RequestRefused
from milepost.cli.demo.scenarios import (
    SHIPMONK_SHOP,
    WITHINGS_SHOP,
    Scenario,
    Step,
)
from milepost.cli.demo.stage import CONTRACTS, Secrets

SCHEDULE = "rehearsal"
BEGAN_BEFORE = timedelta(days=5)
"""How long ago the orders were made: longer than the longest life that is played."""

CUSTOMER_ID = "demo-4711"


class Played(msgspec.Struct):
    """What the hub accepted, and where it decided otherwise than the scenario says."""

    endpoints: dict[str, str] = {}
    orders: dict[str, str] = {}
    updates: int = 0
    surprises: list[str] = []


class Player:
    """One shop's and its partners' hands on the hub; what they were told is in `played`."""

    def __init__(self, client: Client, *, now: datetime) -> None:
        self._client = client
        self._began = now - BEGAN_BEFORE
        self.played = Played()

    def open_endpoints(self, receivers: dict[str, str], *, secrets: Secrets) -> None:
        """Opens the shops, and an endpoint for each receiver; the neutral one hears of all."""
        for number, shop in enumerate((WITHINGS_SHOP, SHIPMONK_SHOP), start=11):
            title = shop.replace("-", " ").capitalize()
            self._client.put(f"/v1/stores/{shop}", {"name": title, "number": number})
        about: dict[str, dict[str, Any]] = {
            "withings": {"stores": [WITHINGS_SHOP], "options": {"customer_id": CUSTOMER_ID}},
            "shipmonk": {
                "stores": [SHIPMONK_SHOP],
                "credentials": {
                    "username": secrets.username,
                    "password": secrets.password,
                    "signature_secret": secrets.shipmonk_signature,
                },
            },
            "standard": {},
        }
        for contract in CONTRACTS:
            wanted = {
                "contract": contract,
                "url": receivers[contract],
                "secret": secrets.signing[contract],
                "schedule": SCHEDULE,
                "description": "demonstration",
                **about[contract],
            }
            made = self._client.post("/v1/endpoints", wanted)
            self.played.endpoints[contract] = made["endpoint"]["endpoint_id"]

    def play(self, scenarios: Sequence[Scenario]) -> None:
        """Makes the orders, then takes each one step further in turn, as a busy day would."""
        for scenario in scenarios:
            self._order(scenario)
        for turn in zip_longest(*(scenario.steps for scenario in scenarios)):
            for scenario, step in zip(scenarios, turn, strict=True):
                if step is not None:
                    self._update(scenario, step)

    def _order(self, scenario: Scenario) -> None:
        made = self._client.post("/v1/orders", content_of(scenario, ordered_at=self._began))
        self.played.orders[scenario.key] = made["order_id"]

    def _update(self, scenario: Scenario, step: Step) -> None:
        at = self._began + timedelta(hours=step.hours)
        body = {
            "store": scenario.shop,
            "order_key": scenario.key,
            "state": step.state,
            "source": step.source,
            "occurred_at": at.isoformat(),
            **step.facts,
        }
        verdict = self._verdict(body)
        if verdict == "applied":
            self.played.updates += 1
        if verdict != step.verdict:
            self.played.surprises.append(
                f"{scenario.key} to {step.state}: {verdict} instead of {step.verdict}"
            )

    def _verdict(self, body: dict[str, Any]) -> str:
        try:
            return str(self._client.post("/v1/updates", body)["verdict"])
        except RequestRefused as refusal:
            if refusal.problem.get("allowed") is None:
                raise
            return "illegal"


def content_of(scenario: Scenario, *, ordered_at: datetime) -> dict[str, Any]:
    """The order as its shop tells it."""
    content: dict[str, Any] = {
        "store": scenario.shop,
        "order_key": scenario.key,
        "order_number": f"#{scenario.key}",
        "source": "shop",
        "occurred_at": ordered_at.isoformat(),
        "ordered_at": ordered_at.isoformat(),
        "currency": "EUR",
        "customer_email": "ada@example.com",
        "ship_to": {
            "name": "Ada Example",
            "street1": "1 Sample Street",
            "city": "Utrecht",
            "zip": "3511 AA",
            "country_code": "NL",
        },
        "lines": [{"sku": "SCALE-1", "quantity": 1, "name": "Scale", "price": "99.95"}],
        "shipping_paid": "4.95",
        "tax_paid": "18.20",
        "requested_shipping_service": "standard",
    }
    if scenario.replaces is not None:
        content["replacement_for"] = scenario.replaces
    return content


def wait_until(true: Callable[[], bool], *, within_s: float) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
