"""The routes of sources, of what they have sent, and of what was decided of it."""

from __future__ import annotations

from typing import Any

import msgspec

from milepost.api.bodies import ListQuery, Sought
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.intake import FULL
from milepost.api.problems import Status
from milepost.errors import AlreadyExists, InvalidInput, UnknownRecord
from milepost.orders.model import Name
from milepost.ports import OrderRef
from milepost.ports.receipts import ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.receiving import SourceChange, SourceInput
from milepost.receiving.views import (
    NewSource,
    ReceiptDetail,
    ReceiptView,
    SourceView,
    new_source,
    receipt_detail,
    receipt_view,
    source_view,
)


class SourceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source as it is asked for.

    `kind` says in whose words it tells. Its orders are in `store`, unless a message names another
    that is in `stores`, by the provider's own id or name. Only `networks` may send, all if there
    is none. `credentials` is what its kind is proved by; `read_access` is how its provider is
    asked, where it can be. The higher `precedence` counts where two sources tell different things
    of the same moment. A `trusted` source may correct.
    """

    source: Name
    kind: str
    store: Name
    stores: dict[str, Name] = {}
    networks: tuple[str, ...] = ()
    precedence: int = 0
    trusted: bool = False
    options: dict[str, Any] | None = None
    credentials: dict[str, Any] | None = None
    read_access: dict[str, Any] | None = None


class SourceChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a source changes; what is left out stays.

    With `overlap` the secrets that it has count beside those in `credentials`.
    """

    store: Name | None = None
    stores: dict[str, Name] | None = None
    networks: tuple[str, ...] | None = None
    precedence: int | None = None
    trusted: bool | None = None
    options: dict[str, Any] | None = None
    credentials: dict[str, Any] | None = None
    read_access: dict[str, Any] | None = None
    overlap: bool = False


class Sources(msgspec.Struct, frozen=True):
    """The account's sources, by name."""

    sources: list[SourceView]


class RemovedSource(msgspec.Struct, frozen=True):
    """A source that is gone; its receipts stay."""

    source: str


class ReceiptsQuery(ListQuery, frozen=True, kw_only=True):
    """Which receipts."""

    source: Sought | None = None
    order: Sought | None = None
    verdict: ReceiptVerdict | None = None

    @property
    def wanted(self) -> ReceiptFilter:
        return ReceiptFilter(self.source, self.order, self.verdict)


class Receipts(msgspec.Struct, frozen=True):
    """A page of receipts, newest first; `next` is the cursor of the next page, null at the end."""

    receipts: list[ReceiptView]
    next: str | None


async def list_sources(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.hub.receiving.statuses(call.account_id)
    return Answer(Sources([source_view(status) for status in found]))


async def add_source(call: Call[Nothing, SourceInput]) -> Answer:
    hub = call.hub
    made = await hub.receiving.add(call.account_id, call.body)
    status = await hub.receiving.status(call.account_id, made.source.source)
    location = (b"location", b"/v1/sources/" + made.source.source.encode())
    shown = new_source(made, status, public_url=hub.settings.public_url)
    return Answer(shown, Status.CREATED, (location,))


async def get_source(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.hub.receiving.status(call.account_id, call.path["source"])
    return Answer(source_view(found))


async def change_source(call: Call[Nothing, SourceChange]) -> Answer:
    name = call.path["source"]
    await call.hub.receiving.change(call.account_id, name, call.body)
    return Answer(source_view(await call.hub.receiving.status(call.account_id, name)))


async def rotate_source(call: Call[Nothing, Nothing]) -> Answer:
    hub, name = call.hub, call.path["source"]
    made = await hub.receiving.rotate(call.account_id, name)
    status = await hub.receiving.status(call.account_id, name)
    return Answer(new_source(made, status, public_url=hub.settings.public_url))


async def remove_source(call: Call[Nothing, Nothing]) -> Answer:
    await call.hub.receiving.remove(call.account_id, call.path["source"])
    return Answer(RemovedSource(call.path["source"]))


async def list_receipts(call: Call[ReceiptsQuery, Nothing]) -> Answer:
    found, after = await call.hub.receiving.receipts(
        call.account_id, wanted=call.query.wanted, page=call.query.page
    )
    return Answer(Receipts([receipt_view(receipt) for receipt in found], after))


async def list_order_receipts(call: Call[ListQuery, Nothing]) -> Answer:
    order_id = call.path["order_id"]
    await call.hub.store.order(OrderRef(call.account_id, order_id=order_id))
    found, after = await call.hub.receiving.receipts(
        call.account_id, wanted=ReceiptFilter(order_id=order_id), page=call.query.page
    )
    return Answer(Receipts([receipt_view(receipt) for receipt in found], after))


async def get_receipt(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.hub.receiving.receipt(call.account_id, call.path["receipt_id"])
    return Answer(receipt_detail(found))


async def retry_receipt(call: Call[Nothing, Nothing]) -> Answer:
    call.charge(1)
    found = await call.hub.receiving.retry(call.account_id, call.path["receipt_id"])
    return Answer(receipt_view(found))


ROUTES = (
    Route(
        method="GET",
        path="/v1/sources",
        act=list_sources,
        name="listSources",
        summary="List the account's sources, and how each has been doing.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Sources},
    ),
    Route(
        method="POST",
        path="/v1/sources",
        act=add_source,
        name="addSource",
        summary="Set a source up; where it sends to is shown this once.",
        tag="sources",
        query=Nothing,
        body=SourceInput,
        documented=SourceBody,
        answers={Status.CREATED: NewSource},
        problems=(InvalidInput, AlreadyExists),
    ),
    Route(
        method="GET",
        path="/v1/sources/{source}",
        act=get_source,
        name="getSource",
        summary="Read a source, and how it has been doing.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: SourceView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="PATCH",
        path="/v1/sources/{source}",
        act=change_source,
        name="changeSource",
        summary="Change a source; new secrets can count beside those that it has.",
        tag="sources",
        query=Nothing,
        body=SourceChange,
        documented=SourceChangeBody,
        answers={Status.OK: SourceView},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="DELETE",
        path="/v1/sources/{source}",
        act=remove_source,
        name="removeSource",
        summary="Remove a source; what it has sent stays.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: RemovedSource},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/sources/{source}/rotate",
        act=rotate_source,
        name="rotateSource",
        summary="Give a source another path, shown this once; the one before is nobody's.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: NewSource},
        problems=(UnknownRecord,),
    ),
    Route(
        method="GET",
        path="/v1/receipts",
        act=list_receipts,
        name="listReceipts",
        summary="List what sources have sent, newest first.",
        tag="sources",
        query=ReceiptsQuery,
        body=Nothing,
        answers={Status.OK: Receipts},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/receipts/{receipt_id}",
        act=get_receipt,
        name="getReceipt",
        summary="Read a message as it came, and what was decided of it.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ReceiptDetail},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/receipts/{receipt_id}/retry",
        act=retry_receipt,
        name="retryReceipt",
        summary="Decide on a message again, as its source is set up now.",
        tag="sources",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ReceiptView},
        problems=(UnknownRecord, InvalidInput, *FULL),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}/receipts",
        act=list_order_receipts,
        name="listOrderReceipts",
        summary="List what sources have sent of an order, with the verdicts, newest first.",
        tag="orders",
        query=ListQuery,
        body=Nothing,
        answers={Status.OK: Receipts},
        problems=(UnknownRecord, InvalidInput),
    ),
)
