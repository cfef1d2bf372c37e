"""The flow of receiving: a message is stored and decided on in one transaction, then answered.

What waits for a parcel with its tracking number is looked for by itself: a parcel that gets a
number makes it due, and whichever process looks first takes it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from milepost.contracts.incoming import Headers, Message
from milepost.errors import InvalidInput, MilepostError, StoreError
from milepost.intake import MessageInput, MessageResult
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.ports import Lease, NewId, Now, Page, Store
from milepost.ports.core import RECEIPT
from milepost.ports.receipts import OPEN, Receipt, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter, Source
from milepost.receiving.gates import Gate, Gates
from milepost.receiving.limits import check_message, encoded
from milepost.receiving.meaning import input_of
from milepost.receiving.setup import Setup

LOOK_EVERY_S = 1.0
"""How soon a message applies itself after a parcel has got its number."""

AT_ONCE = 50
"""How many waiting messages are taken at once."""

LEASE = timedelta(seconds=60)
LONGEST_WHY = 200

Messages = Callable[[str, Sequence[MessageInput]], Awaitable[Sequence[MessageResult]]]
"""Intake's way to decide on messages of an account; may raise MilepostError."""

_read_message = msgspec.json.Decoder(Message).decode


class Receiving(Setup):
    """Takes messages of sources; when a call returns, what it tells is on disk."""

    def __init__(
        self,
        store: Store,
        *,
        messages: Messages,
        now: Now,
        account_now: Callable[[str], Awaitable[datetime]],
        new_id: NewId,
        token: Callable[[int], bytes],
        clock: Callable[[], float],
        owner: str,
        metrics: Metrics,
    ) -> None:
        def epoch_s() -> float:
            return now().timestamp()

        self.gates = Gates(store, clock=clock, epoch_s=epoch_s)
        super().__init__(store, now=now, token=token, epoch_s=epoch_s, forget=self.gates.forget)
        self._messages = messages
        self._account_now = account_now
        self._new_id = new_id
        self._owner = owner
        self._metrics = metrics
        self._refused: Counter[tuple[str, str]] = Counter()
        self._why: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._log = logger("receiving")
        self._work: asyncio.Task[None] | None = None

    # what comes in

    async def take(self, gate: Gate, headers: Headers, body: bytes) -> MessageResult:
        """Proves, reads and stores a message, and decides on what it says.

        Raises SourceRefused for what is not proved, InvalidInput and TooLarge for what cannot be
        read; Overloaded, Stopping or StoreError, with nothing accepted.
        """
        message = gate.read(headers, body)
        source = gate.source
        check_message(message, now=await self._account_now(source.account_id))
        receipt = self._receipt(source, message, content_type=headers.get("content-type", ""))
        receipt = msgspec.structs.replace(receipt, body=body, size=len(body))
        item = await input_of(self._store, message, receipt=receipt, source=source)
        (result,) = await self._messages(source.account_id, [item])
        self._metrics.messages.add(source.kind, result.verdict.value)
        return result

    def _receipt(self, source: Source, message: Message, *, content_type: str) -> Receipt:
        """The receipt of a message, on which nothing is decided yet."""
        return Receipt(
            account_id=source.account_id,
            receipt_id=f"{RECEIPT}{self._new_id()}",
            source=source.source,
            kind=message.kind,
            message_id=message.message_id,
            verdict=ReceiptVerdict.KEPT,
            why="",
            word=message.word[:255],
            store=None,
            order_key=None,
            order_id=None,
            tracking_number=message.tracking_number,
            received_at=self._now(),
            content_type=content_type[:255],
            message=encoded(message),
        )

    def refused(self, source: Source, why: str, *, kind: str) -> None:
        """Counts a request that was refused; it is kept with the source a moment later."""
        self._metrics.messages.add(source.kind, kind)
        name = (source.account_id, source.source)
        self._refused[name] += 1
        self._why[name] = (why[:LONGEST_WHY], self._now())

    async def note_refused(self) -> None:
        """Keeps what was refused since the last time."""
        refused, self._refused = self._refused, Counter()
        why, self._why = self._why, {}
        for (account_id, source), number in refused.items():
            told, at = why[account_id, source]
            await self._store.count_refused(account_id, source, number=number, why=told, now=at)

    # what came in

    async def receipts(
        self, account_id: str, *, wanted: ReceiptFilter, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        """A page of receipts without their bodies, newest first."""
        return await self._store.receipts(account_id, wanted=wanted, page=page)

    async def verdict_counts(
        self, account_id: str, *, most: int
    ) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
        """What became of the account's last so many messages, by source."""
        return await self._store.verdict_counts(account_id, most=most)

    async def receipt(self, account_id: str, receipt_id: str) -> Receipt:
        """A receipt with its body. Raises UnknownRecord."""
        return await self._store.receipt(account_id, receipt_id)

    async def retry(self, account_id: str, receipt_id: str) -> Receipt:
        """Decides on a message again, as its source is set up now; returns its receipt.

        Raises UnknownRecord; InvalidInput for one on which there is nothing left to decide.
        """
        receipt = await self._store.receipt(account_id, receipt_id)
        if receipt.verdict not in OPEN or not receipt.message:
            raise InvalidInput(field="receipt_id", expected=f"one that is {_or(OPEN)}")
        source = await self.source(account_id, receipt.source)
        await self._messages(account_id, [await self._again(receipt, source)])
        return await self._store.receipt(account_id, receipt_id)

    async def _again(self, receipt: Receipt, source: Source | None) -> MessageInput:
        message = _read_message(receipt.message)
        if source is None:
            source = _gone(receipt)
        return await input_of(self._store, message, receipt=receipt, source=source, again=True)

    # what waits for a parcel with its tracking number

    async def catch_up(self) -> int:
        """Applies messages whose parcel is there by now; returns how many."""
        applied, claimed = 0, AT_ONCE
        while claimed == AT_ONCE:
            now = self._now()
            lease = Lease(self._owner, now + LEASE)
            receipts = await self._store.claim_waiting(lease=lease, now=now, limit=AT_ONCE)
            claimed = len(receipts)
            applied += await self._apply(receipts, lease=lease)
        return applied

    async def _apply(self, receipts: Sequence[Receipt], *, lease: Lease) -> int:
        if not receipts:
            return 0
        resting: list[tuple[str, str]] = []
        found: dict[str, list[MessageInput]] = {}
        sources = await self._sources_of(receipts)
        for receipt in receipts:
            name = (receipt.account_id, receipt.source)
            item = await self._again(receipt, sources.get(name))
            if all(word.verdict is not ReceiptVerdict.ORPHAN for word in item.words):
                found.setdefault(receipt.account_id, []).append(item)
            else:
                resting.append((receipt.account_id, receipt.receipt_id))
        await self._store.rest_waiting(resting, lease=lease)
        for account_id, items in found.items():
            await self._messages(account_id, items)
        return sum(map(len, found.values()))

    async def _sources_of(self, receipts: Sequence[Receipt]) -> Mapping[tuple[str, str], Source]:
        found: dict[tuple[str, str], Source] = {}
        for account_id in dict.fromkeys(receipt.account_id for receipt in receipts):
            for source in await self._store.sources(account_id):
                found[account_id, source.source] = source
        return found

    # by itself

    def start(self, *, applies: bool) -> None:
        """Keeps what was refused and, if this process `applies`, looks after what waits."""
        self._work = asyncio.create_task(self._for_ever(applies=applies))

    async def stop(self) -> None:
        """Leaves what waits to the next one, and keeps what was refused."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None
        try:
            await self.note_refused()
        except StoreError as error:
            self._log.warning("refusals_lost", error=str(error))

    async def _for_ever(self, *, applies: bool) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.note_refused()
                if applies:
                    await self.catch_up()
            except MilepostError as error:
                self._log.warning("receiving_waits", error=str(error))


def _or(verdicts: frozenset[ReceiptVerdict]) -> str:
    return " or ".join(sorted(verdicts))


def _gone(receipt: Receipt) -> Source:
    """What counts of a source that was removed: it has no say beyond its words."""
    return Source(
        account_id=receipt.account_id,
        source=receipt.source,
        kind="",
        digest="",
        store=receipt.store or "",
        stores={},
        networks=(),
        precedence=0,
        trusted=False,
        options=b"{}",
        credentials=b"{}",
        read_access=b"{}",
        created_at=receipt.received_at,
        updated_at=receipt.received_at,
    )
