"""docs/contracts/withings.md: every call on the page runs, in order, and the tables are whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from milepost.contracts import ROOMS
from milepost.contracts.withings import extensions, requests
from milepost.contracts.withings.extensions import AddressTaken
from milepost.contracts.withings.numbers import MEANINGS, Number
from milepost.contracts.withings.signing import NONCE_S, signature
from milepost.contracts.withings.testmode import SEQUENCES
from milepost.emulators.withings.door import ACTIONS, PATHS
from milepost.provider.dropshipment import CHANGEABLE
from milepost.settings import Settings
from tests.doors.desk import Desk

PAGE = (Path(__file__).resolve().parents[2] / "docs/contracts/withings.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
CLIENT_ID, CLIENT_SECRET = "test_client_id", "test_client_secret"
FORM = "application/x-www-form-urlencoded"
ANY = "…"


class Shell:
    """Does what a shell would with the few forms that the page uses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.variables = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "MILEPOST": ""}

    def run(self, script: str) -> dict[str, Any]:
        """What the script's one call is answered."""
        *before, call = re.sub(r"\\\n\s*", "", script).strip().split("\n", script.count("NONCE=$("))
        if before:
            assert before == ["NONCE=$(nonce)"]
            self.variables["NONCE"] = self._nonce()
        words = [self._filled(word) for word in shlex.split(self._signed(call))]
        assert words.pop(0) == "curl"
        return self._curl(words)

    def _nonce(self) -> str:
        signed = self._sign(f"getnonce,{CLIENT_ID},1700000000")
        told = {"action": "getnonce", "client_id": CLIENT_ID, "timestamp": "1700000000"}
        answer = self._send("/v2/signature", urlencode(told | {"signature": signed}), query=False)
        nonce: str = answer["body"]["nonce"]
        return nonce

    def _sign(self, text: str) -> str:
        return signature(CLIENT_SECRET, self._filled(text))

    def _signed(self, call: str) -> str:
        return re.sub(r'"\$\(sign "([^"]+)"\)"', lambda found: self._sign(found[1]), call)

    def _filled(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], text)

    def _curl(self, words: list[str]) -> dict[str, Any]:
        parts: list[str] = []
        query, target = False, ""
        while words:
            word = words.pop(0)
            if word == "-G":
                query = True
            elif word == "-d":
                parts.append(words.pop(0))
            elif word == "--data-urlencode":
                name, _, value = words.pop(0).partition("=")
                parts.append(urlencode({name: value}))
            else:
                target = word
        return self._send(target, "&".join(parts), query=query)

    def _send(self, path: str, told: str, *, query: bool) -> dict[str, Any]:
        if query:
            answer = self._desk.get(f"{path}?{told}")
        else:
            headers = {"content-type": FORM}
            answer = self._desk.post(path, raw=told.encode(), headers=headers)
        assert answer.status == 200
        found: dict[str, Any] = answer.json
        return found


def assert_shown(shown: Any, got: Any) -> None:
    """The page may leave fields out, and write … for what is different each time."""
    if shown == ANY:
        assert got
    elif isinstance(shown, dict):
        for name, value in shown.items():
            assert_shown(value, got[name])
    elif isinstance(shown, list):
        assert len(shown) == len(got)
        for one, other in zip(shown, got, strict=True):
            assert_shown(one, other)
    else:
        assert shown == got


def test_every_call_on_the_page_answers_what_the_page_shows(desk: Desk) -> None:
    fences = re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)
    assert len(EXAMPLES) == fences.count("sh") == fences.count("json") >= 8
    told = {
        "name": "shop",
        "billing_id": "12345",
        "client_id": CLIENT_ID,
        "secret": CLIENT_SECRET,
        "notify_uri": "https://example.com/notifications",
    }
    assert desk.post("/v1/clients", told).status == 201
    shell = Shell(desk)
    for script, shown in EXAMPLES:
        answer = shell.run(script)
        assert_shown(msgspec.json.decode(shown), answer)
        body = answer["body"]
        assert set(body) <= set(msgspec.json.decode(shown)["body"]) | {"dropshipmentorderid"}
        if body.get("orders"):
            shell.variables["ORDER"] = body["orders"][-1].get("order_id", "")


