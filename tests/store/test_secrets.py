"""Endpoints' secrets on record: sealed, never lost to a race, and sealed anew with another key."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from milepost.delivery.model import Endpoint, EndpointState, RetiringSecret
from milepost.errors import UnknownRecord
from milepost.ports.secrets import SECRETS_LOST
from tests.store.desk import ACCOUNT, NOW, Desk, at

SECRET = "whsec_" + base64.b64encode(b"a secret that must not be seen..").decode()


def change(desk: Desk, endpoint: Endpoint, **given: Any) -> Endpoint:
    def changed(known: Endpoint) -> Endpoint:
        return msgspec.structs.replace(known, **given)

    found: Endpoint = desk.run(
        desk.store.change_endpoint(ACCOUNT, endpoint.endpoint_id, change=changed)
    )
    return found


def read(desk: Desk, endpoint: Endpoint) -> Endpoint:
    found: Endpoint = desk.run(desk.store.endpoint(ACCOUNT, endpoint.endpoint_id))
    return found


def test_secrets_come_back_as_they_were_given(desk: Desk) -> None:
    retiring = (RetiringSecret("whsec_old", at(60)),)
    credentials = b'{"password":"hunter2"}'
    endpoint = desk.endpoint(secrets=(SECRET,), retiring=retiring, credentials=credentials)
    assert read(desk, endpoint) == endpoint
    assert desk.run(desk.store.endpoints(ACCOUNT)) == [endpoint]


def test_what_is_claimed_has_the_secrets_that_are_on_record(desk: Desk) -> None:
    endpoint = desk.endpoint(secrets=(SECRET,))
    desk.place("K1", to=[endpoint])
    (claimed,) = desk.claim()
    assert claimed.endpoint.secrets == (SECRET,)
    desk.run(desk.store.release(owner="me", now=NOW))
    change(desk, endpoint, secrets=("whsec_new",))
    (claimed,) = desk.claim()
    assert claimed.endpoint.secrets == ("whsec_new",)


def test_of_changes_that_come_together_none_is_lost(desk: Desk) -> None:
    endpoint = desk.endpoint(description="")

    async def change_all() -> None:
        await asyncio.gather(
            *(
                desk.store.change_endpoint(
                    ACCOUNT,
                    endpoint.endpoint_id,
                    change=lambda known, n=n: msgspec.structs.replace(  # type: ignore[misc]
                        known, description=known.description + str(n)
                    ),
                )
                for n in range(8)
            )
        )

    desk.run(change_all())
    assert sorted(read(desk, endpoint).description) == list("01234567")


def test_a_change_that_fails_changes_nothing(desk: Desk) -> None:
    endpoint = desk.endpoint()

    def fail(_known: Endpoint) -> Endpoint:
        raise LookupError

    with pytest.raises(LookupError):
        desk.run(desk.store.change_endpoint(ACCOUNT, endpoint.endpoint_id, change=fail))
    assert read(desk, endpoint) == endpoint
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.change_endpoint(ACCOUNT, "ep_none", change=fail))


def test_sealing_anew_goes_from_endpoint_to_endpoint_and_needs_doing_once(desk: Desk) -> None:
    for name in ("ep_a", "ep_b", "ep_c"):
        desk.endpoint(name)
    first = desk.run(desk.store.reseal(after=None, limit=2))
    assert (first.seen, first.sealed, first.after) == (2, 0, (ACCOUNT, "ep_b"))
    second = desk.run(desk.store.reseal(after=first.after, limit=2))
    assert (second.seen, second.after) == (1, None)
    assert desk.run(desk.store.finish_resealing())


def test_without_a_key_everything_but_the_secrets_is_still_there(desk: Desk) -> None:
    endpoint = desk.endpoint(secrets=(SECRET,), credentials=b'{"password":"hunter2"}')
    desk.place("K1", to=[endpoint])
    assert desk.run(desk.store.open_without_secrets(now=at(60))) == 1
    left = read(desk, endpoint)
    assert (left.secrets, left.credentials) == ((), b"{}")
    assert (left.state, left.state_why) == (EndpointState.PAUSED, SECRETS_LOST)
    assert list(desk.claim()) == []
