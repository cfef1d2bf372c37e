"""Sources, and the messages that they have sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports import Lease, Mentioned, Page
from milepost.ports.receipts import MessageName, Receipt, ReceiptName, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter, Refusals, Source
from milepost.sealing import Vault
from milepost.store.cursors import next_cursor, read_cursor
from milepost.store.postgres.packing import plain
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import Session
from milepost.store.postgres.writing import written
from milepost.store.receiving_rows import (
    ERASED_AT_ONCE,
    counts_of,
    erased_values,
    receipt_of,
    receipts_by_name,
    refusals_of,
    sealed_anew,
    sealed_nothing,
    source_of,
    source_values,
)
from milepost.store.rows import micros, moment


class _AfterReceipt(NamedTuple):
    after_receipt: str


# sources


async def put_source(session: Session, source: Source, *, vault: Vault) -> None:
    named = {"account_id": source.account_id, "source": source.source}
    async with session.transaction():
        before = await session.row("source", **named)
        if before is None or before[3] != source.digest:
            if not await session.write("put_source_path", **named, digest=source.digest):
                raise AlreadyExists("path")
            if before is not None:
                await session.write("drop_source_path", **named, digest=before[3])
        await session.write("put_source", **source_values(source, vault=vault))


async def sources(session: Session, account_id: str | None, *, vault: Vault) -> Sequence[Source]:
    if account_id is None:
        rows = await session.rows("every_source")
    else:
        rows = await session.rows("sources", account_id=account_id)
    return [source_of(row, vault=vault) for row in rows]


async def source_of_path(session: Session, digest: str, *, vault: Vault) -> Source | None:
    row = await session.row("source_of_path", digest=digest)
    return None if row is None else source_of(row, vault=vault)


async def delete_source(session: Session, account_id: str, source: str) -> None:
    named = {"account_id": account_id, "source": source}
    async with session.transaction():
        row = await session.row("source", **named)
        if row is None:
            raise UnknownRecord(source)
        await session.write("drop_source_path", **named, digest=row[3])
        await session.write("delete_source", **named)
        await session.write("forget_refusals", **named)


async def forget_source_secrets(session: Session, *, vault: Vault) -> None:
    """Puts no secrets where others were that cannot be read any more."""
    for row in await session.rows("every_source"):
        names = {"account_id": row[0], "source": row[1], "before": row[10]}
        nothing = sealed_nothing(row, vault=vault)
        await session.write("reseal_source", **names, sealed=nothing)


async def reseal_sources(session: Session, *, vault: Vault) -> None:
    """Seals with the first key whatever another one has sealed; there are never many."""
    for row in await session.rows("every_source"):
        if not vault.is_current(row[10]):
            names = {"account_id": row[0], "source": row[1], "before": row[10]}
            sealed = sealed_anew(row, vault=vault)
            await session.write("reseal_source", **names, sealed=sealed)


# receipts


async def read_messages(session: Session, mentioned: Mentioned) -> Mapping[MessageName, str]:
    """Those of these messages that are known, by the ids of their receipts."""
    if not mentioned.messages:
        return {}
    rows = await session.batch("messages_known", list(dict.fromkeys(mentioned.messages)))
    return {(row[0], row[1], row[2]): row[3] for row in map(plain, rows)}


async def read_receipts(
    session: Session, names: Sequence[ReceiptName]
) -> Mapping[ReceiptName, Receipt]:
    if not names:
        return {}
    rows = await session.batch("receipts_by_id", list(dict.fromkeys(names)))
    return receipts_by_name([plain(row) for row in rows])


def _page_of(wanted: ReceiptFilter) -> str:
    """The statement that walks through the index that leaves least."""
    if wanted.order_id is not None:
        return "receipts_page_of_order"
    if wanted.verdict not in (None, ReceiptVerdict.APPLIED):
        return "receipts_page_of_verdict"
    return "receipts_page" if wanted.source is None else "receipts_page_of_source"


async def receipts(
    session: Session, account_id: str, *, wanted: ReceiptFilter, page: Page
) -> tuple[Sequence[Receipt], str | None]:
    place = read_cursor(page.after, shape=_AfterReceipt)
    rows = await session.rows(
        _page_of(wanted),
        account_id=account_id,
        source=wanted.source,
        order_id=wanted.order_id,
        verdict=None if wanted.verdict is None else wanted.verdict.value,
        after_receipt=None if place is None else place.after_receipt,
        limit=page.limit + 1,
    )
    found = [receipt_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(1,))


async def receipt(session: Session, account_id: str, receipt_id: str) -> Receipt:
    row = await session.row("receipt", account_id=account_id, receipt_id=receipt_id)
    if row is None:
        raise UnknownRecord(receipt_id)
    return receipt_of(row)


async def claim_waiting(
    session: Session, accounts: Sequence[str], *, lease: Lease, now: datetime, limit: int
) -> list[Receipt]:
    found: list[Receipt] = []
    times = {"now": micros(now), "until": micros(lease.until)}
    for account_id in accounts:
        left = limit - len(found)
        rows = await session.rows("claim_receipts", account_id=account_id, **times, limit=left)
        found += map(receipt_of, rows)
    return found


async def rest_waiting(session: Session, names: Sequence[ReceiptName], *, lease: Lease) -> None:
    until = micros(lease.until)
    await session.batch("rest_receipts", [(*name, until) for name in sorted(names)])


async def erase_receipts(session: Session, named: dict[str, str], *, limit: int) -> int:
    """Empties so many receipts of an order; returns how many."""
    erased = 0
    while erased < limit:
        some = min(limit - erased, ERASED_AT_ONCE)
        rows = await session.rows("receipts_to_erase", **named, limit=some)
        for row in rows:
            values = erased_values(row, account_id=named["account_id"])
            await session.write("erase_receipt", **values)
        erased += len(rows)
        if len(rows) < some:
            break
    return erased


class ReceivingOnPostgres:
    """The part of the store that has to do with sources."""

    _vault: Vault
    _main: Pool
    _readers: Pool

    async def put_source(self, source: Source) -> None:
        await written(self._main, partial(put_source, source=source, vault=self._vault))

    async def sources(self, account_id: str | None = None) -> Sequence[Source]:
        async with self._readers.session() as session:
            return await sources(session, account_id, vault=self._vault)

    async def source_of_path(self, digest: str) -> Source | None:
        async with self._readers.session() as session:
            return await source_of_path(session, digest, vault=self._vault)

    async def delete_source(self, account_id: str, source: str) -> None:
        await written(self._main, partial(delete_source, account_id=account_id, source=source))

    async def count_refused(
        self, account_id: str, source: str, *, number: int, why: str, now: datetime
    ) -> None:
        async with self._main.session() as session:
            await session.write(
                "count_refused",
                account_id=account_id,
                source=source,
                number=number,
                why=why,
                now=micros(now),
            )

    async def refusals(self, account_id: str) -> Mapping[str, Refusals]:
        async with self._readers.session() as session:
            return refusals_of(await session.rows("refusals", account_id=account_id))

    async def receipts(
        self, account_id: str, *, wanted: ReceiptFilter, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        async with self._readers.session() as session:
            return await receipts(session, account_id, wanted=wanted, page=page)

    async def receipt(self, account_id: str, receipt_id: str) -> Receipt:
        async with self._readers.session() as session:
            return await receipt(session, account_id, receipt_id)

    async def last_received(self, account_id: str, source: str) -> datetime | None:
        async with self._readers.session() as session:
            row = await session.row("last_received", account_id=account_id, source=source)
        return None if row is None else moment(row[0])

    async def last_received_each(self, account_id: str) -> Mapping[str, datetime]:
        async with self._readers.session() as session:
            rows = await session.rows("last_received_each", account_id=account_id)
        return {row[0]: moment(row[1]) for row in rows if row[1] is not None}

    async def verdict_counts(
        self, account_id: str, *, most: int
    ) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
        async with self._readers.session() as session:
            rows = await session.rows("verdict_counts", account_id=account_id, most=most)
        return counts_of(rows)

    async def claim_waiting(self, *, lease: Lease, now: datetime, limit: int) -> Sequence[Receipt]:
        async with self._readers.session() as session:
            due = await session.rows("accounts_with_due_receipts", now=micros(now))
        if not due:
            return ()
        accounts = [row[0] for row in due]
        return await written(
            self._main,
            partial(claim_waiting, accounts=accounts, lease=lease, now=now, limit=limit),
        )

    async def rest_waiting(self, names: Sequence[ReceiptName], *, lease: Lease) -> None:
        if names:
            await written(self._main, partial(rest_waiting, names=names, lease=lease))

    async def old_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        values = {"account_id": account_id, "before": before, "until": micros(until)}
        async with self._readers.session() as session:
            ((count,),) = await session.rows("old_receipts", **values, limit=limit)
        return int(count)

    async def drop_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        values = {"account_id": account_id, "before": before, "until": micros(until)}
        async with self._main.session() as session:
            return await session.write("drop_receipts", **values, limit=limit)
