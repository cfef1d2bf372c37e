"""What each role may do, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from milepost.ports.people import Role


class Right(Enum):
    """What a page asks of whoever opens it."""

    SEE = "see what is there"
    CHANGE = "change what is there"
    RUN = "run the installation: people, links, every account"


MAY: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.OPERATOR: frozenset((Right.SEE, Right.CHANGE, Right.RUN)),
        Role.MERCHANT: frozenset((Right.SEE, Right.CHANGE)),
        Role.READER: frozenset((Right.SEE,)),
    }
)

OF_ONE_ACCOUNT: Mapping[Role, bool | None] = MappingProxyType(
    {Role.OPERATOR: False, Role.MERCHANT: True, Role.READER: None}
)
"""Whether a role sees one account alone; None where either is possible."""


class Person(msgspec.Struct, frozen=True):
    """Whoever looks at a page; `name` is empty where a merchant's link let them in.

    `sees` is the one account that the person sees, None for all of them.
    """

    name: str
    role: Role
    sees: str | None
    session_id: str

    def may(self, right: Right) -> bool:
        return right in MAY[self.role]

    @property
    def shown(self) -> str:
        """The name for the others and for the person."""
        return self.name or "Guest"
