"""Sources and receipts as they are shown; nothing here holds a secret."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime

import msgspec

from milepost.contracts import INCOMING
from milepost.contracts.incoming import MessageKind
from milepost.ports.receipts import Receipt, ReceiptVerdict, Word
from milepost.receiving.gates import shown_credentials
from milepost.receiving.setup import MadeSource, SourceStatus

PATH = "/in/"


class SourceView(msgspec.Struct, frozen=True, gc=False):
    """A source: `credentials` says how many secrets it has of which name, never the secrets.

    `proves` says what its messages are proved by, `is_asked` whether its provider can be asked as
    well. `refused` counts requests since it was set up, and `refused_why` is why the last one was.
    """

    source: str
    kind: str
    store: str
    stores: dict[str, str]
    networks: list[str]
    precedence: int
    trusted: bool
    options: msgspec.Raw
    credentials: dict[str, int]
    is_asked: bool
    proves: str
    created_at: datetime
    updated_at: datetime
    last_received_at: datetime | None
    refused: int
    refused_at: datetime | None
    refused_why: str


class NewSource(msgspec.Struct, frozen=True, gc=False):
    """A source, and where it sends to: the secret at the end of the path is shown this once.

    `url` is the path at the hub's public address, null where none is set.
    """

    source: SourceView
    path: str
    url: str | None


class ReceiptView(msgspec.Struct, frozen=True, gc=False):
    """A message that a source has sent, and what was decided of it and why.

    `word` is the provider's own; `words` hold a verdict for each update of it, and for each word
    that means nothing. `sha256` is set once its body was erased.
    """

    receipt_id: str
    source: str
    kind: MessageKind
    message_id: str | None
    verdict: ReceiptVerdict
    why: str
    word: str
    words: list[Word]
    store: str | None
    order_key: str | None
    order_id: str | None
    tracking_number: str | None
    received_at: datetime
    content_type: str
    size: int
    sha256: str | None


class ReceiptDetail(msgspec.Struct, frozen=True, gc=False):
    """A receipt with its body as it came; in base64 where that is no text."""

    receipt: ReceiptView
    body: str
    encoding: str


def source_view(status: SourceStatus) -> SourceView:
    source, refusals = status.source, status.refusals
    room = INCOMING.get(source.kind)
    return SourceView(
        source=source.source,
        kind=source.kind,
        store=source.store,
        stores=source.stores,
        networks=list(source.networks),
        precedence=source.precedence,
        trusted=source.trusted,
        options=msgspec.Raw(source.options or b"{}"),
        credentials=shown_credentials(source.credentials),
        is_asked=source.read_access not in (b"", b"{}", b"null"),
        proves="" if room is None else room.proves,
        created_at=source.created_at,
        updated_at=source.updated_at,
        last_received_at=status.last_received_at,
        refused=refusals.refused,
        refused_at=refusals.refused_at,
        refused_why=refusals.why,
    )


def new_source(made: MadeSource, status: SourceStatus, *, public_url: str) -> NewSource:
    path = f"{PATH}{made.secret}"
    url = f"{public_url.rstrip('/')}{path}" if public_url else None
    return NewSource(source_view(status), path, url)


def receipt_view(receipt: Receipt) -> ReceiptView:
    return ReceiptView(
        receipt_id=receipt.receipt_id,
        source=receipt.source,
        kind=receipt.kind,
        message_id=receipt.message_id,
        verdict=receipt.verdict,
        why=receipt.why,
        word=receipt.word,
        words=list(receipt.words),
        store=receipt.store,
        order_key=receipt.order_key,
        order_id=receipt.order_id,
        tracking_number=receipt.tracking_number,
        received_at=receipt.received_at,
        content_type=receipt.content_type,
        size=receipt.size,
        sha256=receipt.sha256.hex() if receipt.sha256 else None,
    )


def receipt_detail(receipt: Receipt) -> ReceiptDetail:
    try:
        return ReceiptDetail(receipt_view(receipt), receipt.body.decode(), "utf-8")
    except UnicodeDecodeError:
        text = b64encode(receipt.body).decode()
        return ReceiptDetail(receipt_view(receipt), text, "base64")
