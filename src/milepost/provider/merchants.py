"""Orders as a merchant's integration places, edits, submits and reads them.

What the merchant may cause is published: that an order is there, held, released, cancelled or
fulfilled by somebody else, and what is in it until it is packed. All else is told by the warehouse,
the carriers and the operator, as for any other order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import available_timezones

import msgspec

from milepost.contracts.contract import read_as
from milepost.contracts.shipmonk.closed_sets import WmsType
from milepost.contracts.shipmonk.contents import (
    NAME,
    content_of,
    delivery_address,
    with_submit_at,
)
from milepost.contracts.shipmonk.edits import Stage, Step, refusal, stage, step
from milepost.contracts.shipmonk.extensions import Account, OrderExtensions, Warehouse
from milepost.contracts.shipmonk.inputs import (
    CompleteOrder,
    GivenOrder,
    OrderStatusInput,
    StoreNumber,
    SubmitOrder,
    read_moment,
)
from milepost.contracts.shipmonk.sandbox import COMPLETE, SCENARIOS, SPLIT
from milepost.errors import IllegalMove, InvalidInput, UnknownRecord
from milepost.intake import Intake, OrderInput, OrderOutcome, OrderResult
from milepost.intake.inputs import Play
from milepost.orders.address import form_faults
from milepost.orders.events import Update
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import Address, Order, OrderContent, Text
from milepost.orders.model import Store as StoreRecord
from milepost.ports import AccountNow, OrderRef
from milepost.ports.merchants import MerchantStore, OrderListing, WarehouseRecord
from milepost.provider.actions import Fulfillment, PartInput, PartLine, SplitInput
from milepost.provider.addresses import AddressCheck, CheckerDown
from milepost.provider.plays import FIRST_PAUSES, SANDBOX_NUMBERS, SUBMIT

S = State
SOURCE = "merchant"
SUBMITTABLE = frozenset((S.CREATED, S.VERIFIED, S.SCHEDULED))
"""Where an order waits to be submitted; one on hold or with a problem has to be mended first."""


_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,50}")


class WarehouseInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an operator says of a warehouse; `timezone` is an IANA name.

    Without a name it is called by its identifier; without a number it keeps its own, or gets the
    account's next free one.
    """

    name: Text | None = None
    timezone: Text = "UTC"
    number: StoreNumber | None = None
    wms_type: WmsType = WmsType.SHIPMONK
    enabled: bool = True
    address: Address = Address()


class Shown(msgspec.Struct, frozen=True, gc=False):
    """An order and the store that it belongs to, as a merchant reads them."""

    order: Order
    store: StoreRecord


