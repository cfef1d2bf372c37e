"""What asks for a person: endpoints in trouble, what was given up, and what could not be applied.

Nothing of it is kept twice: the list is read from the records themselves, and all that is kept of
its own is what somebody has put aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from milepost.delivery.health import Condition, Health, condition
from milepost.delivery.model import Delivery, Endpoint
from milepost.errors import InvalidInput
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.silence import Silence, SilenceKind
from milepost.ports import AccountNow, Now, Page, Quarantined, Store

WAITS_FOR_ITS_ORDER = timedelta(hours=1)
"""How long an update may wait for its order before somebody should look; ours."""

MOST_DISMISSED_AT_ONCE = 1_000


class Kind(StrEnum):
    """Why something is in the list; the list has them in this order."""

    PAUSED = "endpoint_paused"
    FAILING = "endpoint_failing"
    ABANDONED = "delivery_abandoned"
    ILLEGAL = "update_illegal"
    ORPHAN = "update_without_order"
    SILENT = "order_silent"


class Action(msgspec.Struct, frozen=True, gc=False):
    """Something that can be done: over HTTP, and on the command line."""

    does: str
    method: str
    path: str
    command: str


class Matter(msgspec.Struct, frozen=True, gc=False):
    """One thing that asks for a person; it is gone from the list when its reason is.

    `since` is when the reason began.
    """

    attention_id: str
    kind: Kind
    since: datetime
    why: str
    endpoint_id: str | None = None
    delivery_id: str | None = None
    order_id: str | None = None
    update_id: str | None = None
    actions: list[Action] = []


class Attention:
    """The list of what asks for a person, of one account at a time."""

    def __init__(self, store: Store, *, now: Now, account_now: AccountNow) -> None:
        self._store = store
        self._now = now
        self._account_now = account_now

    async def matters(
        self, account_id: str, *, kinds: Sequence[Kind] = tuple(Kind), page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        """A page: kind by kind, endpoints by their ids, the rest newest first.

        Raises InvalidInput for a cursor that no page gave.
        """
        wanted = [kind for kind in Kind if kind in kinds]
        place, after = _read_cursor(page.after, wanted)
        found: list[Matter] = []
        aside = await self._store.dismissed(account_id, [str(kind) for kind in wanted])
        for kind in wanted[place:]:
            rest = Page(after, page.limit - len(found))
            part, after = await self._of_kind(account_id, kind, aside=aside.get(kind), page=rest)
            found += part
            if after is not None:
                return found, f"{kind}.{after}"
            if len(found) >= page.limit:
                following = wanted[wanted.index(kind) + 1 :]
                return found, f"{following[0]}." if following else None
        return found, None

    async def dismiss(self, account_id: str, items: Sequence[str]) -> int:
        """Puts these aside by their attention id; returns how many.

        One comes back when its reason begins anew. Raises InvalidInput.
        """
        if not 1 <= len(items) <= MOST_DISMISSED_AT_ONCE:
            expected = f"1 to {MOST_DISMISSED_AT_ONCE:,} attention ids"
            raise InvalidInput(field="items", expected=expected)
        for place, item in enumerate(items):
            if item.partition(":")[0] not in _PREFIXES or len(item) > LONGEST_ID:
                raise InvalidInput(field=f"items[{place}]", expected="an attention id of the list")
        unique = tuple(dict.fromkeys(items))
        await self._store.dismiss(account_id, unique, now=self._now())
        return len(unique)

    async def dismiss_kinds(
        self, account_id: str, kinds: Sequence[Kind], *, until: datetime | None = None
    ) -> datetime:
        """Puts aside whatever of these kinds began by then, or by now; returns the time."""
        # Updates came in, and orders fell silent, at the account's time; attempts were made, and
        # endpoints paused, at ours.
        now, there = self._now(), await self._account_now(account_id)
        at = now
        for latest, of_updates in ((now, False), (there, True)):
            those = [kind.value for kind in kinds if (kind in _AT_ITS_TIME) is of_updates]
            if those:
                at = latest if until is None else min(until, latest)
                await self._store.dismiss(account_id, those, now=at)
        return at

    async def _of_kind(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        if kind in _VERDICTS:
            return await self._updates(account_id, kind, aside=aside, page=page)
        if kind is Kind.SILENT:
            silences, following = await self._store.attending_silences(
                account_id, after=aside, page=page
            )
            return [of_silence(silence) for silence in silences], following
        if kind is not Kind.ABANDONED:
            return await self._endpoints(account_id, kind, aside=aside, page=page)
        found, following = await self._store.abandoned(account_id, after=aside, page=page)
        return [_of_delivery(delivery) for delivery in found], following

    async def _updates(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        verdict, patience = _VERDICTS[kind]
        updates, following = await self._store.unresolved(
            account_id,
            verdict=verdict,
            after=None if aside is None else aside - patience,
            until=await self._account_now(account_id) - patience,
            page=page,
        )
        return [_of_update(one, kind=kind, patience=patience) for one in updates], following

    async def _endpoints(
        self, account_id: str, kind: Kind, *, aside: datetime | None, page: Page
    ) -> tuple[Sequence[Matter], str | None]:
        records = await self._store.health(account_id)
        endpoints = await self._store.endpoints(account_id)
        matters = [
            matter
            for endpoint in sorted(endpoints, key=lambda e: e.endpoint_id)
            if endpoint.endpoint_id > (page.after or "")
            for matter in _of_endpoint(
                endpoint, health=records.get(endpoint.endpoint_id, Health()), kind=kind
            )
            if aside is None or matter.since > aside
        ]
        put_aside = await self._store.dismissed(account_id, [m.attention_id for m in matters])
        left = [matter for matter in matters if matter.attention_id not in put_aside]
        following = left[page.limit - 1].endpoint_id if len(left) > page.limit else None
        return left[: page.limit], following


_VERDICTS: Mapping[Kind, tuple[Verdict, timedelta]] = MappingProxyType(
    {
        Kind.ILLEGAL: (Verdict.ILLEGAL, timedelta()),
        Kind.ORPHAN: (Verdict.ORPHAN, WAITS_FOR_ITS_ORDER),
    }
)
"""Which verdict's updates ask for a person, and how long after they came in."""

