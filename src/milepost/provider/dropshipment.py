"""Orders as a client application places, changes, cancels and reads them.

What the application may cause is little: that an order is there and VERIFIED, what is in it until
the warehouse has it, and that it is TRASHED until it has shipped. All else is told by the
warehouse, the carriers and the operator, as for any other order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from milepost.contracts.withings.addresses import bad_addresses, can_be_forced
from milepost.contracts.withings.answers import order_ids_of
from milepost.contracts.withings.extensions import (
    NAME,
    AddressTaken,
    OrderExtensions,
    order_extensions,
)
from milepost.contracts.withings.numbers import Number, Reason, Refused, invalid
from milepost.contracts.withings.requests import (
    OrderAsked,
    Person,
    address_of,
    content_of,
    refused_for,
    taken_already,
    warnings_of,
)
from milepost.errors import AlreadyExists, IllegalMove, InvalidInput, MilepostError, UnknownRecord
from milepost.intake import Intake, OrderInput, OrderResult, UpdateInput
from milepost.intake.inputs import Play
from milepost.orders.address import AddressFault
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Order, OrderContent
from milepost.ports import AccountNow, Now, OrderRef
from milepost.ports.withings import ClientApplication, WithingsStore
from milepost.provider.addresses import AddressCheck, CheckerDown

S = State
CHANGEABLE = frozenset(
    (S.CREATED, S.VERIFYING, S.VERIFIED, S.SCHEDULED, S.ADDRESS_ERROR, S.SUBMIT_FAILED)
)
"""Where an order can still be changed: the warehouse does not have it."""

NOT_VERIFIED = frozenset((S.CREATED, S.VERIFYING, S.ADDRESS_ERROR))
"""Where a change with a good address makes the order VERIFIED."""

TRIES = 3
_NOTES = {
    AddressTaken.FORM: None,
    AddressTaken.CHECKED: None,
    AddressTaken.UNVERIFIED: "the address checker did not answer; taken by its form",
    AddressTaken.FORCED: "the address was taken with force_address",
}


class Created(msgspec.Struct, frozen=True):
    """Orders that were created together, what they are called together, and what looked odd."""

    orders: Sequence[Order]
    dropshipment_order_id: str
    warnings: Sequence[Reason]
    user: User | None = None


class User(msgspec.Struct, frozen=True):
    """The person of a user order, by the partner's own id, and a code for 10 minutes (published).

    Nothing in Milepost takes the code: there is no data of a person here to be let in to.
    """

    code: str
    external_id: str


class _Accepted(msgspec.Struct, frozen=True):
    """An address that is taken, and why."""

    address: Address
    how: AddressTaken


class Dropshipment:
    """The order interface behind its doors; every method raises Refused, Overloaded, StoreError."""

    def __init__(
        self,
        store: WithingsStore,
        *,
        intake: Intake,
        addresses: AddressCheck,
        now: Now,
        account_now: AccountNow,
        token: Callable[[int], bytes],
        step_s: float,
        look: Callable[[], None],
    ) -> None:
        """`step_s` is the time between the steps of a fake order; `look` tells who plays them."""
        self._store = store
        self._intake = intake
        self._addresses = addresses
        self._now = now
        self._account_now = account_now
        self._token = token
        self._step = timedelta(seconds=step_s)
        self._look = look

    async def create(
        self,
        client: ClientApplication,
        asked: Sequence[OrderAsked],
        *,
        testmode: int | None = None,
        person: Person | None = None,
    ) -> Created:
        """Creates all of these orders or, when one cannot be, none."""
        accepted = await self._accepted(asked)
        number = self._number()
        extensions = OrderExtensions(
            client_id=client.client_id,
            dropshipment_order_id=number,
            external_id=None if person is None else person.external_id,
            testmode=testmode,
        )
        play = None
        if testmode is not None:
            play = Play(testmode, await self._account_now(client.account_id) + self._step)
        inputs = [
            OrderInput(
                store=client.store,
                order_key=one.ref,
                content=_content(one, taken, extensions),
                source=_source(client),
                expects=_is_new,
                then=self._verified(client, taken.how),
                play=play,
            )
            for one, taken in zip(asked, accepted, strict=True)
        ]
        results = await self._intake.orders(client.account_id, inputs, whole=True)
        orders = _orders(asked, results)
        if play is not None:
            self._look()
        user = None if person is None else User(self._token(20).hex(), person.external_id)
        return Created(orders, number, warnings_of(asked), user)

    async def update(
        self, client: ClientApplication, order_id: str, asked: OrderAsked
    ) -> tuple[Order, Sequence[Reason]]:
        """Changes what is in an order, as long as the warehouse does not have it."""
        known = await self._one(client, order_id)
        if asked.ref != known.order_key:
            raise invalid("order[0].customer_ref_id", "the reference that the order has")
        (taken,) = await self._accepted((asked,))
        content = _content(asked, taken, order_extensions(known))
        item = OrderInput(
            store=known.store,
            order_key=known.order_key,
            content=msgspec.structs.replace(
                content,
                ordered_at=known.content.ordered_at,
                replacement_for=known.content.replacement_for,
            ),
            source=_source(client),
            expects=_can_change,
            then=self._verified(client, taken.how),
        )
        results = await self._intake.orders(client.account_id, (item,), whole=True)
        (order,) = _orders((asked,), results)
        return order, warnings_of((asked,))

    async def cancel(self, client: ClientApplication, order_id: str) -> None:
        """Cancels an order that has not shipped; one that is cancelled already stays so."""
        for _ in range(TRIES):
            order = await self._one(client, order_id)
            now = await self._account_now(client.account_id)
            told = Update(
                source=_source(client),
                state=S.CANCELLED,
                raw="delete",
                # A warehouse whose clock is ahead of ours cannot make this look late.
                occurred_at=max(now, order.state_at),
            )
            ref = OrderRef(client.account_id, order_id=order.order_id)
            (result,) = await self._intake.updates(client.account_id, (UpdateInput(ref, told),))
            if result.verdict in (Verdict.APPLIED, Verdict.DUPLICATE):
                return
            if result.verdict is Verdict.ILLEGAL:
                raise Refused(Number.SHIPPED_ALREADY, (Reason(result.why),))
        raise Refused(Number.NOT_NOW, (Reason("the order keeps being changed"),))

    async def read(
        self, client: ClientApplication, *, by: str, named: Sequence[str]
    ) -> Sequence[Order]:
        """The application's orders among these order_ids or customer_ref_ids, in their order."""
        if by == "order_ids":
            refs = [r for one in named for r in self._refs(client, one)]
        else:
            refs = [OrderRef(client.account_id, store=client.store, order_key=n) for n in named]
        found = await self._store.orders_named(refs)
        return [order for order in found if order is not None and order.store == client.store]

    async def _one(self, client: ClientApplication, order_id: str) -> Order:
        found = await self.read(client, by="order_ids", named=(order_id,))
        if not found:
            raise invalid("order_id", "an order of this application")
        return found[0]

    @staticmethod
    def _refs(client: ClientApplication, order_id: str) -> list[OrderRef]:
        return [OrderRef(client.account_id, order_id=one) for one in order_ids_of(order_id)]

    async def _accepted(self, asked: Sequence[OrderAsked]) -> list[_Accepted]:
        addresses = [address_of(one.address) for one in asked]
        found = dict[int, _Accepted]()
        bad = dict[str, Sequence[AddressFault]]()
        doubted: list[int] = []
        for place, (one, address) in enumerate(zip(asked, addresses, strict=True)):
            if not one.force_address:
                doubted.append(place)
            elif can_be_forced(address):
                found[place] = _Accepted(address, AddressTaken.FORCED)
            else:
                why = "a country is needed also with force_address (ISO 3166-1 alpha-2)"
                bad[one.ref] = (AddressFault("country_code", why),)
        try:
            checked = await self._addresses.check([addresses[place] for place in doubted])
        except CheckerDown as error:
            why = f"addresses cannot be checked now: {error}"
            raise Refused(Number.NOT_NOW, (Reason(why),)) from None
        for place, result in zip(doubted, checked, strict=True):
            found[place] = _Accepted(addresses[place], result.how)
            if result.faults:
                bad[asked[place].ref] = result.faults
        if bad:
            raise bad_addresses({one.ref: bad[one.ref] for one in asked if one.ref in bad})
        return [found[place] for place in range(len(asked))]

    def _verified(
        self, client: ClientApplication, how: AddressTaken
    ) -> Callable[[Order], Sequence[Update]]:
        def then(order: Order) -> Sequence[Update]:
            if order.state not in NOT_VERIFIED:
                return ()
            return (
                Update(
                    source=_source(client),
                    state=S.VERIFIED,
                    raw="VERIFIED",
                    note=_NOTES[how],
                ),
            )

        return then

    def _number(self) -> str:
        """A number for a request: the time in milliseconds and six random digits, as text."""
        chance = int.from_bytes(self._token(4), "big") % 1_000_000
        return f"{int(self._now().timestamp() * 1_000)}{chance:06}"


