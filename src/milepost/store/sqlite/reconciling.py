"""Reconciliations on SQLite: a part of one is one short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.errors import UnknownRecord
from milepost.ports import Lease, Page
from milepost.ports.reconciling import Found, Part, Reconciliation, RunState, Standing
from milepost.store.cursors import next_cursor
from milepost.store.reconciling_rows import (
    NO_REAL_ORDER,
    TAKEN_UP,
    AfterDifference,
    AfterRun,
    found_of,
    found_values,
    kept_values,
    part_values,
    run_of,
    run_values,
    standing_of,
)
from milepost.store.resend_rows import after_values
from milepost.store.rows import micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def add_reconciliation(
    session: Session, run: Reconciliation, *, not_since: datetime | None, keep: int
) -> Reconciliation | None:
    named = {"account_id": run.account_id, "source": run.source}
    row = session.row("running_reconciliation", **named)
    if row is not None:
        return run_of(row)
    if not_since is not None:
        last = last_reconciliation(session, run.account_id, source=run.source)
        if last is not None and last.asked_at > not_since:
            return None
    session.write("clear_old_differences", **named, keep=keep)
    session.write("clear_old_reconciliations", **named, keep=keep)
    session.write("add_reconciliation", **run_values(run))
    return run


def find_reconciliation(session: Session, account_id: str, *, run_id: str) -> Reconciliation:
    row = session.row("one_reconciliation", account_id=account_id, run_id=run_id)
    if row is None:
        raise UnknownRecord(run_id)
    return run_of(row)


def reconciliations(
    session: Session, account_id: str, *, source: str | None, page: Page
) -> tuple[list[Reconciliation], str | None]:
    rows = session.rows(
        "reconciliations_page",
        account_id=account_id,
        **({} if source is None else {"source": source}),
        **after_values(page.after, shape=AfterRun),
        limit=page.limit + 1,
    )
    following = next_cursor(rows, limit=page.limit, columns=(1,))
    return [run_of(row) for row in rows[: page.limit]], following


def differences(
    session: Session, account_id: str, *, run_id: str, page: Page
) -> tuple[list[Found], str | None]:
    rows = session.rows(
        "differences_page",
        account_id=account_id,
        run_id=run_id,
        **after_values(page.after, shape=AfterDifference),
        limit=page.limit + 1,
    )
    following = next_cursor(rows, limit=page.limit, columns=(0, 1))
    return [found_of(row) for row in rows[: page.limit]], following


def due_reconciliations(session: Session, *, now: datetime, limit: int) -> list[Reconciliation]:
    return [
        run_of(row) for row in session.rows("due_reconciliations", now=micros(now), limit=limit)
    ]


def take_reconciliation(
    session: Session, account_id: str, *, run_id: str, lease: Lease, now: datetime
) -> Reconciliation | None:
    rows = session.rows(
        "take_reconciliation",
        account_id=account_id,
        run_id=run_id,
        owner=lease.owner,
        until=micros(lease.until),
        now=micros(now),
    )
    return run_of(rows[0]) if rows else None


def pending_orders(session: Session, account_id: str, *, run_id: str) -> list[str]:
    rows = session.rows("pending_differences", account_id=account_id, run_id=run_id)
    return sorted({row[0] for row in rows})


def note_differences(
    session: Session, run: Reconciliation, *, found: Sequence[Found], lease: Lease
) -> bool:
    if not session.write("keep_reconciliation", **kept_values(run, lease)):
        return False
    for one in found:
        session.write("put_difference", **found_values(run, one))
    return True


def advance_reconciliation(
    session: Session, run: Reconciliation, *, part: Part, most: int, lease: Lease, now: datetime
) -> Reconciliation | None:
    kept = part.found[: max(most - run.differences, 0)]
    if not note_differences(session, run, found=kept, lease=lease):
        return None
    named = {"account_id": run.account_id, "run_id": run.run_id}
    settled = session.write("settle_differences", **named, why=TAKEN_UP)
    (row,) = session.rows(
        "advance_reconciliation", **part_values(run, part, settled=settled, now=now)
    )
    return run_of(row)


def put_off_reconciliation(
    session: Session,
    run: Reconciliation,
    *,
    owner: str,
    until: datetime,
    failures: int,
    why: str,
) -> None:
    session.write(
        "put_off_reconciliation",
        account_id=run.account_id,
        run_id=run.run_id,
        owner=owner,
        due_at=micros(until),
        failures=failures,
        why=why,
    )


def end_reconciliation(
    session: Session, account_id: str, *, run_id: str, state: RunState, why: str, now: datetime
) -> Reconciliation:
    session.write(
        "end_reconciliation",
        account_id=account_id,
        run_id=run_id,
        state=state.value,
        why=why,
        now=micros(now),
    )
    return find_reconciliation(session, account_id, run_id=run_id)


def last_reconciliation(session: Session, account_id: str, *, source: str) -> Reconciliation | None:
    row = session.row("last_reconciliation", account_id=account_id, source=source)
    return None if row is None else run_of(row)


def failed_reconciliations(session: Session, account_id: str) -> list[Reconciliation]:
    return [run_of(row) for row in session.rows("failed_reconciliations", account_id=account_id)]


def order_standings(session: Session, account_id: str, *, after: str, limit: int) -> list[Standing]:
    rows = session.rows(
        "order_standings", account_id=account_id, after=after, before=NO_REAL_ORDER, limit=limit
    )
    return [standing_of(row) for row in rows]


def number_of_orders(session: Session, account_id: str, *, stores: Sequence[str], most: int) -> int:
    number = 0
    for store in stores:
        ((found,),) = session.rows(
            "number_of_orders", account_id=account_id, store=store, most=most - number
        )
        number += found
    return number


class ReconcilingOnSqlite:
    """The part of the store that reconciles."""

    _writer: Writer
    _readers: Readers

    async def add_reconciliation(
        self, run: Reconciliation, *, not_since: datetime | None = None, keep: int
    ) -> Reconciliation | None:
        return await self._writer.run(
            partial(add_reconciliation, run=run, not_since=not_since, keep=keep)
        )

    async def find_reconciliation(self, account_id: str, run_id: str) -> Reconciliation:
        return await self._readers.run(
            partial(find_reconciliation, account_id=account_id, run_id=run_id)
        )

    async def reconciliations(
        self, account_id: str, *, source: str | None, page: Page
    ) -> tuple[Sequence[Reconciliation], str | None]:
        return await self._readers.run(
            partial(reconciliations, account_id=account_id, source=source, page=page)
        )

    async def differences(
        self, account_id: str, run_id: str, *, page: Page
    ) -> tuple[Sequence[Found], str | None]:
        return await self._readers.run(
            partial(differences, account_id=account_id, run_id=run_id, page=page)
        )

    async def due_reconciliations(self, *, now: datetime, limit: int) -> Sequence[Reconciliation]:
        return await self._readers.run(partial(due_reconciliations, now=now, limit=limit))

    async def take_reconciliation(
        self, account_id: str, run_id: str, *, lease: Lease, now: datetime
    ) -> Reconciliation | None:
        return await self._writer.run(
            partial(take_reconciliation, account_id=account_id, run_id=run_id, lease=lease, now=now)
        )

    async def pending_orders(self, account_id: str, run_id: str) -> Sequence[str]:
        return await self._readers.run(
            partial(pending_orders, account_id=account_id, run_id=run_id)
        )

    async def note_differences(
        self, run: Reconciliation, found: Sequence[Found], *, lease: Lease
    ) -> bool:
        work = partial(note_differences, run=run, found=found, lease=lease)
        return await self._writer.run(work, weight=len(found) or 1)

    async def advance_reconciliation(
        self, run: Reconciliation, part: Part, *, most: int, lease: Lease, now: datetime
    ) -> Reconciliation | None:
        work = partial(advance_reconciliation, run=run, part=part, most=most, lease=lease, now=now)
        return await self._writer.run(work, weight=len(part.found) or 1)

    async def put_off_reconciliation(
        self,
        run: Reconciliation,
        *,
        owner: str,
        until: datetime,
        failures: int,
        why: str,
    ) -> None:
        await self._writer.run(
            partial(
                put_off_reconciliation,
                run=run,
                owner=owner,
                until=until,
                failures=failures,
                why=why,
            )
        )

    async def end_reconciliation(
        self, account_id: str, run_id: str, *, state: RunState, why: str, now: datetime
    ) -> Reconciliation:
        return await self._writer.run(
            partial(
                end_reconciliation,
                account_id=account_id,
                run_id=run_id,
                state=state,
                why=why,
                now=now,
            )
        )

    async def last_reconciliation(self, account_id: str, source: str) -> Reconciliation | None:
        return await self._readers.run(
            partial(last_reconciliation, account_id=account_id, source=source)
        )

    async def failed_reconciliations(self, account_id: str) -> Sequence[Reconciliation]:
        return await self._readers.run(partial(failed_reconciliations, account_id=account_id))

    async def order_standings(
        self, account_id: str, *, after: str, limit: int
    ) -> Sequence[Standing]:
        return await self._readers.run(
            partial(order_standings, account_id=account_id, after=after, limit=limit)
        )

    async def number_of_orders(self, account_id: str, stores: Sequence[str], *, most: int) -> int:
        return await self._readers.run(
            partial(number_of_orders, account_id=account_id, stores=stores, most=most)
        )
