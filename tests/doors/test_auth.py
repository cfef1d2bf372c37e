"""Keys open their own account and nothing else; revoked ones open nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from milepost.api.app import ROUTES
from milepost.auth import Authenticator
from milepost.errors import InvalidInput, Unauthorized, UnknownRecord
from milepost.lookups import MOST_REMEMBERED, MOST_UNKNOWN_PER_S, REMEMBERED_S
from tests.doors.desk import Desk


def forged(key: str) -> str:
    """The key with another last character."""
    return key[:-1] + ("A" if key[-1] != "A" else "B")


def test_a_key_looks_as_documented_and_only_its_digest_is_kept(desk: Desk, tmp_path: Path) -> None:
    prefix, account, secret = desk.key.split("_", 2)
    assert prefix == "mp"
    assert f"acc_{account}" == desk.account_id
    assert len(secret) == 43
    desk.get("/v1/stores")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in kept


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer mp_",
        "Bearer KEY extra",
        "Bearer FORGED",
        "Basic KEY",
        "KEY",
        "Bearer KEY\u00ff",
        "Bearer " + "x" * 10_000,
        "Bearer mp_" + "0" * 26 + "_" + "x" * 43,
    ],
)
def test_anything_but_a_known_key_is_refused(desk: Desk, authorization: str | None) -> None:
    text = (authorization or "").replace("KEY", desk.key).replace("FORGED", forged(desk.key))
    headers = {"authorization": text} if authorization is not None else {"authorization": ""}
    answer = desk.get("/v1/orders", headers=headers)
    assert answer.status == 401
    assert answer.json["type"] == "urn:milepost:problem:unauthorized"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_flood_of_unknown_keys_is_kept_from_the_database_and_hurts_no_known_one(
    desk: Desk,
) -> None:
    assert desk.get("/v1/stores").status == 200
    wrong = forged(desk.key)
    statuses = [desk.get("/v1/stores", key=wrong).status for _ in range(MOST_UNKNOWN_PER_S + 1)]
    assert statuses == [401] * MOST_UNKNOWN_PER_S + [429]
    refused = desk.get("/v1/stores", key=wrong)
    assert refused.headers["retry-after"] == "1"
    # A key that was let in before is let in, whether it is remembered or looked up again.
    desk.clock.forward(seconds=REMEMBERED_S)
    for _ in range(MOST_UNKNOWN_PER_S):
        desk.get("/v1/stores", key=wrong)
    assert desk.get("/v1/stores", key=wrong).status == 429
    assert desk.get("/v1/stores").status == 200
    desk.clock.forward(seconds=1)
    assert desk.get("/v1/stores", key=wrong).status == 401


def test_the_scheme_may_be_written_in_any_case(desk: Desk) -> None:
    assert desk.get("/v1/orders", headers={"authorization": f"bearer {desk.key}"}).status == 200


def test_a_key_of_one_account_with_the_name_of_another_is_refused(desk: Desk) -> None:
    other = desk.another()
    mixed = f"mp_{other.account_id.removeprefix('acc_')}_{desk.key.split('_', 2)[2]}"
    assert desk.get("/v1/orders", key=mixed).status == 401


def test_a_revoked_key_is_refused_within_five_seconds(desk: Desk) -> None:
    assert desk.get("/v1/orders").status == 200
    (key,) = desk.run(desk.hub.operations.keys(desk.account_id))
    desk.run(desk.hub.operations.revoke_key(desk.account_id, key.key_id))
    desk.clock.forward(seconds=REMEMBERED_S)
    assert REMEMBERED_S < 5
    assert desk.get("/v1/orders").status == 401
    assert desk.get("/v1/orders").status == 401


def test_an_account_can_have_several_keys(desk: Desk) -> None:
    desk.clock.forward(seconds=1)
    second = desk.run(desk.hub.operations.add_key(desk.account_id, name="second"))
    assert desk.get("/v1/orders", key=second.text).status == 200
    assert second.text not in repr(second)
    names = [k.name for k in desk.run(desk.hub.operations.keys(desk.account_id))]
    assert names == ["test", "second"]


def test_what_is_remembered_is_bounded_and_holds_no_key(desk: Desk) -> None:
    auth = Authenticator(desk.hub.store, clock=desk.clock.seconds)

    async def knock() -> None:
        for _ in range(3):
            await auth.principal(f"Bearer {desk.key}".encode())
            with pytest.raises(Unauthorized):
                await auth.principal(f"Bearer {forged(desk.key)}".encode())

    desk.run(knock())
    remembered = auth._lookups._remembered
    assert len(remembered) == 1
    assert desk.key not in str(remembered)
    assert MOST_REMEMBERED < 100_000


def test_the_store_is_asked_once_while_a_key_is_remembered(desk: Desk) -> None:
    asked = []
    find = desk.hub.store.find_key

    class Counting:
        async def find_key(self, account_id: str, *, digest: str) -> object:
            asked.append(digest)
            await asyncio.sleep(0)
            return await find(account_id, digest=digest)

    auth = Authenticator(Counting(), clock=desk.clock.seconds)  # type: ignore[arg-type]
    for seconds in (0, 1, REMEMBERED_S):
        desk.clock.forward(seconds=seconds)
        desk.run(auth.principal(f"Bearer {desk.key}".encode()))
    assert len(asked) == 2


@pytest.mark.parametrize("route", [r for r in ROUTES if not r.public], ids=lambda r: r.name)
def test_no_route_answers_without_a_key(desk: Desk, route: Any) -> None:
    target = route.path.replace("{", "").replace("}", "")
    answer = desk.send(route.method, target, {}, key="")
    assert answer.status == 401
    assert desk.get("/v1/stores").json["stores"][0]["store"] == "berlin"


def test_keys_and_accounts_that_cannot_be_are_refused(desk: Desk) -> None:
    operations = desk.hub.operations
    for name in ("", "  ", "x" * 256):
        with pytest.raises(InvalidInput):
            desk.run(operations.add_account(name))
        with pytest.raises(InvalidInput):
            desk.run(operations.add_key(desk.account_id, name=name))
    for act in (
        operations.add_key("acc_nobody", name="key"),
        operations.keys("acc_nobody"),
        operations.revoke_key(desk.account_id, "key_nothing"),
        operations.revoke_key("acc_nobody", "key_nothing"),
    ):
        with pytest.raises(UnknownRecord):
            desk.run(act)


def test_a_key_cannot_be_revoked_by_another_account(desk: Desk) -> None:
    (key,) = desk.run(desk.hub.operations.keys(desk.account_id))
    with pytest.raises(UnknownRecord):
        desk.run(desk.hub.operations.revoke_key(desk.another().account_id, key.key_id))
    desk.clock.forward(seconds=60)
    assert desk.get("/v1/orders").status == 200


@pytest.mark.parametrize("target", ["/livez", "/readyz", "/openapi.json"])
def test_health_and_the_document_need_no_key(desk: Desk, target: str) -> None:
    assert desk.get(target, headers={"authorization": "nonsense"}).status == 200