_AT_ITS_TIME = frozenset((*_VERDICTS, Kind.SILENT))
"""Kinds whose matters begin at the account's time."""

_PREFIXES = frozenset(("paused", "failing", "delivery", "update", "silence"))
LONGEST_ID = 300


def _read_cursor(cursor: str | None, kinds: Sequence[Kind]) -> tuple[int, str | None]:
    """Which of the kinds a page begins with, and where in it."""
    if cursor is None:
        return 0, None
    name, dot, after = cursor.partition(".")
    if not dot or name not in kinds:
        raise InvalidInput(field="after", expected="a cursor that this list gave")
    return list(kinds).index(Kind(name)), after or None


# what each is shown as


def _of_endpoint(endpoint: Endpoint, *, health: Health, kind: Kind) -> list[Matter]:
    """The endpoint's own matter of this kind, if it has one."""
    name = endpoint.endpoint_id
    match condition(endpoint.state, health=health), kind:
        case Condition.PAUSED, Kind.PAUSED:
            since, why = endpoint.state_at or endpoint.created_at, endpoint.state_why
            prefix, actions = "paused", [_resume(name), _show(name)]
        case Condition.FAILING, Kind.FAILING:
            since = health.failing_since or endpoint.created_at
            why = f"{health.failures} attempts in a row have failed"
            if health.last_outcome is not None:
                why += f", the last one with {health.last_outcome}"
            prefix, actions = "failing", [_test(name), _attempts(name), _pause(name)]
        case _:
            return []
    began = int(since.timestamp() * 1_000_000)
    return [Matter(f"{prefix}:{name}:{began}", kind, since, why, endpoint_id=name, actions=actions)]


def _of_delivery(delivery: Delivery) -> Matter:
    name = delivery.delivery_id
    why = f"given up after {delivery.attempts} attempts"
    if delivery.outcome is not None:
        why += f", the last one with {delivery.outcome}"
    return Matter(
        f"delivery:{name}",
        Kind.ABANDONED,
        delivery.settled_at or delivery.created_at,
        why,
        endpoint_id=delivery.endpoint_id,
        delivery_id=name,
        order_id=delivery.order_id,
        actions=[
            Action(
                "Send it again, at its place in the order.",
                "POST",
                f"/v1/deliveries/{name}/resend",
                f"milepost delivery resend {name}",
            ),
            Action(
                "See its attempts and what came back.",
                "GET",
                f"/v1/deliveries/{name}",
                f"milepost delivery show {name}",
            ),
        ],
    )


