"""`milepost source` and `milepost receipt`: who tells us by webhook, and what they have sent."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.options import (
    AccountName,
    After,
    Database,
    Json,
    Limit,
    examples,
)
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.pairs import merged, text_or_file
from milepost.cli.session import in_account, order_named, store_named
from milepost.errors import InvalidInput
from milepost.ports import Page
from milepost.ports.receipts import Receipt, ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.receiving import MadeSource, SourceChange, SourceInput, SourceStatus
from milepost.receiving.gates import room_of
from milepost.receiving.setup import UNSAID
from milepost.receiving.views import (
    new_source,
    receipt_detail,
    receipt_view,
    source_view,
)
from milepost.wiring import Hub

source = typer.Typer(help="Set up who tells us by webhook: providers, carriers, other hubs.")
receipt = typer.Typer(help="See what sources have sent, and what was decided of it.")

SourceName = Annotated[str, typer.Argument(metavar="NAME", help="What the source is called.")]
ReceiptId = Annotated[str, typer.Argument(metavar="RECEIPT", help="The receipt's id.")]
Store = Annotated[
    str | None,
    typer.Option(help="The store of its orders; needed where there are several."),
]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", help="THEIRS=OURS: the provider's id or name of a store, and ours."),
]
Nets = Annotated[
    list[str] | None,
    typer.Option("--network", help="An address or network that may send; default: all."),
]
Options = Annotated[list[str] | None, typer.Option("--option", help="NAME=VALUE of its kind.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--credential", help="NAME=VALUE or NAME=@FILE; one that is a list can be given often."
    ),
]
Reads = Annotated[
    str | None,
    typer.Option(help="JSON, or @FILE: how the provider's own interface is asked."),
]
Precedence = Annotated[
    int | None, typer.Option(help="The higher one counts where two tell of the same moment.")
]
Trusted = Annotated[
    bool | None, typer.Option("--trusted/--not-trusted", help="Whether it may correct.")
]


@source.command(
    "add",
    epilog=examples(
        "source add fulfillment --kind withings --network 192.0.2.0/24",
        "source add shipmonk --kind shipmonk --credential username=hub --credential password=@pw "
        "--credential signature_secrets=@secret",
        "source add tracking --kind easypost --credential secrets=@secret --json",
    ),
)
def add_source(  # noqa: PLR0913, PLR0917 - options are named on the command line
    name: SourceName,
    kind: Annotated[str, typer.Option(help="In whose words it tells.")],
    store: Store = None,
    maps: Maps = None,
    networks: Nets = None,
    precedence: Precedence = None,
    trusted: Trusted = None,
    options: Options = None,
    credentials: Secrets = None,
    read_access: Reads = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Set a source up, and print where it sends to: the only time that this is shown."""
    room = room_of(kind)

    async def add(hub: Hub, account_id: str) -> tuple[MadeSource, SourceStatus, str]:
        wanted = SourceInput(
            source=name,
            kind=kind,
            store=await store_named(hub, account_id, store),
            stores=_pairs(maps),
            networks=tuple(networks or ()),
            precedence=precedence or 0,
            trusted=bool(trusted),
            options=merged(options, shape=room.options, known=b"{}", name="--option"),
            credentials=_credentials(credentials, room.credentials),
            read_access=_json(read_access),
        )
        made = await hub.receiving.add(account_id, wanted)
        status = await hub.receiving.status(account_id, name)
        return made, status, hub.settings.public_url

    _show_new(*in_account(add, database=database, account=account), as_json=as_json)


