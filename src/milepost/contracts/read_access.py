"""Which providers can be asked for their orders, and how a source says that they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.contracts import shipmonk, withings
from milepost.contracts.contract import Contract, read_under
from milepost.contracts.shipmonk.theirs import ReadAccess as ShipmonkAccess
from milepost.contracts.withings.theirs import ReadAccess as WithingsAccess
from milepost.errors import InvalidInput

Access = WithingsAccess | ShipmonkAccess
"""How a provider is asked; the fields are all of its room's making."""

SHAPES: Mapping[str, type[Access]] = MappingProxyType(
    {withings.CONTRACT.name: WithingsAccess, shipmonk.CONTRACT.name: ShipmonkAccess}
)
"""The shape of a source's read access, by the source's kind."""

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {room.name: room for room in (withings.CONTRACT, shipmonk.CONTRACT)}
)
"""In whose words orders are compared, by the source's kind."""

_NONE = frozenset((b"", b"{}", b"null"))


def check_read_access(kind: str, raw: bytes) -> Access | None:
    """A source's read access as its kind's struct; None where it has none.

    Raises InvalidInput under `read_access`, which shows no value that was given.
    """
    if raw.strip() in _NONE:
        return None
    shape = SHAPES.get(kind)
    if shape is None:
        expected = f"none, as only {' and '.join(SHAPES)} can be asked for their orders"
        raise InvalidInput(field="read_access", expected=expected)
    return read_under("read_access", shape=shape, raw=raw)
