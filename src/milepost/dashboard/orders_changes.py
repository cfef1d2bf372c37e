"""What can be done from an order's page: tell what happened, hold, cancel, correct, send again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from milepost.dashboard.orders import ORDERS, failed_deliveries, order_id_of, shown_order
from milepost.dashboard.page import Flash, Gone, Page, Result, View
from milepost.errors import InvalidInput, OrderErased, UnknownRecord
from milepost.intake import UpdateInput, UpdateResult
from milepost.orders.events import Update, Verdict
from milepost.orders.graph import explain
from milepost.orders.lifecycle import REASONS, Reason, State, way_to
from milepost.orders.model import Name, Text
from milepost.people import Right
from milepost.ports import OrderRef

CORRECTION = "correction:"
"""What stands before a state in the form where it is told as a correction."""

MOST_RESENT = 100
"""Failed deliveries of one order that one click sends again."""

NEEDS_NOTE = frozenset((State.ON_HOLD, State.CANCEL_REQUESTED, State.CANCELLED))
"""States that a person has to give a reason for; ours."""


class Form(msgspec.Struct, frozen=True):
    """What a person tells of an order; `dialog` is the form that it was told in."""

    state: str | None = None
    note: Text | None = None
    reason: Reason | None = None
    parcel: Name | None = None
    carrier: Name | None = None
    tracking_number: Name | None = None
    dialog: str = "tell"


async def tell(view: View) -> Result:
    order_id = order_id_of(view)
    dialog = view.form.get("dialog", "tell")
    try:
        form = view.read_form(Form)
        order = await view.hub.insights.order(view.account_id, order_id)
        if order.erased_at is not None:
            raise OrderErased
        update = update_of(form, state=order.state, source=view.person.role.value)
        result = await told(view, order_id, update)
    except InvalidInput as error:
        return await shown_order(view, errors={error.field: error.expected}, dialog=dialog)
    if result.verdict is Verdict.ILLEGAL:
        expected = allowed_text(result.order.state if result.order else order.state)
        return await shown_order(view, errors={"state": expected}, dialog=dialog)
    to = "/attention" if view.form.get("back") == "attention" else f"{ORDERS}/{order_id}"
    return Gone(to, flash_of(result, order.order_number))


async def told(view: View, order_id: str, update: Update) -> UpdateResult:
    """What intake has decided of it. Raises UnknownRecord, InvalidInput."""
    item = UpdateInput(OrderRef(view.account_id, order_id=order_id), update)
    (result,) = await view.hub.intake.updates(view.account_id, (item,))
    if result.order is None:
        raise UnknownRecord
    return result


def update_of(form: Form, *, state: State, source: str) -> Update:
    """The update that a form tells of an order in this state. Raises InvalidInput."""
    text = form.state or ""
    correction = text.startswith(CORRECTION)
    name = text.removeprefix(CORRECTION)
    target = State(name) if name in list(State) else None
    if target is None and (name or not (form.tracking_number or form.parcel)):
        raise InvalidInput(field="state", expected=allowed_text(state))
    if target is not None and target is not state:
        check_step(state, target, correction=correction)
    if not form.note and (correction or target in NEEDS_NOTE):
        raise InvalidInput(field="note", expected="why, for whoever reads it later")
    if form.reason is not None and form.reason not in REASONS.get(target or state, frozenset()):
        raise InvalidInput(field="reason", expected="none, as this state takes none")
    return Update(
        source=source,
        state=target,
        reason=form.reason,
        parcel=form.parcel,
        carrier=form.carrier,
        tracking_number=form.tracking_number,
        correction=correction,
        trusted=True,
        note=form.note,
    )


def check_step(state: State, target: State, *, correction: bool) -> None:
    """Raises InvalidInput, with what is allowed, for a step that the lifecycle does not have."""
    if way_to(state, target, correction=correction) is None:
        raise InvalidInput(field="state", expected=allowed_text(state, correction=correction))


def allowed_text(state: State, *, correction: bool = False) -> str:
    """What an order in this state can be next, in words."""
    known = explain(state, state)
    names = (*known.allowed, *(known.corrections if correction else ()))
    mends = "" if correction else _listed(known.corrections)
    if names:
        text = f"a state that can follow {_plain(state)}: {_listed(names)}"
        return f"{text}; or, as a correction, {mends}" if mends else text
    if mends:
        return f"a correction, as {_plain(state)} is an end: {mends}"
    return f"nothing: {_plain(state)} is an end for good"


def _listed(states: Sequence[State]) -> str:
    return ", ".join(_plain(state) for state in states)


def _plain(state: State) -> str:
    return state.value.replace("_", " ")


_SAID: Mapping[Verdict, tuple[str, str]] = {
    Verdict.APPLIED: ("done", "Order {order} is {state} now."),
    Verdict.DUPLICATE: ("note", "Nothing new: order {order} is {state}."),
    Verdict.STALE: ("problem", "Not applied, as something newer is known: {why}."),
}


def flash_of(result: UpdateResult, number: str) -> Flash:
    """What is said of an update that was taken in."""
    kind, text = _SAID.get(result.verdict, ("problem", "Not applied: {why}."))
    state = "" if result.order is None else _plain(result.order.state)
    return Flash(text.format(order=number, state=state, why=result.why), kind)


async def resend_failed(view: View) -> Result:
    order_id = order_id_of(view)
    names = await failed_deliveries(view, order_id, most=MOST_RESENT)
    for name in names:
        await view.hub.operations.resend(view.account_id, name)
    text = (
        f"{len(names)} {'notification is' if len(names) == 1 else 'notifications are'} on the way"
    )
    flash = Flash(f"{text} again.") if names else Flash("Nothing was given up here.", "note")
    return Gone(f"{ORDERS}/{order_id}", flash)


PAGES = (
    Page(
        path=ORDERS + "/{order_id}/tell",
        act=tell,
        method="POST",
        right=Right.CHANGE,
        place=ORDERS,
    ),
    Page(
        path=ORDERS + "/{order_id}/resend",
        act=resend_failed,
        method="POST",
        right=Right.CHANGE,
        place=ORDERS,
    ),
)
