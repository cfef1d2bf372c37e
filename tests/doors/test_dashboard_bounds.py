"""Every page asks the store a bounded number of times, however much there is."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta

from milepost.contracts.comparison import Kind
from milepost.dashboard import all_pages
from milepost.ports import Lease
from milepost.ports.reconciling import Everything, Found, Part, Place, Reconciliation
from tests.doors.desk import Desk
from tests.doors.pages import Visitor, a_person

MOST_CALLS = 20
"""More than any page needs; the number that counts is that it does not grow."""

STREAMS = "/events"
ASKED: Mapping[str, Sequence[str]] = {
    "/attention/resend": ("?endpoint={endpoint}&span=week",),
    "/endpoints/{endpoint}/replay": (
        "",
        "?what=failed&since=30d",
        "?what=between&since=30d",
        "?what=latest&since=30d",
    ),
}
"""What is asked for of pages that show what a form has chosen."""
LONG = timedelta(days=1)


def filled(desk: Desk, *, first: int, last: int) -> None:
    """So many orders with an event each, and for each an update of no order."""
    told = [{"store": "berlin", "order_key": f"B-{n}"} for n in range(first, last)]
    assert desk.post("/v1/orders/batch", {"orders": told}).status == 200
    updates = [
        {"store": "berlin", "order_key": key, "state": "verified", "source": "warehouse"}
        for n in range(first, last)
        for key in (f"B-{n}", f"X-{n}")
    ]
    assert desk.post("/v1/updates/batch", {"updates": updates}).status == 200


def names(desk: Desk, *, endpoint_id: str) -> Mapping[str, str]:
    """Of each thing that a path can name one that is there."""
    order_id = desk.get("/v1/orders/find?q=B-0").json["orders"][0]["order_id"]
    (kept,) = desk.get("/v1/quarantine?verdict=orphan&limit=1").json["updates"]
    delivery_id = f"{order_id}-1-{endpoint_id}"
    return {
        "order_id": order_id,
        "order": order_id,
        "name": delivery_id,
        "delivery": delivery_id,
        "update_id": kept["update_id"],
        "endpoint": endpoint_id,
        "endpoint_id": endpoint_id,
        "source": "warehouse",
        "contract": "withings",
        "shape": "Address",
        "operation": "putOrder",
        "run": "rec_1",
    }


def compared(desk: Desk, *, first: int, last: int) -> None:
    """A comparison that runs, and finds so many differences."""
    now, store = desk.hub.now(), desk.hub.store
    lease = Lease("nobody", now + LONG)
    run = Reconciliation(desk.account_id, "rec_1", "warehouse", Everything(), True, now, now + LONG)
    desk.run(store.add_reconciliation(run, keep=9))
    taken = desk.run(store.take_reconciliation(desk.account_id, "rec_1", lease=lease, now=now))
    told = [
        Found(f"ord_{n}", "berlin", f"B-{n}", Kind.STATE, "", "verified", "shipped")
        for n in range(first, last)
    ]
    part = Part(told, examined=len(told), asked=len(told), place=Place(f"ord_{last}"), ends=False)
    advanced = store.advance_reconciliation(taken, part, most=999, lease=lease, now=now)
    assert desk.run(advanced) is not None


def walked(visitor: Visitor, known: Mapping[str, str]) -> Mapping[str, list[str]]:
    """What each page asked the store for."""
    found = {}
    for page in all_pages():
        needed = set(re.findall(r"{(\w+)}", page.path))
        streams = page.path.endswith(STREAMS)
        if page.method != "GET" or page.public or streams or not needed <= set(known):
            continue
        for query in ASKED.get(page.path, ("",)):
            path = (page.path + query).format(**known)
            seen = visitor.get(path)
            assert seen.status == 200, (path, seen.status, seen.text)
            found[path] = seen.calls
    return found


def test_no_page_asks_more_often_where_there_is_more(desk: Desk) -> None:
    visitor = a_person(desk)
    endpoint_id = desk.endpoint("standard")["endpoint"]["endpoint_id"]
    source = {"source": "warehouse", "kind": "standard", "store": "berlin"}
    secrets = {"credentials": {"secrets": ["whsec_" + b64encode(bytes(32)).decode()]}}
    assert desk.post("/v1/sources", source | secrets).status == 201
    filled(desk, first=0, last=10)
    compared(desk, first=0, last=10)
    known = names(desk, endpoint_id=endpoint_id)
    with_few = walked(visitor, known)
    filled(desk, first=10, last=200)
    compared(desk, first=10, last=200)
    with_many = walked(visitor, known)
    assert len(with_few) > 10
    assert "/sources/warehouse/runs/rec_1" in with_few
    for what in ("failed", "between", "latest"):
        # Besides who asks and which endpoint: one read, or the orders and what they were told.
        assert len(with_few[f"/endpoints/{endpoint_id}/replay?what={what}&since=30d"]) <= 10
    for path, calls in with_many.items():
        assert len(calls) <= MOST_CALLS, (path, calls)
        assert len(calls) <= len(with_few[path]), (path, with_few[path], calls)