# the tables


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables under a heading."""
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    lines = re.findall(r"^\| (.+) \|$", found[1], re.MULTILINE)
    return [line.split(" | ") for line in lines if not set(line) <= {"-", "|", " "}]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_urls_and_their_actions_are_those_of_the_doors() -> None:
    listed = {
        names(url)[0]: set(names(acts)) for url, acts in rows("For an existing integration")[1:]
    }
    assert listed == {PATHS[0]: {"getnonce"}} | {p: set(ACTIONS[p]) for p in PATHS[1:]}


def test_every_number_is_on_the_page_with_what_it_means() -> None:
    listed = {int(names(row[0])[0]): row[2] for row in rows("Numbers")[1:]}
    assert set(listed) == {number.value for number in Number}
    for number, meaning in MEANINGS.items():
        assert re.fullmatch(re.escape(meaning) + r" \((ours|published)\)|done", listed[number])


def test_every_status_is_on_the_page_with_who_causes_it() -> None:
    causes = rows("An order's life")[1:]
    assert [n for row in causes for n in names(row[0])] == list(ROOMS["withings"].statuses)
    assert all(row[1] and row[2] for row in causes)


def test_every_field_of_an_order_and_of_a_person_is_on_the_page() -> None:
    listed = {name for row in rows("The order") for name in names(row[0])}
    for shape in (requests.OrderAsked, requests.AddressAsked, requests.ProductAsked):
        assert set(shape.__struct_fields__) <= listed
    person = {name for row in rows("createuserorder") for name in names(row[0])}
    json_fields = {"measures", "unit_pref", "goals"}
    assert person == {*requests._PERSON, *requests._PERSON_IF_GIVEN, *json_fields}


@pytest.mark.parametrize(
    "shape",
    [
        extensions.OrderExtensions,
        extensions.LineExtensions,
        extensions.ParcelExtensions,
        extensions.Device,
    ],
)
def test_every_extension_is_on_the_page(shape: type[msgspec.Struct]) -> None:
    said = " ".join(cell for row in rows("What only Withings can say") for cell in row)
    assert set(shape.__struct_fields__) <= set(names(said))


def test_every_test_mode_is_on_the_page_with_its_sequence() -> None:
    listed = {int(mode): told.split(", ") for mode, told in rows("Test mode")[1:]}
    assert listed == {mode: [step.word for step in steps] for mode, steps in SEQUENCES.items()}


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    settings = Settings()
    assert f"{settings.client_calls_per_minute} calls a minute" in PAGE
    assert f"`MILEPOST_TEST_STEP_S`, {settings.test_step_s:g} seconds" in PAGE
    assert f"`MILEPOST_ADDRESS_CHECKER_S` seconds ({settings.address_checker_s:g})" in PAGE
    assert f"good for {NONCE_S // 60} minutes" in PAGE
    assert f"an array of 1 to {requests.MOST_ORDERS}" in PAGE
    assert f"up to {requests.MOST_NAMED} (ours)" in PAGE
    assert f"1 to {requests.MOST_PRODUCTS} (ours)" in PAGE
    assert all(f"`{how}`" in PAGE for how in AddressTaken)


def test_where_an_order_can_be_changed_is_told_in_the_providers_words() -> None:
    (sentence,) = re.findall(
        r"until the warehouse has it: in (.*?), and no longer", PAGE, re.DOTALL
    )
    words = re.split(r",\s+|\s+and\s+", sentence)
    shown = {ROOMS["withings"].words(_order_in(state))["status"] for state in CHANGEABLE}
    assert set(words) == shown


def _order_in(state: Any) -> Any:
    from tests.contracts import orders

    return orders.order(state)
