"""Whether addresses are good: by their form, and by a checker where the operator has one.

The form alone is no promise that anything can be delivered. A checker is asked about what is well
formed, about all addresses of a request at once, and for so long and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from milepost.contracts.withings.addresses import address_faults
from milepost.contracts.withings.extensions import AddressTaken
from milepost.logs import logger
from milepost.orders.address import AddressFault
from milepost.orders.model import Address
from milepost.ports.withings import AskAddress, Unreachable

Form = Callable[[Address], Sequence[AddressFault]]
"""What is wrong with the form of an address."""


class WhenDown(StrEnum):
    """What becomes of an order while the checker does not answer."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class CheckerDown(Exception):
    """The checker does not answer, and nothing is to be accepted without it."""


class Checked(msgspec.Struct, frozen=True):
    """What was found of an address: what is wrong with it, and how that was found out."""

    faults: Sequence[AddressFault]
    how: AddressTaken


class AddressCheck:
    """Checks addresses; `ask` is the checker, None where there is none."""

    def __init__(self, *, ask: AskAddress | None, within_s: float, when_down: WhenDown) -> None:
        self._ask = ask
        self._within_s = within_s
        self._when_down = when_down
        self._log = logger("addresses")

    async def check(
        self, addresses: Sequence[Address], *, form: Form = address_faults
    ) -> Sequence[Checked]:
        """What was found of each, in the same order; `form` is what its provider asks of the form.

        Raises CheckerDown.
        """
        return await asyncio.gather(*(self._one(address, form) for address in addresses))

    async def _one(self, address: Address, form: Form) -> Checked:
        faults = form(address)
        if faults or self._ask is None:
            return Checked(faults, AddressTaken.FORM)
        try:
            async with asyncio.timeout(self._within_s):
                return Checked(await self._ask(address), AddressTaken.CHECKED)
        except (TimeoutError, Unreachable) as error:
            why = str(error) or f"no answer within {self._within_s:g} s"
            self._log.warning("address_checker_down", why=why, then=self._when_down)
            if self._when_down is WhenDown.REFUSE:
                raise CheckerDown(why) from None
            return Checked((), AddressTaken.UNVERIFIED)
