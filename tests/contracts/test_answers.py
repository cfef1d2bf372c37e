"""A provider's answer read in our words, and what differs from our order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.contracts import ROOMS
from milepost.contracts.comparison import (
    Difference,
    Kind,
    Package,
    Theirs,
    compare,
    unknown_there,
)
from milepost.contracts.read_access import check_read_access
from milepost.contracts.shipmonk import theirs as shipmonk
from milepost.contracts.shipmonk.payloads import Options, detail
from milepost.contracts.tables import example, states
from milepost.contracts.withings import theirs as withings
from milepost.contracts.withings.answers import order_detail
from milepost.errors import InvalidInput
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, Parcel, Store
from milepost.orders.move import move

S = State
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
NAMES = ("withings", "shipmonk")
SHOP = Store("", "", 7, "Shop", AT)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("status", "body", "data", "orders", "order_key", "customer_ref_id", "packages")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def an_order(state: State = S.SHIPPED, *parcels: Parcel, **given: Any) -> Order:
    known = {"order_key": "K1", "state_at": AT, "previous_state": S.CREATED, **given}
    return msgspec.structs.replace(example(state), parcels=parcels, **known)


def told(kind: str, order: Order) -> Theirs:
    """What a provider of this kind answers of an order that is so there."""
    if kind == "shipmonk":
        shown = detail(order, store=SHOP, options=Options())
        found = shipmonk.order_of(b'{"status": 200, "data": ' + shown + b"}")
        assert found is not None
        return found
    raw = msgspec.json.encode({"status": 0, "body": {"orders": [order_detail(order)]}})
    number, body = withings.status_of(raw)
    assert number == withings.OK
    (one,) = withings.orders_of(body)
    return one


def differing(
    kind: str, ours: Order, theirs: Theirs, *, trusted: bool = False
) -> tuple[Difference, ...]:
    return compare(ROOMS[kind], ours, theirs, asked_at=LATER, trusted=trusted)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("state", "reason"), [*states()])
def test_an_order_never_differs_from_itself(kind: str, state: State, reason: Reason | None) -> None:
    order = an_order(state, Parcel("p", carrier="UPS", tracking_number="1Z"), reason=reason)
    assert differing(kind, order, told(kind, order)) == ()


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("there", [*State])
@pytest.mark.parametrize("here", [S.CREATED, S.PICKING, S.SHIPPED, S.IN_TRANSIT, S.DELIVERED])
def test_where_the_same_words_are_shown_nothing_differs_and_else_the_state_does(
    kind: str, here: State, there: State
) -> None:
    ours, theirs = an_order(here), an_order(there)
    found = differing(kind, ours, told(kind, theirs))
    if ROOMS[kind].words(ours) == ROOMS[kind].words(theirs):
        assert found == ()
    else:
        assert [one.kind for one in found] in ([Kind.STATE], [])
        # Of one that has shipped Withings may tell no parcel status.
        assert found or ROOMS[kind].words(theirs).get("parcel_status") is None


@pytest.mark.parametrize("kind", NAMES)
def test_what_mends_a_difference_leaves_none(kind: str) -> None:
    ours = an_order(S.SUBMITTED)
    parcel = Parcel("p", S.IN_TRANSIT, AT, carrier="UPS", tracking_number="1Z")
    theirs = told(kind, an_order(S.IN_TRANSIT, parcel))
    found = differing(kind, ours, theirs)
    assert [one.kind for one in found] == [Kind.TRACKING, Kind.STATE]
    for one in found:
        assert one.mend is not None
        moved = move(ours, one.mend, now=LATER)
        assert moved.verdict is Verdict.APPLIED
        ours = moved.order
    assert differing(kind, ours, theirs) == ()
    (only,) = ours.parcels
    assert (only.state, only.carrier, only.tracking_number) == (S.IN_TRANSIT, "UPS", "1Z")


def test_several_packages_are_mended_one_by_one() -> None:
    ours = an_order(S.SHIPPED, Parcel("a", S.SHIPPED, AT, tracking_number="1"))
    packages = (Package("1", carrier="UPS"), Package("2", carrier="UPS"), Package("3"))
    theirs = Theirs("K1", {"processing_status": "awaiting_carrier_processing"}, packages)
    found = differing("shipmonk", ours, theirs)
    assert [one.parcel for one in found] == ["1", "2", "3"]
    for one in found:
        assert one.mend is not None
        ours = move(ours, one.mend, now=LATER).order
    assert [(p.tracking_number, p.carrier) for p in ours.parcels] == [
        ("1", "UPS"),
        ("2", "UPS"),
        ("3", None),
    ]
    assert differing("shipmonk", ours, theirs) == ()


def test_a_source_that_was_asked_goes_on_from_there_by_itself() -> None:
    """What its provider was asked for is its own word: its next message moves every parcel."""
    parcels = (Parcel("a", S.SHIPPED, AT, tracking_number="1"), Parcel("b", S.SHIPPED, AT))
    words = {"processing_status": "en_route"}
    (found,) = differing("shipmonk", an_order(S.SHIPPED, *parcels), Theirs("K1", words))
    assert found.mend is not None
    asked = msgspec.structs.replace(found.mend, source="reconciled:theirs")
    moved = move(an_order(S.SHIPPED, *parcels), asked, now=LATER)
    assert {p.told_by for p in moved.order.parcels} == {"theirs"}
    assert moved.event is not None
    assert moved.event.source == "reconciled:theirs"
    itself = Update("theirs", S.DELIVERED, tracking_number="1", whole=True)
    after = move(moved.order, itself, now=LATER + timedelta(hours=1)).order
    assert {p.state for p in after.parcels} == {S.DELIVERED}
    assert after.state is S.DELIVERED


def test_a_parcel_that_got_another_label_is_relabeled_and_not_doubled() -> None:
    ours = an_order(S.SHIPPED, Parcel("p", S.SHIPPED, AT, tracking_number="1"))
    words = {"status": "SHIPPED", "parcel_status": "pending"}
    (found,) = differing("withings", ours, Theirs("K1", words, (Package("2"),)))
    assert found.mend is not None
    moved = move(ours, found.mend, now=LATER).order
    assert [p.tracking_number for p in moved.parcels] == ["2"]


def test_what_theirs_does_not_tell_is_no_difference() -> None:
    known = Parcel("p", S.SHIPPED, AT, carrier="UPS", tracking_number="1", tracking_url="https://x")
    ours = an_order(S.SHIPPED, known, Parcel("q", S.SHIPPED, AT, tracking_number="2"))
    for packages in (
        (),
        (Package(carrier="DHL"),),
        (Package("1"),),
        (Package("1", carrier="ups"),),
    ):
        theirs = Theirs("K1", {"status": "SHIPPED", "parcel_status": None}, packages)
        assert differing("withings", ours, theirs) == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("withings", {"status": "TELEPORTED"}),
        ("withings", {"status": "SHIPPED", "parcel_status": "teleported"}),
        ("withings", {"status": "OPEN", "parcel_status": "delivered"}),
        ("shipmonk", {"processing_status": "teleported", "order_status": "fulfilled"}),
        ("shipmonk", {"processing_status": "delivered", "order_status": "teleported"}),
    ],
)
def test_a_word_without_a_meaning_is_unmapped_and_mends_nothing(
    kind: str, words: dict[str, str]
) -> None:
    (found,) = differing(kind, an_order(S.SHIPPED), Theirs("K1", words))
    assert (found.kind, found.mend) == (Kind.UNMAPPED, None)
    assert found.theirs == " / ".join(words.values())


def test_another_spelling_is_no_difference() -> None:
    theirs = Theirs("K1", {"processing_status": "back-order"})
    assert differing("shipmonk", an_order(S.BACKORDERED), theirs) == ()
    spaced = Theirs("K1", {"status": "ADDRESS\u00a0ERROR"})
    assert differing("withings", an_order(S.ADDRESS_ERROR), spaced) == ()


def test_an_edit_that_is_being_taken_in_is_a_flag_over_the_state() -> None:
    ours = an_order(S.SUBMITTED)
    (found,) = differing("shipmonk", ours, Theirs("K1", {"processing_status": "updating"}))
    assert found.mend is not None
    assert (found.mend.state, found.mend.updating) == (None, True)
    flagged = move(ours, found.mend, now=LATER).order
    (back,) = differing("shipmonk", flagged, Theirs("K1", {"processing_status": "submitted"}))
    assert back.mend is not None
    assert move(flagged, back.mend, now=LATER).order.updating is False


def test_what_leads_forward_counts_from_the_question_and_what_does_not_from_their_time() -> None:
    behind = AT - timedelta(hours=1)
    ours = an_order(S.EXCEPTION)
    (sideways,) = differing(
        "withings", ours, Theirs("K1", {"status": "SHIPPED", "parcel_status": "delayed"})
    )
    assert sideways.mend is not None
    assert sideways.mend.occurred_at == LATER
    dated = Theirs("K1", {"processing_status": "en_route"}, told_at=behind)
    (back,) = differing("shipmonk", an_order(S.UNDELIVERABLE), dated)
    assert back.mend is not None
    assert back.mend.occurred_at == behind
    assert move(an_order(S.UNDELIVERABLE), back.mend, now=LATER).verdict is not Verdict.APPLIED
    (end,) = differing(
        "shipmonk",
        an_order(S.IN_TRANSIT),
        Theirs("K1", {"processing_status": "delivered"}, told_at=behind),
    )
    assert end.mend is not None
    assert end.mend.occurred_at == LATER


def test_a_word_that_leads_back_is_a_correction_of_a_trusted_source_alone() -> None:
    theirs = Theirs("K1", {"status": "SHIPPED", "parcel_status": "in_transit"})
    ours = an_order(S.DELIVERED, Parcel("unnamed", S.DELIVERED, AT))
    (plain,) = differing("withings", ours, theirs)
    (trusted,) = differing("withings", ours, theirs, trusted=True)
    assert plain.mend is not None
    assert trusted.mend is not None
    assert (plain.mend.correction, trusted.mend.correction) == (False, True)
    assert move(ours, plain.mend, now=LATER).verdict is Verdict.ILLEGAL
    assert move(ours, trusted.mend, now=LATER).order.state is S.IN_TRANSIT


def test_an_order_that_they_do_not_know_shows_ours() -> None:
    assert unknown_there(an_order(S.PACKED), ROOMS["withings"]).ours == "OPEN"


# what is read of an answer


@given(JSON)
def test_whatever_is_answered_is_read_or_refused(value: Any) -> None:
    raw = msgspec.json.encode(value)
    try:
        _, body = withings.status_of(raw)
        list(withings.orders_of(body))
    except InvalidInput:
        pass
    shipmonk.order_of(raw)
    found, count = shipmonk.page_of(raw)
    assert len(found) <= count


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 100_000, b"<html>", b'{"status": "0"}'])
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        withings.status_of(raw)


def test_texts_that_no_column_holds_are_left_out() -> None:
    raw = msgspec.json.encode(
        {
            "data": {
                "order_key": 17,
                "processing_status": "packed",
                "store": {"id": 5, "name": None},
                "updated_at": {"date": "2026-03-01T12:00:00", "timezone": "UTC"},
                "packages": [
                    {"tracking_number": "1\0"},
                    {"tracking_number": "2" * 300},
                    {"tracking_number": True},
                    {"tracking_number": " 1Z "},
                    "none",
                ],
            }
        }
    )
    found = shipmonk.order_of(raw)
    assert found is not None
    assert (found.order_key, found.stores, found.told_at) == ("17", ("5",), AT)
    assert [one.tracking_number for one in found.packages] == [None, None, None, "1Z", None]


# how a provider is asked


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("withings", b'{"client_id": "c", "client_secret": "s"}'),
        ("shipmonk", b'{"api_key": "k", "store_id": 3, "every_h": 0}'),
    ],
)
def test_read_access_is_checked_by_its_kind(kind: str, raw: bytes) -> None:
    access = check_read_access(kind, raw)
    assert access is not None
    assert access.base_url.startswith("https://")
    assert '"s"' not in repr(access)
    assert check_read_access(kind, b"{}") is None
    assert check_read_access(kind, b"") is None


@pytest.mark.parametrize(
    ("kind", "raw", "field"),
    [
        ("withings", b'{"client_id": "c"}', "read_access"),
        ("withings", b'{"client_id": "c", "client_secret": "s3cret", "x": 1}', "read_access"),
        ("shipmonk", b'{"api_key": "s3cret", "base_url": "ftp://x"}', "read_access"),
        ("shipmonk", b'{"api_key": "s3cret\\n"}', "read_access"),
        ("shipmonk", b'{"api_key": "s3cret", "store_id": "3"}', "read_access.store_id"),
        ("standard", b'{"api_key": "s3cret"}', "read_access"),
        ("shipmonk", b"nonsense s3cret", "read_access"),
    ],
)
def test_read_access_that_cannot_be_is_refused_without_being_shown(
    kind: str, raw: bytes, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_read_access(kind, raw)
    assert refused.value.field.startswith(field)
    assert "s3cret" not in str(refused.value)
