"""What an endpoint may be asked to be, and what it becomes of that; the contract has its say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from milepost.contracts.contract import Contract, read_under
from milepost.delivery.model import BacklogPolicy, Endpoint, LanePolicy, Operational
from milepost.delivery.signature import signing_key
from milepost.errors import InvalidInput
from milepost.orders.model import Name, Text, Url

Timeout = Annotated[float, msgspec.Meta(ge=1, le=60)]
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=256)]
Rate = Annotated[float, msgspec.Meta(ge=0.1, le=10_000)]
Hours = Annotated[float, msgspec.Meta(ge=1, le=2_160)]
Choice = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1_000)]


class EndpointInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new endpoint as it is asked for; what is left out is the contract's own default.

    `stores` and `statuses` are the subscription, null meaning all of them; `options` and
    `credentials` are what the contract defines; `secret` signs, and is made when it is left out.
    `requests_per_s` holds for each process that sends. After `pause_after_h` hours of nothing but
    failures it is paused; null never does that. `operational` says whether it is told of what
    happens to other endpoints: `none`, `also` beside orders, or `only`.
    """

    contract: Name
    url: Url
    description: Text = ""
    schedule: Name | None = None
    stores: Choice | None = None
    statuses: Choice | None = None
    timeout_s: Timeout | None = None
    concurrency: Concurrency = 32
    requests_per_s: Rate | None = None
    lane_policy: LanePolicy = LanePolicy.GO_ON
    backlog_policy: BacklogPolicy = BacklogPolicy.EVERY_STEP
    pause_after_h: Hours | None = None
    operational: Operational = Operational.NONE
    options: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    credentials: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    secret: Name | None = None

    def __repr__(self) -> str:
        return f"EndpointInput({self.contract}, {self.url})"


class EndpointChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes of an endpoint; what is left out stays as it is.

    `credentials` replaces them all, from the next attempt on. The signing secret is rotated.
    """

    url: Url | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET
    schedule: Name | msgspec.UnsetType = msgspec.UNSET
    stores: Choice | msgspec.UnsetType | None = msgspec.UNSET
    statuses: Choice | msgspec.UnsetType | None = msgspec.UNSET
    timeout_s: Timeout | msgspec.UnsetType = msgspec.UNSET
    concurrency: Concurrency | msgspec.UnsetType = msgspec.UNSET
    requests_per_s: Rate | msgspec.UnsetType | None = msgspec.UNSET
    lane_policy: LanePolicy | msgspec.UnsetType = msgspec.UNSET
    backlog_policy: BacklogPolicy | msgspec.UnsetType = msgspec.UNSET
    pause_after_h: Hours | msgspec.UnsetType | None = msgspec.UNSET
    operational: Operational | msgspec.UnsetType = msgspec.UNSET
    options: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    credentials: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return "EndpointChange(…)"


def new_endpoint(
    wanted: EndpointInput,
    *,
    room: Contract,
    account_id: str,
    endpoint_id: str,
    secret: str,
    now: datetime,
) -> Endpoint:
    """The endpoint that is asked for. Raises InvalidInput for options that do not fit."""
    return Endpoint(
        account_id=account_id,
        endpoint_id=endpoint_id,
        contract=room.name,
        url=wanted.url,
        schedule=wanted.schedule or room.schedules[0].name,
        created_at=now,
        updated_at=now,
        description=wanted.description,
        stores=_each_once(wanted.stores),
        statuses=_each_once(wanted.statuses),
        timeout_s=room.timeout_s if wanted.timeout_s is None else wanted.timeout_s,
        concurrency=wanted.concurrency,
        requests_per_s=wanted.requests_per_s,
        lane_policy=wanted.lane_policy,
        backlog_policy=wanted.backlog_policy,
        pause_after_h=wanted.pause_after_h,
        operational=wanted.operational,
        options=_part("options", wanted.options, shape=room.options),
        credentials=_part("credentials", wanted.credentials, shape=room.credentials),
        secrets=(secret,),
    )


def changes_of(change: EndpointChange, *, room: Contract) -> Mapping[str, Any]:
    """The fields of an endpoint that change. Raises InvalidInput for options that do not fit."""
    told: dict[str, Any] = {
        field: value
        for field, value in msgspec.structs.asdict(change).items()
        if value is not msgspec.UNSET
    }
    for field, shape in (("options", room.options), ("credentials", room.credentials)):
        if field in told:
            told[field] = _part(field, told[field], shape=shape)
    for field in told.keys() & {"stores", "statuses"}:
        told[field] = _each_once(told[field])
    return told


def check_endpoint(endpoint: Endpoint, *, room: Contract) -> None:
    """Whether the contract takes the endpoint as it is. Raises InvalidInput."""
    room.schedule(endpoint.schedule)
    for secret in endpoint.secrets:
        signing_key(secret)
    check_choice("statuses", endpoint.statuses, [s for s in room.statuses if s in room.sends])
    if endpoint.backlog_policy is BacklogPolicy.LATEST and not room.latest_suffices:
        expected = f"every_step: the contract {room.name} tells of each"
        raise InvalidInput(field="backlog_policy", expected=expected)
    if endpoint.operational is not Operational.NONE and room.operational is None:
        expected = f"none: the contract {room.name} has no form for operational events"
        raise InvalidInput(field="operational", expected=expected)


def check_choice(field: str, chosen: tuple[str, ...] | None, known: Sequence[str]) -> None:
    """Whether all that was chosen is known. Raises InvalidInput."""
    for i, name in enumerate(chosen or ()):
        if name not in known:
            listed = ", ".join(known[:50])
            expected = f"one of {listed}" if known else "null: there is nothing to choose from"
            raise InvalidInput(field=f"{field}[{i}]", expected=expected)


def _each_once(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(names))


def _part(
    field: str, raw: msgspec.Raw | msgspec.UnsetType, *, shape: type[msgspec.Struct]
) -> bytes:
    """What came in under this field, checked and without white space.

    So endpoints that speak alike look alike. Raises InvalidInput with the path.
    """
    content = b"{}" if isinstance(raw, msgspec.UnsetType) else bytes(raw)
    read_under(field, shape=shape, raw=content)
    return msgspec.json.format(content, indent=-1)
