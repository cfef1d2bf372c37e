"""What is done to an endpoint from its page: test, pause, resume, rotate, remove."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from milepost.dashboard.endpoints import ENDPOINTS, name_in, shown_endpoint
from milepost.dashboard.page import Act, Flash, Gone, Page, Result, Shown, View
from milepost.errors import InvalidInput
from milepost.people import Right
from milepost.secrecy import OverlapS, RotationInput

MADE = "endpoints/made.html"
LONGEST_REASON = 200


class RotationForm(msgspec.Struct, frozen=True):
    """For how many seconds the secret that there is signs beside the new one."""

    overlap_s: OverlapS


async def send_test(view: View) -> Gone:
    queued = await view.hub.operations.send_test(view.account_id, name_in(view))
    return Gone(f"{_here(view)}?test={quote(queued.delivery_id)}")


async def pause(view: View) -> Result:
    why = view.form.get("why", "").strip()
    if len(why) > LONGEST_REASON or not (why.isprintable() or not why):
        errors = {"why": f"one line of at most {LONGEST_REASON} characters"}
        return await shown_endpoint(view, errors=errors, opened="pause")
    told = {"why": why} if why else {}
    await view.hub.operations.pause_endpoint(view.account_id, name_in(view), **told)
    return Gone(_here(view), Flash("Paused: what comes from now on is kept, in order."))


async def resume(view: View) -> Gone:
    waiting = await view.hub.trends.waiting(view.account_id)
    name = name_in(view)
    await view.hub.operations.resume_endpoint(view.account_id, name)
    parked = waiting[name].orders if name in waiting else 0
    what = f"What was parked of {parked:,} order{'s' * (parked != 1)} is sent now."
    return Gone(_here(view), Flash(f"Resumed. {what if parked else 'Nothing was parked.'}"))


async def rotate(view: View) -> Result:
    name = name_in(view)
    try:
        wanted = RotationInput(overlap_s=view.read_form(RotationForm).overlap_s)
        endpoint = await view.hub.secrecy.rotate(view.account_id, name, wanted)
    except InvalidInput as error:
        errors = {error.field: error.expected}
        return await shown_endpoint(view, errors=errors, opened="rotate")
    return Shown(MADE, {"endpoint": endpoint, "secret": endpoint.secrets[0], "is_new": False})


async def retire(view: View) -> Gone:
    await view.hub.secrecy.retire(view.account_id, name_in(view))
    return Gone(_here(view), Flash("The secrets from before have ended."))


async def delete(view: View) -> Result:
    name = name_in(view)
    if view.form.get("typed", "").strip() != name:
        return await shown_endpoint(view, errors={"typed": name}, opened="delete")
    abandoned = await view.hub.operations.delete_endpoint(view.account_id, name)
    left = f" {abandoned:,} pending notifications were given up." if abandoned else ""
    return Gone(ENDPOINTS, Flash(f"The endpoint is removed; its history stays.{left}"))


def _here(view: View) -> str:
    return f"{ENDPOINTS}/{name_in(view)}"


def _post(path: str, act: Act) -> Page:
    whole = f"{ENDPOINTS}/{{endpoint}}/{path}"
    return Page(path=whole, act=act, method="POST", right=Right.CHANGE, place=ENDPOINTS)


PAGES = (
    _post("test", send_test),
    _post("pause", pause),
    _post("resume", resume),
    _post("rotate", rotate),
    _post("retire", retire),
    _post("delete", delete),
)
