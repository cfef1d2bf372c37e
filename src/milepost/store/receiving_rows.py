"""Sources and what they have sent as rows and back, the same for every database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from milepost.contracts.incoming import MessageKind
from milepost.ports import Changes, Mentioned, Quarantined
from milepost.ports.receipts import Receipt, ReceiptName, ReceiptVerdict, Word
from milepost.ports.receiving import Refusals, Source
from milepost.sealing import Vault
from milepost.store.compression import compressed, plain
from milepost.store.rows import Row, micros, moment, moment_or_none

LOOKED_FOR_AGAIN = timedelta(seconds=2)
"""After so long it is looked once more for the parcel of a message that found none: the one that
was being stored beside it is there by then. Whatever comes later says so itself."""

ERASED_AT_ONCE = 50


class _Sealed(msgspec.Struct, frozen=True):
    """What of a source is sealed, as it is before that."""

    credentials: msgspec.Raw = msgspec.Raw(b"{}")
    read_access: msgspec.Raw = msgspec.Raw(b"{}")


_encode = msgspec.json.Encoder().encode
_read_sealed = msgspec.json.Decoder(_Sealed).decode
_read_words = msgspec.json.Decoder(tuple[Word, ...]).decode
_read_stores = msgspec.json.Decoder(dict[str, str]).decode
_read_networks = msgspec.json.Decoder(tuple[str, ...]).decode

VERDICTS = {verdict.value: verdict for verdict in ReceiptVerdict}
KINDS = {kind.value: kind for kind in MessageKind}


def place_of(account_id: str, source: str) -> str:
    """The place that a source's secrets are sealed for: in another row they do not open."""
    return f"source {account_id} {source}"


def source_values(source: Source, *, vault: Vault) -> dict[str, Any]:
    """The columns of a source by their names; its secrets are sealed."""
    told = _Sealed(
        msgspec.Raw(source.credentials or b"{}"), msgspec.Raw(source.read_access or b"{}")
    )
    return {
        "account_id": source.account_id,
        "source": source.source,
        "kind": source.kind,
        "digest": source.digest,
        "store": source.store,
        "stores": _encode(source.stores).decode(),
        "networks": _encode(source.networks).decode(),
        "precedence": source.precedence,
        "trusted": int(source.trusted),
        "options": source.options,
        "sealed": vault.seal(_encode(told), place=place_of(source.account_id, source.source)),
        "created_at": micros(source.created_at),
        "updated_at": micros(source.updated_at),
    }


def source_of(row: Row, *, vault: Vault) -> Source:
    """Raises SecretUnreadable."""
    told = _read_sealed(vault.open(row[10], place=place_of(row[0], row[1])))
    return Source(
        account_id=row[0],
        source=row[1],
        kind=row[2],
        digest=row[3],
        store=row[4],
        stores=_read_stores(row[5]),
        networks=_read_networks(row[6]),
        precedence=row[7],
        trusted=bool(row[8]),
        options=row[9],
        credentials=bytes(told.credentials),
        read_access=bytes(told.read_access),
        created_at=moment(row[11]),
        updated_at=moment(row[12]),
    )


def sealed_nothing(row: Row, *, vault: Vault) -> bytes:
    """What is kept of a source that has no secrets any more."""
    return vault.seal(_encode(_Sealed()), place=place_of(row[0], row[1]))


def sealed_anew(row: Row, *, vault: Vault) -> bytes:
    """The secrets of a source's row, sealed with the key that seals now."""
    place = place_of(row[0], row[1])
    return vault.seal(vault.open(row[10], place=place), place=place)


def refusals_of(rows: Sequence[Row]) -> Mapping[str, Refusals]:
    return {row[0]: Refusals(row[1], moment_or_none(row[2]), row[3]) for row in rows}


# receipts


