"""`milepost order truth`: an order as it is, beside what each endpoint knows of it."""

from __future__ import annotations

from milepost.cli.options import AccountName, Database, Json, OrderName, StoreName
from milepost.cli.output import answer, hint, record, table
from milepost.cli.session import in_account, order_named
from milepost.insights import EndpointTruth, OrderTruth, Standing
from milepost.wiring import Hub


def order_truth(
    name: OrderName,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show how an order stands, beside what each endpoint last acknowledged."""

    async def read(hub: Hub, account_id: str) -> OrderTruth:
        order_id = (await order_named(hub, account_id, name, store=store)).order_id
        return await hub.insights.truth(account_id, order_id)

    truth = in_account(read, database=database, account=account)
    if as_json:
        answer(truth)
        return
    record(
        "Order",
        [
            ("id", truth.order_id),
            ("store", truth.store),
            ("key", truth.order_key),
            ("state", f"{truth.state} ({truth.reason})" if truth.reason else truth.state),
            ("since", truth.state_at),
            ("events", truth.sequence),
        ],
    )
    table(
        "What each endpoint knows",
        ("endpoint", "contract", "would say", "knows", "acknowledged", "at", "undelivered"),
        [_row(one) for one in truth.endpoints],
        empty="No endpoint wants the orders of this store.",
    )
    if any(one.standing is Standing.BEHIND for one in truth.endpoints):
        hint(f"Send it again: milepost resend order {truth.order_id} --dry-run")


def _row(one: EndpointTruth) -> tuple[object, ...]:
    told = one.acknowledged
    counts = {"pending": one.pending, "abandoned": one.abandoned, "superseded": one.superseded}
    return (
        one.endpoint_id,
        one.contract,
        one.shows,
        one.standing.replace("_", " "),
        None if told is None else f"{told.status} (#{told.sequence})",
        None if told is None else told.at,
        [f"{number} {state}" for state, number in counts.items() if number],
    )