class MerchantOrders:
    """The order interface behind its doors.

    Every method raises InvalidInput, IllegalMove, UnknownRecord, Overloaded and StoreError.
    """

    def __init__(
        self,
        store: MerchantStore,
        *,
        intake: Intake,
        addresses: AddressCheck,
        now: AccountNow,
        fulfillment: Fulfillment,
        sandbox_speed: float | None,
        look: Callable[[], None],
    ) -> None:
        """`sandbox_speed` is None where there is no sandbox; `look` tells who plays sequences."""
        self._store = store
        self._intake = intake
        self._addresses = addresses
        self._now = now
        self._fulfillment = fulfillment
        self._sandbox_speed = sandbox_speed
        self._look = look

    async def save(self, account_id: str, given: GivenOrder) -> OrderOutcome:
        """Creates the order or edits the one that has this key in this store."""
        store = await self._store_of(account_id, given.store_id)
        submit_at = None if given.submit_at is None else read_moment("submit_at", given.submit_at)
        now = await self._now(account_id)
        edit = _Edit(
            given,
            warehouses=await self._warehouses(account_id),
            account=Account(id=0, name=await self._store.account_name(account_id)),
            submit_at=submit_at,
            address_is_bad=await self._is_bad(given),
            now=now,
        )
        item = OrderInput(
            store=store.store,
            order_key=given.order_key,
            content=OrderContent(),
            source=SOURCE,
            revise=edit.content,
            then=edit.updates,
            play=_submission(submit_at, now=now),
        )
        result = _taken(await self._intake.orders(account_id, (item,)))
        self._look()
        return result.outcome

    async def submit(self, account_id: str, asked: SubmitOrder) -> None:
        """Releases an order to the warehouse, now or, when the time is in the future, then."""
        store = await self._store_of(account_id, asked.store_id)
        at = read_moment("submit_at", asked.submit_at)
        now = await self._now(account_id)

        def revise(known: Order | None) -> OrderContent:
            if known is None:
                raise UnknownRecord
            if known.state is not S.SUBMITTED and known.state not in SUBMITTABLE:
                raise IllegalMove(
                    f"the order cannot be submitted: it is {known.state.value}",
                    state=known.state,
                    allowed=allowed_next(known.state),
                )
            return with_submit_at(known.content, at)

        def then(order: Order) -> Sequence[Update]:
            found = step(
                order,
                before=stage(order),
                status=OrderStatusInput.UNFULFILLED,
                submit_at=at,
                now=now,
                address_is_bad=False,
            )
            return _updates(order, found)

        item = OrderInput(
            store=store.store,
            order_key=asked.order_key,
            content=OrderContent(),
            source=SOURCE,
            revise=revise,
            then=then,
            play=_submission(at, now=now),
        )
        _taken(await self._intake.orders(account_id, (item,)))
        self._look()

    async def complete(self, account_id: str, asked: CompleteOrder) -> None:
        """Lets the sandbox's warehouse work on an order that is submitted."""
        if self._sandbox_speed is None:
            raise InvalidInput(field="", expected="a sandbox, and this is none (MILEPOST_SANDBOX)")
        store = await self._store_of(account_id, asked.store_id)
        scenario = asked.scenario or COMPLETE
        if scenario == SPLIT:
            keys = await self._split(account_id, store, asked.order_key)
            number = SANDBOX_NUMBERS[COMPLETE, asked.pack_type]
            await self._play(account_id, store, keys, number=number)
            return
        if scenario not in SCENARIOS:
            listed = ", ".join((*SCENARIOS, SPLIT))
            raise InvalidInput(field="scenario", expected=f"one of {listed}")
        number = SANDBOX_NUMBERS[scenario, asked.pack_type]
        await self._play(account_id, store, (asked.order_key,), number=number)

    async def _split(self, account_id: str, store: StoreRecord, key: str) -> Sequence[str]:
        """Takes all lines but the first out of an order; the keys of the order and of its part."""
        named = OrderRef(account_id, store=store.store, order_key=key)
        order = await self._store.order(named)
        _submitted(order)
        lines = [
            PartLine(quantity=line.quantity, line_key=line.line_key)
            if line.line_key
            else PartLine(quantity=line.quantity, sku=line.sku)
            for line in order.content.lines[1:]
            if line.quantity
        ]
        if not lines:
            raise InvalidInput(field="scenario", expected="an order of several lines for a split")
        part = PartInput(order_key=f"{key}-2", lines=tuple(lines), order_number=f"{order.number}-2")
        await self._fulfillment.split(order, SplitInput((part,)))
        return (key, part.order_key)

    async def _play(
        self, account_id: str, store: StoreRecord, keys: Sequence[str], *, number: int
    ) -> None:
        first = FIRST_PAUSES[number] / (self._sandbox_speed or 1)
        now = await self._now(account_id)
        items = [
            OrderInput(
                store=store.store,
                order_key=key,
                content=OrderContent(),
                source=SOURCE,
                revise=_submitted,
                play=Play(number, now + first, step=0, fake=False),
            )
            for key in keys
        ]
        for result in await self._intake.orders(account_id, items, whole=True):
            _taken((result,))
        self._look()

    async def warehouses(self, account_id: str) -> Sequence[WarehouseRecord]:
        """The account's warehouses, by number."""
        return await self._store.warehouses(account_id)

    async def put_warehouse(
        self, account_id: str, identifier: str, given: WarehouseInput
    ) -> WarehouseRecord:
        """Names a warehouse or replaces what is known of it. Raises AlreadyExists too."""
        if not _IDENTIFIER.fullmatch(identifier):
            expected = "1 to 50 letters, digits, dots, hyphens and underscores"
            raise InvalidInput(field="identifier", expected=expected)
        if given.timezone not in available_timezones():
            expected = "an IANA time zone, such as America/New_York"
            raise InvalidInput(field="timezone", expected=expected)
        return await self._store.put_warehouse(
            WarehouseRecord(
                account_id=account_id,
                identifier=identifier,
                number=given.number or 0,
                name=given.name or identifier,
                timezone=given.timezone,
                created_at=await self._now(account_id),
                wms_type=given.wms_type,
                enabled=given.enabled,
                address=given.address,
            )
        )

    async def read(
        self,
        account_id: str,
        *,
        order_key: str | None,
        order_number: str | None,
        store_number: int | None,
    ) -> Shown:
        """The order with this key or number; the newest where several stores have one."""
        if order_key is None and order_number is None:
            raise InvalidInput(field="orderKey", expected="an orderKey or an orderNumber")
        wanted = OrderListing(
            store=None
            if store_number is None
            else (await self._store_of(account_id, store_number, field="storeId")).store,
            order_keys=None if order_key is None else (order_key,),
            order_numbers=None if order_number is None else (order_number,),
        )
        found = await self.listed(account_id, wanted, page=1, page_size=1, newest_first=True)
        if not found:
            raise UnknownRecord
        return found[0]

    async def listed(
        self,
        account_id: str,
        wanted: OrderListing,
        *,
        page: int,
        page_size: int,
        newest_first: bool,
    ) -> Sequence[Shown]:
        """A page of orders, by their ids; pages count from 1."""
        orders = await self._store.listed_orders(
            account_id,
            wanted=wanted,
            skip=(page - 1) * page_size,
            limit=page_size,
            newest_first=newest_first,
        )
        stores = {s.store: s for s in await self._store.stores(account_id)}
        return [Shown(order, stores[order.store]) for order in orders]

    async def _store_of(
        self, account_id: str, number: int, *, field: str = "store_id"
    ) -> StoreRecord:
        stores = await self._store.stores(account_id)
        for store in stores:
            if store.number == number:
                return store
        listed = ", ".join(str(s.number) for s in stores[:50]) or "null: there are no stores"
        raise InvalidInput(field=field, expected=f"one of {listed}")

    async def _warehouses(self, account_id: str) -> Mapping[str, Warehouse]:
        return {
            one.identifier: Warehouse(
                identifier=one.identifier,
                id=one.number,
                name=one.name,
                warehouse_wms_type=one.wms_type,
            )
            for one in await self._store.warehouses(account_id)
            if one.enabled
        }

    async def _is_bad(self, given: GivenOrder) -> bool:
        if given.order_status is not OrderStatusInput.UNFULFILLED:
            return False
        try:
            (checked,) = await self._addresses.check((delivery_address(given),), form=form_faults)
        except CheckerDown:
            return True
        return bool(checked.faults)


