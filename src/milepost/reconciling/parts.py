"""One part of a reconciliation: which orders it holds, what the provider says, what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from milepost.contracts.comparison import (
    Difference,
    Theirs,
    compare,
    unknown_here,
    unknown_there,
)
from milepost.contracts.contract import Contract
from milepost.contracts.read_access import CONTRACTS
from milepost.orders.events import RECONCILED, Update
from milepost.orders.lifecycle import ENDS
from milepost.orders.model import Order
from milepost.ports import OrderRef, Store
from milepost.ports.receiving import Source
from milepost.ports.reconciling import (
    Asked,
    ChangedSince,
    Choice,
    Everything,
    Found,
    OneOrder,
    Open,
    Part,
    Place,
    Provider,
    Reconciliation,
    Standing,
    Unanswered,
)

LOOKED_THROUGH = 1_000
"""Orders that are read of at most for one part, whether they are compared or not."""


class Mend(msgspec.Struct, frozen=True, gc=False):
    """A difference, and the update that would mend it, if one can."""

    found: Found
    update: Update | None = None


class Compared(msgspec.Struct, frozen=True, gc=False):
    """What comparing a part came to, before anything is mended."""

    mends: Sequence[Mend]
    part: Part


def stores_of(source: Source) -> tuple[str, ...]:
    """The stores whose orders a source tells of."""
    names = (source.store, *source.stores.values())
    return tuple(dict.fromkeys(name for name in names if name))


def store_of(source: Source, theirs: Theirs) -> str:
    """Our store of an order as the provider names its own."""
    named = (source.stores[one] for one in theirs.stores if one in source.stores)
    return next(named, source.store)


def is_chosen(choice: Choice, standing: Standing, *, stores: Sequence[str]) -> bool:
    """Whether an order is compared."""
    if standing.store not in stores:
        return False
    match choice:
        case Open(quiet_since):
            return standing.state not in ENDS and standing.heard_at <= quiet_since
        case ChangedSince(since):
            return standing.updated_at >= since
        case Everything():
            return True
        case OneOrder(order_id):
            return standing.order_id == order_id


async def compared(
    store: Store,
    run: Reconciliation,
    source: Source,
    provider: Provider,
    *,
    now: datetime,
    again: Collection[str] = (),
) -> Compared | Unanswered:
    """The next part of a run, compared at this time. Raises StoreError.

    `again` are orders that are compared whether they are chosen or not: what a process that has
    ended made of them is not known.
    """
    comparing = _Comparing(store, run, source, provider, now=now, again=again)
    return await (comparing.listed() if run.place.page else comparing.ours())


class _Comparing:
    """What comparing one part needs."""

    def __init__(
        self,
        store: Store,
        run: Reconciliation,
        source: Source,
        provider: Provider,
        *,
        now: datetime,
        again: Collection[str],
    ) -> None:
        self._again = again
        self._store = store
        self._run = run
        self._source = source
        self._provider = provider
        self._now = now
        self._contract: Contract = CONTRACTS[source.kind]
        self._theirs_of: Mapping[str, tuple[str, ...]] = {
            name: tuple(theirs for theirs, ours in source.stores.items() if ours == name)
            for name in stores_of(source)
        }

    # our own orders, page by page

    async def ours(self) -> Compared | Unanswered:
        refs, part = await self._chosen()
        known = await self._orders(refs)
        if not known:
            return Compared((), part)
        asked = [Asked(one.order_key, self._theirs_of.get(one.store, ())) for one in known]
        told = await self._provider.named(asked)
        if isinstance(told, Unanswered):
            return told
        mends = await self._differing(known, told)
        return Compared(mends, msgspec.structs.replace(part, asked=len(known)))

    async def _chosen(self) -> tuple[Sequence[OrderRef], Part]:
        run = self._run
        if isinstance(run.choice, OneOrder):
            ref = OrderRef(run.account_id, order_id=run.choice.order_id)
            return [ref], _part(1, Place(), ends=True)
        stores = stores_of(self._source)
        standings = await self._store.order_standings(
            run.account_id, after=run.place.after, limit=LOOKED_THROUGH
        )
        refs: list[OrderRef] = []
        examined, after = 0, run.place.after
        for standing in standings:
            after = standing.order_id
            examined += standing.store in stores
            if standing.order_id in self._again or is_chosen(run.choice, standing, stores=stores):
                refs.append(OrderRef(run.account_id, order_id=standing.order_id))
            if len(refs) == self._provider.at_once:
                return refs, _part(examined, Place(after), ends=False)
        if len(standings) == LOOKED_THROUGH:
            return refs, _part(examined, Place(after), ends=False)
        lists = self._provider.lists and run.listed_since is not None
        return refs, _part(examined, Place(after, 1), ends=not lists)

    async def _orders(self, refs: Sequence[OrderRef]) -> list[Order]:
        if not refs:
            return []
        found = await self._store.orders_named(refs)
        return [order for order in found if order and not order.fake and order.erased_at is None]

    async def _differing(self, known: Sequence[Order], told: Sequence[Theirs]) -> list[Mend]:
        by_key: dict[str, list[Theirs]] = {}
        for one in told:
            by_key.setdefault(one.order_key, []).append(one)
        pairs = [(order, self._meant(order, by_key)) for order in known]
        first = {order.order_id: self._compare(order, theirs) for order, theirs in pairs}
        doubted = [(order, theirs) for order, theirs in pairs if first[order.order_id]]
        # While the provider was asked it may have told us itself: only what differs still counts.
        refs = [OrderRef(one.account_id, order_id=one.order_id) for one, _ in doubted]
        again = {order.order_id: order for order in await self._orders(refs)}
        mends: list[Mend] = []
        for before, theirs in doubted:
            after = again.get(before.order_id)
            if after is None:
                continue
            kinds = {(one.kind, one.parcel) for one in first[before.order_id]}
            mends += [
                self._mend(after, still)
                for still in self._compare(after, theirs)
                if (still.kind, still.parcel) in kinds
            ]
        return mends

    def _meant(self, order: Order, by_key: Mapping[str, Sequence[Theirs]]) -> Theirs | None:
        found = by_key.get(order.order_key, ())
        return next(
            (one for one in found if not one.stores or store_of(self._source, one) == order.store),
            None,
        )

    def _compare(self, order: Order, theirs: Theirs | None) -> Sequence[Difference]:
        if theirs is None:
            return (unknown_there(order, self._contract),)
        return compare(
            self._contract,
            order,
            theirs,
            asked_at=self._now,
            trusted=self._source.trusted,
        )

    def _mend(self, order: Order, difference: Difference) -> Mend:
        found = Found(
            order_id=order.order_id,
            store=order.store,
            order_key=order.order_key,
            kind=difference.kind,
            parcel=difference.parcel,
            ours=difference.ours,
            theirs=difference.theirs,
            why=difference.why,
        )
        if difference.mend is None:
            return Mend(found)
        update = msgspec.structs.replace(
            difference.mend,
            source=RECONCILED + self._source.source,
            trusted=self._source.trusted,
            precedence=self._source.precedence,
        )
        return Mend(found, update)

    # the provider's own list

    async def listed(self) -> Compared | Unanswered:
        run, page = self._run, self._run.place.page
        since = run.listed_since or run.asked_at - timedelta(days=1)
        told = await self._provider.listed(since=since, until=run.asked_at, page=page)
        if isinstance(told, Unanswered):
            return told
        pairs = [(store_of(self._source, one), one) for one in told.orders]
        refs = [
            OrderRef(run.account_id, store=store, order_key=one.order_key) for store, one in pairs
        ]
        known = await self._store.orders_named(refs) if refs else ()
        mends = [
            Mend(_unknown(store, one))
            for (store, one), order in zip(pairs, known, strict=True)
            if order is None
        ]
        part = _part(0, Place(run.place.after, page + 1), ends=not told.more)
        return Compared(mends, part)


def _unknown(store: str, theirs: Theirs) -> Found:
    difference = unknown_here(theirs)
    return Found(
        order_id=None,
        store=store,
        order_key=theirs.order_key,
        kind=difference.kind,
        parcel="",
        ours="",
        theirs=difference.theirs,
        why=f"its store there is {', '.join(theirs.stores)}" if not store else "",
    )


def _part(examined: int, place: Place, *, ends: bool) -> Part:
    return Part(found=(), examined=examined, asked=0, place=place, ends=ends)
