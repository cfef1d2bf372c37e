"""Sources, and the messages that they have sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports import Changes, Lease, Mentioned, Page
from milepost.ports.receipts import MessageName, Receipt, ReceiptName, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter, Refusals, Source
from milepost.sealing import Vault
from milepost.store.cursors import next_cursor, read_cursor
from milepost.store.receiving_rows import (
    ERASED_AT_ONCE,
    counts_of,
    decided_rows,
    erased_values,
    leased,
    receipt_of,
    receipt_rows,
    receipts_by_name,
    refusals_of,
    sealed_anew,
    sealed_nothing,
    source_of,
    source_values,
)
from milepost.store.rows import micros, moment
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


class _AfterReceipt(NamedTuple):
    after_receipt: str


# sources


def put_source(session: Session, source: Source, *, vault: Vault) -> None:
    named = {"account_id": source.account_id, "source": source.source}
    before = session.row("source", **named)
    if before is None or before[3] != source.digest:
        if not session.write("put_source_path", **named, digest=source.digest):
            raise AlreadyExists("path")
        if before is not None:
            session.write("drop_source_path", **named, digest=before[3])
    session.write("put_source", **source_values(source, vault=vault))


def sources(session: Session, account_id: str | None, *, vault: Vault) -> Sequence[Source]:
    if account_id is None:
        rows = session.rows("every_source")
    else:
        rows = session.rows("sources", account_id=account_id)
    return [source_of(row, vault=vault) for row in rows]


def source_of_path(session: Session, digest: str, *, vault: Vault) -> Source | None:
    row = session.row("source_of_path", digest=digest)
    return None if row is None else source_of(row, vault=vault)


def delete_source(session: Session, account_id: str, source: str) -> None:
    named = {"account_id": account_id, "source": source}
    row = session.row("source", **named)
    if row is None:
        raise UnknownRecord(source)
    session.write("drop_source_path", **named, digest=row[3])
    session.write("delete_source", **named)
    session.write("forget_refusals", **named)


def forget_source_secrets(session: Session, *, vault: Vault) -> None:
    """Puts no secrets where others were that cannot be read any more."""
    for row in session.rows("every_source"):
        names = {"account_id": row[0], "source": row[1], "before": row[10]}
        session.write("reseal_source", **names, sealed=sealed_nothing(row, vault=vault))


def reseal_sources(session: Session, *, vault: Vault) -> None:
    """Seals with the first key whatever another one has sealed; there are never many."""
    for row in session.rows("every_source"):
        if not vault.is_current(row[10]):
            names = {"account_id": row[0], "source": row[1], "before": row[10]}
            session.write("reseal_source", **names, sealed=sealed_anew(row, vault=vault))


def count_refused(
    session: Session, account_id: str, source: str, *, number: int, why: str, now: datetime
) -> None:
    session.write(
        "count_refused",
        account_id=account_id,
        source=source,
        number=number,
        why=why,
        now=micros(now),
    )


def refusals(session: Session, account_id: str) -> Mapping[str, Refusals]:
    return refusals_of(session.rows("refusals", account_id=account_id))


# receipts


def read_messages(session: Session, mentioned: Mentioned) -> Mapping[MessageName, str]:
    """Those of these messages that are known, by the ids of their receipts."""
    if not mentioned.messages:
        return {}
    rows = session.batch("messages_known", list(dict.fromkeys(mentioned.messages)))
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def read_receipts(session: Session, names: Sequence[ReceiptName]) -> Mapping[ReceiptName, Receipt]:
    if not names:
        return {}
    return receipts_by_name(session.batch("receipts_by_id", list(dict.fromkeys(names))))


def write_receipts(session: Session, changes: Changes) -> None:
    if changes.receipts:
        session.batch("insert_receipts", receipt_rows(changes))
    if changes.decided:
        session.batch("decide_receipts", decided_rows(changes))


def _through(wanted: ReceiptFilter) -> Mapping[str, bool]:
    """The index that leaves least of the account, if any leaves less than all."""
    if wanted.order_id is not None:
        return {"by_order": True}
    if wanted.verdict not in (None, ReceiptVerdict.APPLIED):
        return {"by_verdict": True}
    return {} if wanted.source is None else {"by_source": True}


def receipts(
    session: Session, account_id: str, *, wanted: ReceiptFilter, page: Page
) -> tuple[Sequence[Receipt], str | None]:
    place = read_cursor(page.after, shape=_AfterReceipt)
    verdict = wanted.verdict
    rows = session.rows(
        "receipts_page",
        account_id=account_id,
        source=wanted.source,
        order_id=wanted.order_id,
        verdict=None if verdict is None else verdict.value,
        **_through(wanted),
        after_receipt=None if place is None else place.after_receipt,
        limit=page.limit + 1,
    )
    found = [receipt_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(1,))


def receipt(session: Session, account_id: str, receipt_id: str) -> Receipt:
    row = session.row("receipt", account_id=account_id, receipt_id=receipt_id)
    if row is None:
        raise UnknownRecord(receipt_id)
    return receipt_of(row)


def last_received(session: Session, account_id: str, source: str) -> datetime | None:
    row = session.row("last_received", account_id=account_id, source=source)
    return None if row is None else moment(row[0])


def last_received_each(session: Session, account_id: str) -> Mapping[str, datetime]:
    rows = session.rows("last_received_each", account_id=account_id)
    return {row[0]: moment(row[1]) for row in rows if row[1] is not None}


def verdict_counts(
    session: Session, account_id: str, *, most: int
) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
    return counts_of(session.rows("verdict_counts", account_id=account_id, most=most))


def accounts_with_due(session: Session, *, now: datetime) -> list[str]:
    return [row[0] for row in session.rows("accounts_with_due_receipts", now=micros(now))]


def claim_waiting(
    session: Session, accounts: Sequence[str], *, lease: Lease, now: datetime, limit: int
) -> Sequence[Receipt]:
    found: list[Receipt] = []
    for account_id in accounts:
        left = limit - len(found)
        rows = session.rows("due_receipts", account_id=account_id, now=micros(now), limit=left)
        found += map(receipt_of, rows)
    session.batch("put_off_receipts", [leased(one, lease.until) for one in found])
    return found


def rest_waiting(session: Session, names: Sequence[ReceiptName], *, lease: Lease) -> None:
    until = micros(lease.until)
    session.batch("rest_receipts", [(*name, until) for name in names])


def old_receipts(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    ((count,),) = session.rows(
        "old_receipts", account_id=account_id, before=before, until=micros(until), limit=limit
    )
    return int(count)


def drop_receipts(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    return session.write(
        "drop_receipts", account_id=account_id, before=before, until=micros(until), limit=limit
    )


def erase_receipts(session: Session, order: dict[str, str], *, limit: int) -> int:
    """Empties so many receipts of an order; returns how many."""
    erased = 0
    while erased < limit:
        some = min(limit - erased, ERASED_AT_ONCE)
        rows = session.rows("receipts_to_erase", **order, limit=some)
        for row in rows:
            session.write("erase_receipt", **erased_values(row, account_id=order["account_id"]))
        erased += len(rows)
        if len(rows) < some:
            break
    return erased


class ReceivingOnSqlite:
    """The part of the store that has to do with sources."""

    _vault: Vault
    _writer: Writer
    _readers: Readers

    async def put_source(self, source: Source) -> None:
        await self._writer.run(partial(put_source, source=source, vault=self._vault))

    async def sources(self, account_id: str | None = None) -> Sequence[Source]:
        return await self._readers.run(partial(sources, account_id=account_id, vault=self._vault))

    async def source_of_path(self, digest: str) -> Source | None:
        return await self._readers.run(partial(source_of_path, digest=digest, vault=self._vault))

    async def delete_source(self, account_id: str, source: str) -> None:
        await self._writer.run(partial(delete_source, account_id=account_id, source=source))

    async def count_refused(
        self, account_id: str, source: str, *, number: int, why: str, now: datetime
    ) -> None:
        work = partial(
            count_refused, account_id=account_id, source=source, number=number, why=why, now=now
        )
        await self._writer.run(work)

    async def refusals(self, account_id: str) -> Mapping[str, Refusals]:
        return await self._readers.run(partial(refusals, account_id=account_id))

    async def receipts(
        self, account_id: str, *, wanted: ReceiptFilter, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        return await self._readers.run(
            partial(receipts, account_id=account_id, wanted=wanted, page=page)
        )

    async def receipt(self, account_id: str, receipt_id: str) -> Receipt:
        return await self._readers.run(
            partial(receipt, account_id=account_id, receipt_id=receipt_id)
        )

    async def last_received(self, account_id: str, source: str) -> datetime | None:
        return await self._readers.run(partial(last_received, account_id=account_id, source=source))

    async def last_received_each(self, account_id: str) -> Mapping[str, datetime]:
        return await self._readers.run(partial(last_received_each, account_id=account_id))

    async def verdict_counts(
        self, account_id: str, *, most: int
    ) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
        work = partial(verdict_counts, account_id=account_id, most=most)
        return await self._readers.run(work)

    async def claim_waiting(self, *, lease: Lease, now: datetime, limit: int) -> Sequence[Receipt]:
        """Writes nothing, and waits for no write, when nothing is due."""
        accounts = await self._readers.run(partial(accounts_with_due, now=now))
        if not accounts:
            return ()
        work = partial(claim_waiting, accounts=accounts, lease=lease, now=now, limit=limit)
        return await self._writer.run(work, weight=limit)

    async def rest_waiting(self, names: Sequence[ReceiptName], *, lease: Lease) -> None:
        if names:
            await self._writer.run(partial(rest_waiting, names=names, lease=lease))

    async def old_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        work = partial(old_receipts, account_id=account_id, before=before, until=until, limit=limit)
        return await self._readers.run(work)

    async def drop_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        work = partial(
            drop_receipts, account_id=account_id, before=before, until=until, limit=limit
        )
        return await self._writer.run(work, weight=limit)
