"""The flow: the list, read kind by kind from the records, and what is put aside of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from milepost.attention.matter import (
    Group,
    Kind,
    Matter,
    of_delivery,
    of_endpoint,
    of_receipt,
    of_reconciliation,
    of_refusals,
    of_silence,
    of_update,
)
from milepost.delivery.health import Health
from milepost.errors import InvalidInput
from milepost.orders.events import Verdict
from milepost.ports import AccountNow, Now, Page, Store

WAITS_FOR_ITS_ORDER = timedelta(hours=1)
"""How long an update may wait for its order before somebody should look; ours."""

MOST_DISMISSED_AT_ONCE = 1_000


COUNTED_EVERY = timedelta(seconds=10)
MOST_COUNTED = 100

AT_LEISURE = frozenset((Kind.STALE,))
"""Kinds that are listed and not counted: what came late is seldom missed."""


class Attention:
    """The list of what asks for a person, of one account at a time."""

    def __init__(self, store: Store, *, now: Now, account_now: AccountNow) -> None:
        self._store = store
        self._now = now
        self._account_now = account_now
        self._counted: dict[str, tuple[datetime, int]] = {}

    async def matters(
        self, account_id: str, *, kinds: Sequence[Kind] = tuple(Kind), page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        """A page: kind by kind, endpoints by their ids, the rest newest first.

        Raises InvalidInput for a cursor that no page gave.
        """
        wanted = [kind for kind in Kind if kind in kinds]
        place, after = _read_cursor(page.after, wanted)
        found: list[Matter] = []
        aside = await self._store.dismissed(account_id, [str(kind) for kind in wanted])
        for kind in wanted[place:]:
            rest = Page(after, page.limit - len(found))
            part, after = await self._of_kind(account_id, kind, aside=aside.get(kind), page=rest)
            found += part
            if after is not None:
                return found, f"{kind}.{after}"
            if len(found) >= page.limit:
                following = wanted[wanted.index(kind) + 1 :]
                return found, f"{following[0]}." if following else None
        return found, None

    async def groups(self, account_id: str, *, limit: int) -> Sequence[Group]:
        """The first so many of each kind; kinds of which there is nothing are left out."""
        aside = await self._store.dismissed(account_id, [str(kind) for kind in Kind])
        found = []
        for kind in Kind:
            matters, after = await self._of_kind(
                account_id, kind, aside=aside.get(kind), page=Page(limit=limit)
            )
            if matters:
                found.append(Group(kind, matters, after and f"{kind}.{after}"))
        return found

    async def count(self, account_id: str) -> int:
        """How much is urgent, up to MOST_COUNTED of each kind; counted anew after a while."""
        now = self._now()
        at, _ = self._counted.get(account_id, (None, 0))
        if at is None or not timedelta() <= now - at < COUNTED_EVERY:
            self.note(account_id, await self.groups(account_id, limit=MOST_COUNTED))
        return self.counted(account_id)

    def note(self, account_id: str, groups: Sequence[Group]) -> None:
        """Remembers how much these are, which are all that there is."""
        number = sum(len(group.matters) for group in groups if group.kind not in AT_LEISURE)
        self._counted[account_id] = (self._now(), number)

    def counted(self, account_id: str) -> int:
        """What was counted last in this process; 0 before it was."""
        return self._counted.get(account_id, (None, 0))[1]

    async def dismiss(self, account_id: str, items: Sequence[str]) -> int:
        """Puts these aside by their attention id; returns how many.

        One comes back when its reason begins anew. Raises InvalidInput.
        """
        if not 1 <= len(items) <= MOST_DISMISSED_AT_ONCE:
            expected = f"1 to {MOST_DISMISSED_AT_ONCE:,} attention ids"
            raise InvalidInput(field="items", expected=expected)
        for place, item in enumerate(items):
            if item.partition(":")[0] not in _PREFIXES or len(item) > LONGEST_ID:
                raise InvalidInput(field=f"items[{place}]", expected="an attention id of the list")
        unique = tuple(dict.fromkeys(items))
        await self._store.dismiss(account_id, unique, now=self._now())
        return len(unique)

    async def dismiss_kinds(
        self, account_id: str, kinds: Sequence[Kind], *, until: datetime | None = None
    ) -> datetime:
        """Puts aside whatever of these kinds began by then, or by now; returns the time."""
        # Updates came in, and orders fell silent, at the account's time; attempts were made, and
        # endpoints paused, at ours.
        now, there = self._now(), await self._account_now(account_id)
        at = now
        for latest, of_updates in ((now, False), (there, True)):
            those = [kind.value for kind in kinds if (kind in _AT_ITS_TIME) is of_updates]
            if those:
                at = latest if until is None else min(until, latest)
                await self._store.dismiss(account_id, those, now=at)
        return at

    async def _of_kind(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        if kind in _VERDICTS:
            return await self._updates(account_id, kind, aside=aside, page=page)
        if kind is Kind.SILENT:
            silences, following = await self._store.attending_silences(
                account_id, after=aside, page=page
            )
            return [of_silence(silence) for silence in silences], following
        if kind is Kind.UNMAPPED:
            receipts, following = await self._store.unmapped(account_id, after=aside, page=page)
            return [of_receipt(receipt) for receipt in receipts], following
        if kind is Kind.REFUSED:
            return await self._refused(account_id, aside=aside, page=page)
        if kind is Kind.RECONCILIATION:
            return await self._reconciliations(account_id, aside=aside, page=page)
        if kind is not Kind.ABANDONED:
            return await self._endpoints(account_id, kind, aside=aside, page=page)
        found, following = await self._store.abandoned(account_id, after=aside, page=page)
        return [of_delivery(delivery) for delivery in found], following

    async def _updates(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        verdict, patience = _VERDICTS[kind]
        updates, following = await self._store.unresolved(
            account_id,
            verdict=verdict,
            after=None if aside is None else aside - patience,
            until=await self._account_now(account_id) - patience,
            page=page,
        )
        return [of_update(one, kind=kind, patience=patience) for one in updates], following

    async def _reconciliations(
        self, account_id: str, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        """Sources whose last comparison with their provider has failed, by their names."""
        failed = await self._store.failed_reconciliations(account_id)
        matters = [
            of_reconciliation(run)
            for run in failed
            if run.source > (page.after or "")
            and (aside is None or (run.finished_at or run.asked_at) > aside)
        ]
        return await self._not_aside(account_id, matters, page=page)

    async def _refused(
        self, account_id: str, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        """Sources of which nothing was let in since something was refused, by their names."""
        matters: list[Matter] = []
        for source, refusals in sorted((await self._store.refusals(account_id)).items()):
            last = await self._store.last_received(account_id, source)
            matters += of_refusals(source, refusals, last)
        shown = [
            matter
            for matter in matters
            if (matter.source or "") > (page.after or "")
            and (aside is None or matter.since > aside)
        ]
        return await self._not_aside(account_id, shown, page=page)

    async def _not_aside(
        self, account_id: str, matters: Sequence[Matter], *, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        put_aside = await self._store.dismissed(account_id, [m.attention_id for m in matters])
        left = [matter for matter in matters if matter.attention_id not in put_aside]
        last = left[page.limit - 1] if len(left) > page.limit else None
        return left[: page.limit], None if last is None else last.endpoint_id or last.source

    async def _endpoints(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        records = await self._store.health(account_id)
        endpoints = await self._store.endpoints(account_id)
        matters = [
            matter
            for endpoint in sorted(endpoints, key=lambda e: e.endpoint_id)
            if endpoint.endpoint_id > (page.after or "")
            for matter in of_endpoint(
                endpoint, health=records.get(endpoint.endpoint_id, Health()), kind=kind
            )
            if aside is None or matter.since > aside
        ]
        return await self._not_aside(account_id, matters, page=page)


_VERDICTS: Mapping[Kind, tuple[Verdict, timedelta]] = MappingProxyType(
    {
        Kind.ILLEGAL: (Verdict.ILLEGAL, timedelta()),
        Kind.ORPHAN: (Verdict.ORPHAN, WAITS_FOR_ITS_ORDER),
        Kind.STALE: (Verdict.STALE, timedelta()),
    }
)
"""Which verdict's updates ask for a person, and how long after they came in."""

_AT_ITS_TIME = frozenset((*_VERDICTS, Kind.SILENT))
"""Kinds whose matters begin at the account's time."""

_PREFIXES = frozenset(
    ("paused", "failing", "delivery", "update", "silence", "reconciliation", "receipt", "source")
)
LONGEST_ID = 300


def _read_cursor(cursor: str | None, kinds: Sequence[Kind]) -> tuple[int, str | None]:
    """Which of the kinds a page begins with, and where in it."""
    if cursor is None:
        return 0, None
    name, dot, after = cursor.partition(".")
    if not dot or name not in kinds:
        raise InvalidInput(field="after", expected="a cursor that this list gave")
    return list(kinds).index(Kind(name)), after or None