def _of_update(kept: Quarantined, *, kind: Kind, patience: timedelta) -> Matter:
    actions = [
        Action(
            "See what it said.",
            "GET",
            f"/v1/quarantine?verdict={kept.verdict}",
            f"milepost quarantine list --verdict {kept.verdict}",
        )
    ]
    if kind is Kind.ILLEGAL:
        actions.append(
            Action(
                "If it is right, tell it as a correction, with a note that says why.",
                "POST",
                "/v1/updates",
                f"milepost update {kept.order_id} STATE --correction --note WHY",
            )
        )
    else:
        actions.append(
            Action(
                "Tell the order that it speaks of: the update applies itself then.",
                "POST",
                "/v1/orders",
                f"milepost order add {kept.order_key} --store {kept.store}",
            )
        )
    return Matter(
        f"update:{kept.update_id}",
        kind,
        kept.received_at + patience,
        kept.why,
        order_id=kept.order_id,
        update_id=kept.update_id,
        actions=actions,
    )


def of_silence(silence: Silence) -> Matter:
    """What is shown of an order of which nothing was heard for too long."""
    order_id = silence.order_id
    allowed = allowed_next(silence.state)
    actions = [_watched(order_id)] if silence.kind is SilenceKind.CARRIER else []
    actions.append(
        Action(
            "Ask whoever has it, and tell where it is: whatever is heard of it ends this.",
            "POST",
            "/v1/updates",
            f"milepost update {order_id} STATE",
        )
    )
    actions += [
        Action(does, "POST", "/v1/updates", f"milepost update {order_id} {state} --note WHY")
        for state, does in _STOPPED_BY
        if state in allowed
    ]
    heard = "nothing was heard of it" if silence.kind is SilenceKind.CARRIER else "it has stayed"
    return Matter(
        f"silence:{silence.number}",
        Kind.SILENT,
        silence.raised_at,
        f"{heard} in {silence.state} since {silence.since_at:%Y-%m-%d %H:%M} UTC, "
        f"for more than {shown_span(silence.after)}",
        order_id=order_id,
        actions=actions,
    )


_STOPPED_BY = (
    (State.ON_HOLD, "Hold it, with the reason."),
    (State.CANCEL_REQUESTED, "Ask for its cancellation, with the reason."),
)


def shown_span(span: timedelta) -> str:
    """A length of time in its largest whole unit: 5 days, 4 hours, 90 minutes."""
    for unit, name in _UNITS:
        if span >= unit and not span % unit:
            count = span // unit
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{span.total_seconds():g} seconds"


_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def _watched(order_id: str) -> Action:
    return Action(
        "See how its parcels are watched, and what the carrier answers.",
        "GET",
        f"/v1/orders/{order_id}/trackings",
        f"milepost carrier watched {order_id}",
    )


def _resume(name: str) -> Action:
    return Action(
        "Resume it: what is parked is sent, in order.",
        "POST",
        f"/v1/endpoints/{name}/resume",
        f"milepost endpoint resume {name}",
    )


def _show(name: str) -> Action:
    return Action(
        "See how it is set up and how it has been doing.",
        "GET",
        f"/v1/endpoints/{name}",
        f"milepost endpoint show {name}",
    )


def _test(name: str) -> Action:
    return Action(
        "Send a test notification.",
        "POST",
        f"/v1/endpoints/{name}/test",
        f"milepost endpoint test {name}",
    )


def _attempts(name: str) -> Action:
    return Action(
        "See what is pending there, and its attempts.",
        "GET",
        f"/v1/deliveries?endpoint={name}&state=pending",
        f"milepost delivery list --endpoint {name} --state pending",
    )


def _pause(name: str) -> Action:
    return Action(
        "Pause it: what comes is parked and nothing is given up.",
        "POST",
        f"/v1/endpoints/{name}/pause",
        f"milepost endpoint pause {name}",
    )
