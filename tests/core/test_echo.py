"""What a receiver repeats of our secrets does not go on record."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.echo import without_secrets
from milepost.delivery.model import Endpoint, RetiringSecret

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD, NEW = ("whsec_" + base64.b64encode(c * 32).decode() for c in (b"o", b"n"))
ENDPOINT = Endpoint(
    "acc",
    "ep_a",
    "shipmonk",
    "https://a.example/in",
    "fixed",
    NOW,
    NOW,
    credentials=b'{"username":"hub","password":"hunter2","signature_secret":"our-secret"}',
    secrets=(NEW,),
    retiring=(RetiringSecret(OLD, NOW),),
)
BASIC = base64.b64encode(b"hub:hunter2").decode()
SECRETS = (OLD, NEW, NEW.removeprefix("whsec_"), "hunter2", "our-secret", BASIC)


@given(st.sampled_from(SECRETS), st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 99))
def test_no_secret_is_kept_of_a_reply_wherever_it_is_cut(
    secret: str, before: bytes, after: bytes, most: int
) -> None:
    kept = without_secrets(before + secret.encode() + after, endpoint=ENDPOINT, most=most)
    assert len(kept) <= most
    assert secret.encode() not in kept
    # Not the beginning of one either, as would be left of one that was cut.
    assert not kept.removeprefix(before).startswith(secret.encode()[:8])


def test_a_reply_without_secrets_is_kept_as_it_is() -> None:
    assert without_secrets(b"thanks, hub", endpoint=ENDPOINT, most=100) == b"thanks, hub"
    assert without_secrets(b"thanks", endpoint=ENDPOINT, most=3) == b"tha"
    assert without_secrets(b"", endpoint=ENDPOINT, most=3) == b""