def receipt_of(row: Row) -> Receipt:
    """A receipt by its columns; its message and its body where those were read too."""
    whole = len(row) > 17
    return Receipt(
        account_id=row[0],
        receipt_id=row[1],
        source=row[2],
        kind=KINDS[row[3]],
        message_id=row[4],
        verdict=VERDICTS[row[5]],
        why=row[6],
        word=row[7],
        store=row[8],
        order_key=row[9],
        order_id=row[10],
        tracking_number=row[11],
        received_at=moment(row[12]),
        words=_read_words(row[13]) if row[13] else (),
        content_type=row[14],
        size=row[15],
        sha256=row[16] or b"",
        message=plain(row[17]) if whole and row[17] else b"",
        body=plain(row[18]) if whole else b"",
    )


def spoken_of(
    mentioned: Mentioned, waiting: Mapping[tuple[str, str, str], Sequence[Quarantined]]
) -> Sequence[ReceiptName]:
    """The receipts that a decision has to see: those asked for, and those of updates that wait."""
    of_orphans = [
        (orphan.account_id, orphan.receipt_id)
        for orphans in waiting.values()
        for orphan in orphans
        if orphan.receipt_id is not None
    ]
    return (*mentioned.receipts, *of_orphans)


def receipts_by_name(rows: Sequence[Row]) -> Mapping[ReceiptName, Receipt]:
    return {(row[0], row[1]): receipt_of(row) for row in rows}


def receipt_rows(changes: Changes) -> list[Row]:
    """The rows of new receipts, what is large in them compressed, by account and id."""
    receipts = sorted(changes.receipts, key=lambda r: (r.account_id, r.receipt_id))
    kept = compressed([text for receipt in receipts for text in (receipt.message, receipt.body)])
    return [
        (
            receipt.account_id,
            receipt.receipt_id,
            receipt.source,
            receipt.kind.value,
            receipt.message_id,
            receipt.verdict.value,
            receipt.why,
            receipt.word,
            receipt.store,
            receipt.order_key,
            receipt.order_id,
            receipt.tracking_number,
            micros(receipt.received_at),
            _words(receipt.words),
            receipt.content_type,
            receipt.size,
            receipt.sha256 or None,
            _due(receipt, after=LOOKED_FOR_AGAIN),
            kept[2 * i] or None,
            kept[2 * i + 1],
        )
        for i, receipt in enumerate(receipts)
    ]


def decided_rows(changes: Changes) -> list[Row]:
    """What is decided anew of receipts that were there, by account and id."""
    receipts = sorted(changes.decided, key=lambda r: (r.account_id, r.receipt_id))
    kept = compressed([receipt.message for receipt in receipts])
    return [
        (
            receipt.account_id,
            receipt.receipt_id,
            receipt.verdict.value,
            receipt.why,
            receipt.store,
            receipt.order_key,
            receipt.order_id,
            _words(receipt.words),
            None,
            message or None,
        )
        for receipt, message in zip(receipts, kept, strict=True)
    ]


def _words(words: Sequence[Word]) -> str:
    return _encode(words).decode() if words else ""


def _due(receipt: Receipt, *, after: timedelta) -> int | None:
    return micros(receipt.received_at + after) if receipt.waits_for_number else None


def leased(receipt: Receipt, until: datetime) -> Row:
    """A receipt's name, and until when somebody has leased it."""
    return receipt.account_id, receipt.receipt_id, micros(until)


def erased_values(row: Row, *, account_id: str) -> dict[str, Any]:
    """What is left of a receipt when a person's data is erased: which bytes it was, by SHA-256."""
    words = _read_words(row[1]) if row[1] else ()
    left = tuple(Word(word.verdict, state=word.state) for word in words)
    return {
        "account_id": account_id,
        "receipt_id": row[0],
        "words": _words(left),
        "digest": hashlib.sha256(plain(row[2])).digest(),
        "nothing": b"",
    }


def counts_of(rows: Iterable[Row]) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
    """Rows of source, verdict and number, by source."""
    found: dict[str, dict[ReceiptVerdict, int]] = {}
    for source, verdict, number in rows:
        found.setdefault(source, {})[ReceiptVerdict(verdict)] = number
    return found
