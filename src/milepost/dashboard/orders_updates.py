"""One update that was not applied: what it said, why not, and having it applied all the same."""

from __future__ import annotations

from functools import partial

import msgspec

from milepost.dashboard.orders import ORDERS, UPDATES, is_id
from milepost.dashboard.orders_changes import allowed_text, check_step, flash_of, told
from milepost.dashboard.page import Gone, Page, Result, Shown, View
from milepost.dashboard.wording import plainly
from milepost.errors import InvalidInput, OrderErased, UnknownRecord
from milepost.insights.views import quarantine_view
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import way_to
from milepost.orders.model import Text
from milepost.people import Right
from milepost.ports import Quarantined

TEMPLATE = "orders/update.html"


class Why(msgspec.Struct, frozen=True):
    """Why an update is applied after all."""

    note: Text | None = None


async def show(view: View) -> Shown:
    return await _shown(view, {})


async def _shown(view: View, errors: dict[str, str]) -> Shown:
    """Two reads: the update and its order."""
    kept = await _kept(view)
    order = None
    if kept.order_id is not None:
        order = await view.hub.insights.order(view.account_id, kept.order_id)
    context = {
        "kept": quarantine_view(kept),
        "plainly": partial(plainly, view),
        "receipt_id": kept.receipt_id,
        "order": order,
        "form": {"note": "", **view.form},
        "errors": errors,
    }
    return Shown(TEMPLATE, context, 422 if errors else 200)


async def _kept(view: View) -> Quarantined:
    update_id = view.path["update_id"]
    if not is_id(update_id):
        raise UnknownRecord
    return await view.hub.insights.kept(view.account_id, update_id)


async def apply(view: View) -> Result:
    kept = await _kept(view)
    if kept.order_id is None:
        raise UnknownRecord
    try:
        note = view.read_form(Why).note
        order = await view.hub.insights.order(view.account_id, kept.order_id)
        if order.erased_at is not None:
            raise OrderErased
        state, target = order.state, kept.update.state
        if not note:
            raise InvalidInput(field="note", expected="why, for whoever reads it later")
        correction = False
        if target is not None and target is not state:
            correction = way_to(state, target) is None
            check_step(state, target, correction=correction)
        update = applied_anyway(
            kept.update, note=note, correction=correction, source=view.person.role.value
        )
        result = await told(view, kept.order_id, update)
        if result.verdict is Verdict.ILLEGAL:
            raise InvalidInput(field="note", expected=allowed_text(state, correction=True))
    except InvalidInput as error:
        return await _shown(view, {error.field: error.expected})
    await view.hub.attention.dismiss(view.account_id, [f"update:{kept.update_id}"])
    to = "/attention" if view.form.get("back") == "attention" else f"{ORDERS}/{kept.order_id}"
    return Gone(to, flash_of(result, order.order_number))


def applied_anyway(update: Update, *, note: str, correction: bool, source: str) -> Update:
    """What an update told, told anew by a person: now, with a reason, and believed."""
    return msgspec.structs.replace(
        update,
        source=source,
        occurred_at=None,
        source_sequence=None,
        correction=correction,
        trusted=True,
        note=note,
        precedence=0,
    )


PAGES = (
    Page(path=UPDATES + "/{update_id}", act=show, place=ORDERS),
    Page(
        path=UPDATES + "/{update_id}/apply",
        act=apply,
        method="POST",
        right=Right.CHANGE,
        place=ORDERS,
    ),
)