def _source(client: ClientApplication) -> str:
    return f"client {client.name}"


def _content(asked: OrderAsked, taken: _Accepted, extensions: OrderExtensions) -> OrderContent:
    told = msgspec.structs.replace(extensions, address_check=taken.how)
    content = content_of(asked, address=taken.address)
    raw = msgspec.Raw(msgspec.json.encode(told))
    return msgspec.structs.replace(content, extensions={NAME: raw})


def _is_new(known: Order | None) -> MilepostError | None:
    return None if known is None else AlreadyExists(known.order_key)


def _can_change(known: Order | None) -> MilepostError | None:
    if known is None:
        return UnknownRecord()
    if known.state not in CHANGEABLE:
        why = "The warehouse has the order"
        return IllegalMove(why, state=known.state, allowed=())
    return None


def _orders(asked: Sequence[OrderAsked], results: Sequence[OrderResult]) -> list[Order]:
    """The orders of a request that was taken. Raises Refused for one that was not."""
    refusals = [result.refusal for result in results]
    taken = [
        one.ref
        for one, refusal in zip(asked, refusals, strict=True)
        if isinstance(refusal, AlreadyExists)
    ]
    if taken:
        raise taken_already(taken)
    for refusal in refusals:
        if isinstance(refusal, IllegalMove):
            raise Refused(Number.BAD_STATE, (Reason(refusal.detail),))
        if isinstance(refusal, InvalidInput):
            raise refused_for(refusal)
        if refusal is not None:
            raise invalid("order_id", "an order of this application")
    return [result.order for result in results if result.order is not None]