def _pairs(told: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in told or ():
        theirs, equals, ours = pair.partition("=")
        if not equals or not theirs or not ours:
            raise InvalidInput(field="--map", expected="THEIRS=OURS")
        found[theirs] = ours
    return found


def _credentials(told: list[str] | None, shape: type[msgspec.Struct]) -> msgspec.Raw:
    """The credentials as JSON: what comes more than once, or is a list anyway, is one."""
    lists = {
        field.name
        for field in msgspec.structs.fields(shape)
        if "tuple" in str(field.type) or "list" in str(field.type)
    }
    found: dict[str, Any] = {}
    for pair in told or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(field="--credential", expected="NAME=VALUE")
        if name in lists:
            found.setdefault(name, []).append(text_or_file(value))
        else:
            found[name] = text_or_file(value)
    return msgspec.Raw(msgspec.json.encode(found))


def _json(told: str | None) -> msgspec.Raw:
    if told is None:
        return UNSAID
    text = text_or_file(told).encode()
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput(field="--read-access", expected="well-formed JSON") from None
    return msgspec.Raw(text)


def _show_new(made: MadeSource, status: SourceStatus, public_url: str, *, as_json: bool) -> None:
    shown = new_source(made, status, public_url=public_url)
    if as_json:
        answer(shown)
        return
    record("Source", _facts(status))
    say(shown.url or shown.path, style="bold green")
    hint("It sends to this URL, whose end is a secret: it is not shown again.")
    if not public_url:
        hint("MILEPOST_PUBLIC_URL says what comes before it.")


def _facts(status: SourceStatus) -> list[tuple[str, object]]:
    view = source_view(status)
    return [
        ("name", view.source),
        ("kind", view.kind),
        ("proved by", view.proves),
        ("credentials", ", ".join(f"{n} ({c})" for n, c in view.credentials.items())),
        ("networks", view.networks or "all"),
        ("store", view.store),
        ("stores", ", ".join(f"{theirs} is {ours}" for theirs, ours in view.stores.items())),
        ("precedence", view.precedence),
        ("may correct", view.trusted),
        ("can be asked", view.is_asked),
        ("last received", view.last_received_at),
        ("refused", view.refused),
        ("last refused", view.refused_at),
        ("because", view.refused_why),
        ("changed", view.updated_at),
    ]


@source.command("list", epilog=examples("source list"))
def list_sources(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List the account's sources, and how each has been doing."""

    async def read(hub: Hub, account_id: str) -> list[SourceStatus]:
        return list(await hub.receiving.statuses(account_id))

    found = in_account(read, database=database, account=account)
    if as_json:
        answer({"sources": [source_view(status) for status in found]})
        return
    table(
        "Sources",
        ("name", "kind", "store", "last received", "refused>", "changed"),
        [
            (
                one.source.source,
                one.source.kind,
                one.source.store,
                one.last_received_at,
                one.refusals.refused,
                one.source.updated_at,
            )
            for one in found
        ],
        empty="Nobody tells by webhook yet: `milepost source add NAME --kind KIND`.",
    )


@source.command("show", epilog=examples("source show shipmonk", "source show shipmonk --json"))
def show_source(
    name: SourceName, account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Show a source, when it has sent last, and what of it was refused; never its secrets."""

    async def read(hub: Hub, account_id: str) -> SourceStatus:
        return await hub.receiving.status(account_id, name)

    _show(in_account(read, database=database, account=account), as_json=as_json)


def _show(status: SourceStatus, *, as_json: bool) -> None:
    if as_json:
        answer(source_view(status))
    else:
        record("Source", _facts(status))


@source.command(
    "set",
    epilog=examples(
        "source set shipmonk --credential signature_secrets=@new --overlap",
        "source set shipmonk --map 12=berlin --precedence 10",
        "source set tracking --network 192.0.2.0/24 --network 2001:db8::/32",
    ),
)
def set_source(  # noqa: PLR0913, PLR0917 - options are named on the command line
    name: SourceName,
    store: Store = None,
    maps: Maps = None,
    networks: Nets = None,
    precedence: Precedence = None,
    trusted: Trusted = None,
    options: Options = None,
    credentials: Secrets = None,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="Let the secrets that it has count as well.")
    ] = False,
    read_access: Reads = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change a source; what is not named stays. `--map` and `--network` replace all of theirs."""

    async def change(hub: Hub, account_id: str) -> SourceStatus:
        before = await hub.receiving.source(account_id, name)
        room = room_of(before.kind)
        told = SourceChange(
            store=store,
            stores=None if maps is None else _pairs(maps),
            networks=None if networks is None else tuple(networks),
            precedence=precedence,
            trusted=trusted,
            options=merged(options, shape=room.options, known=before.options, name="--option")
            if options
            else UNSAID,
            credentials=_credentials(credentials, room.credentials) if credentials else UNSAID,
            read_access=_json(read_access),
            overlap=overlap,
        )
        await hub.receiving.change(account_id, name, told)
        return await hub.receiving.status(account_id, name)

    _show(in_account(change, database=database, account=account), as_json=as_json)


@source.command("rotate", epilog=examples("source rotate shipmonk"))
def rotate_source(
    name: SourceName, account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Give a source another path, shown this once; the one before is nobody's within seconds."""

    async def rotate(hub: Hub, account_id: str) -> tuple[MadeSource, SourceStatus, str]:
        made = await hub.receiving.rotate(account_id, name)
        return made, await hub.receiving.status(account_id, name), hub.settings.public_url

    _show_new(*in_account(rotate, database=database, account=account), as_json=as_json)


@source.command("remove", epilog=examples("source remove shipmonk"))
def remove_source(
    name: SourceName, account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Remove a source; what it has sent stays."""

    async def remove(hub: Hub, account_id: str) -> None:
        await hub.receiving.remove(account_id, name)

    in_account(remove, database=database, account=account)
    if as_json:
        answer({"source": name})
    else:
        say(f"{name} is removed.")


# receipts


@receipt.command(
    "list",
    epilog=examples(
        "receipt list",
        "receipt list --verdict unmapped",
        "receipt list --order 1001 --json",
    ),
)
def list_receipts(
    of_source: Annotated[
        str | None, typer.Option("--source", help="Those of this source.", show_default=False)
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help="Those of this order: its id, key, number or tracking number."),
    ] = None,
    verdict: Annotated[ReceiptVerdict | None, typer.Option(help="Those with this verdict.")] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List what sources have sent, newest first, with the verdicts and why."""

    async def read(hub: Hub, account_id: str) -> tuple[list[Receipt], str | None]:
        order_id = None
        if order is not None:
            order_id = (await order_named(hub, account_id, order, store=None)).order_id
        wanted = ReceiptFilter(of_source, order_id, verdict)
        found, following = await hub.receiving.receipts(
            account_id, wanted=wanted, page=Page(after, limit)
        )
        return list(found), following

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"receipts": [receipt_view(one) for one in found], "next": following})
        return
    table(
        "Receipts",
        ("receipt", "received", "source", "order key", "word", "verdict", "why"),
        [
            (
                one.receipt_id,
                one.received_at,
                one.source,
                one.order_key or one.tracking_number,
                one.word or one.kind,
                one.verdict,
                one.why,
            )
            for one in found
        ],
        empty="There is none.",
    )
    if following is not None:
        hint(f"More: --after {following}")


@receipt.command("show", epilog=examples("receipt show rcp_01k8x5v0q2m4n6p8r0s2t4v6w8"))
def show_receipt(
    receipt_id: ReceiptId,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show a message as it came, and what was decided of it."""

    async def read(hub: Hub, account_id: str) -> Receipt:
        return await hub.receiving.receipt(account_id, receipt_id)

    found = receipt_detail(in_account(read, database=database, account=account))
    if as_json:
        answer(found)
        return
    _show_receipt(found.receipt)
    say(found.body or "Its body was erased.")


def _show_receipt(view: Any) -> None:
    facts = [(name.replace("_", " "), getattr(view, name)) for name in view.__struct_fields__]
    record("Receipt", [(name, value) for name, value in facts if name != "words"])
    table(
        "What was decided",
        ("verdict", "state", "parcel", "why"),
        [(word.verdict, word.state, word.parcel, word.why) for word in view.words],
        empty="It holds no update.",
    )


@receipt.command("retry", epilog=examples("receipt retry rcp_01k8x5v0q2m4n6p8r0s2t4v6w8"))
def retry_receipt(
    receipt_id: ReceiptId,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Decide on a message again, as its source is set up now."""

    async def retry(hub: Hub, account_id: str) -> Receipt:
        return await hub.receiving.retry(account_id, receipt_id)

    found = receipt_view(in_account(retry, database=database, account=account))
    if as_json:
        answer(found)
    else:
        _show_receipt(found)