class _Edit:
    """What one input makes of the order, whatever it finds when it is decided on."""

    def __init__(
        self,
        given: GivenOrder,
        *,
        warehouses: Mapping[str, Warehouse],
        account: Account,
        submit_at: datetime | None,
        address_is_bad: bool,
        now: datetime,
    ) -> None:
        self._given = given
        self._warehouses = warehouses
        self._account = account
        self._submit_at = submit_at
        self._address_is_bad = address_is_bad
        self._now = now
        self._before = Stage.NEW

    def content(self, known: Order | None) -> OrderContent:
        self._before = stage(known)
        content = content_of(
            self._given,
            known=None if known is None else known.content,
            warehouses=self._warehouses,
            account=self._account,
        )
        refused = refusal(known, content=content, status=self._given.order_status)
        if refused is not None:
            raise refused
        return content

    def updates(self, order: Order) -> Sequence[Update]:
        found = step(
            order,
            before=self._before,
            status=self._given.order_status,
            submit_at=self._submit_at,
            now=self._now,
            address_is_bad=self._address_is_bad,
        )
        return _updates(order, found)


def _submission(at: datetime | None, *, now: datetime) -> Play | None:
    """That an order is submitted when its time comes."""
    if at is None or at <= now:
        return None
    return Play(SUBMIT, at, step=0, fake=False)


def _submitted(known: Order | None) -> OrderContent:
    """The content of an order as it is, if it can be worked on."""
    if known is None:
        raise UnknownRecord
    if known.state is not S.SUBMITTED:
        raise IllegalMove(
            f"the order cannot be completed: it is {known.state.value}",
            state=known.state,
            allowed=allowed_next(known.state),
        )
    return known.content


def _updates(order: Order, found: Step | None) -> Sequence[Update]:
    if found is None or (found.state, found.reason) == (order.state, order.reason):
        return ()
    return (
        Update(
            source=SOURCE,
            state=found.state,
            reason=found.reason,
        ),
    )


def _taken(results: Sequence[OrderResult]) -> OrderResult:
    """The result of the one order of a request. Raises what it was refused for."""
    (result,) = results
    if result.refusal is not None:
        raise result.refusal
    return result


def submit_at_of(order: Order) -> datetime | None:
    """When an order is to be submitted, as far as its merchant said so."""
    raw = order.content.extensions.get(NAME)
    said = None if raw is None else read_as(OrderExtensions, bytes(raw)).asked.submit_at
    return None if said is None else read_moment("submit_at", said)
