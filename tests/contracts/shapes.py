"""Hypothesis strategies read off the structs themselves: values of every shape that is allowed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from milepost.contracts.shipmonk.extensions import (
    LineExtensions,
    OrderExtensions,
    ParcelExtensions,
)
from milepost.orders.lifecycle import CARRIER, PARCEL_ORDER, REASONS, Reason, State
from milepost.orders.model import Line, Order, OrderContent, Parcel, ParcelDetails
from tests.contracts import orders

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
AMOUNTS = st.decimals(-1_000_000, 1_000_000, allow_nan=False, places=4) | st.sampled_from(
    [Decimal(0), Decimal("-0.00"), Decimal("1E+3"), Decimal("10.0"), Decimal("1E-9")]
)
TIMES = st.integers(10**9, 4 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC))
_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        ("earliest", "requested", "latest", "cancel_date"),
        st.none() | TIMES.map(datetime.isoformat),
    ),
    "ship_monk_hazmat_carrier_service_not_available": st.just(False),
}
_EXTENSIONS: dict[type, type] = {
    OrderContent: OrderExtensions,
    Line: LineExtensions,
    ParcelDetails: ParcelExtensions,
}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def structs(shape: type) -> st.SearchStrategy[Any]:
    """Instances of a struct, of all that its fields may hold."""
    kind = inspect.type_info(shape)
    assert isinstance(kind, inspect.StructType)
    fields = {}
    for field in kind.fields:
        if field.name == "asked":
            # No notification shows it; its own tests take it through.
            continue
        if field.name == "extensions":
            fields[field.name] = _extensions(_EXTENSIONS[shape])
        elif field.name in _BY_FIELD:
            fields[field.name] = _BY_FIELD[field.name]
        else:
            fields[field.name] = _values(field.type)
    return st.builds(shape, **fields)


def _extensions(shape: type) -> st.SearchStrategy[dict[str, msgspec.Raw]]:
    said = structs(shape).map(lambda value: {"shipmonk": msgspec.Raw(_ENCODER.encode(value))})
    return st.just({}) | said


def _values(kind: Any) -> st.SearchStrategy[Any]:
    return _BY_KIND[type(kind)](kind)


def _texts(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        return st.from_regex(kind.pattern, fullmatch=True)
    return NAMES if kind.min_length else TEXT


_BY_KIND: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.UnionType: lambda kind: st.one_of(*map(_values, kind.types)),
    inspect.NoneType: lambda _: st.none(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.IntType: lambda kind: st.integers(kind.ge or 0, kind.le or 10),
    inspect.StrType: _texts,
    inspect.DecimalType: lambda _: AMOUNTS,
    inspect.DateTimeType: lambda _: TIMES,
    inspect.DateType: lambda _: st.dates(date(1990, 1, 1), date(2099, 12, 31)),
    inspect.EnumType: lambda kind: st.sampled_from(list(kind.cls)),
    inspect.StructType: lambda kind: structs(kind.cls),
    inspect.VarTupleType: lambda kind: st.lists(_values(kind.item_type), max_size=2).map(tuple),
}


@st.composite
def parcels(draw: st.DrawFn, *, shipped: bool) -> tuple[Parcel, ...]:
    states = st.sampled_from(PARCEL_ORDER) if shipped else st.none()
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    facts = st.none() | TEXT
    return tuple(
        Parcel(
            parcel=name,
            state=draw(states),
            carrier=draw(facts),
            carrier_service=draw(facts),
            tracking_number=draw(facts),
            tracking_url=draw(facts),
            details=draw(st.none() | structs(ParcelDetails)),
        )
        for name in names
    )


@st.composite
def any_order(draw: st.DrawFn) -> Order:
    """An order in any state and of any content, with parcels of any state."""
    state = draw(st.sampled_from(State))
    reasons: list[Reason | None] = [None, *REASONS.get(state, ())]
    return orders.order(
        state,
        draw(st.sampled_from(reasons)),
        content=draw(structs(OrderContent)),
        parcels=draw(parcels(shipped=state in CARRIER)),
        previous_state=draw(st.none() | st.sampled_from(State)),
        sequence=draw(st.integers(1, 3)),
        updating=draw(st.booleans()),
    )
