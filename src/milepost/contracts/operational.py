"""Operational events on their way to endpoints, in each contract that has a form for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from milepost.contracts.contract import Contract
from milepost.delivery.health import (
    Cause,
    OperationalEvent,
    OperationalNotice,
    OperationalType,
)
from milepost.delivery.model import Body, Endpoint
from milepost.delivery.silence import SilenceEvent, SilenceNotice


def notice_of(event: OperationalEvent, *, rooms: Mapping[str, Contract]) -> OperationalNotice:
    """The event as endpoints are told of it, once its number is known."""

    def bodies(sequence: int) -> Mapping[str, Body]:
        return {
            room.name: room.operational(event, sequence)
            for room in rooms.values()
            if room.operational is not None
        }

    return OperationalNotice(event, bodies)


def silence_notice_of(event: SilenceEvent, *, rooms: Mapping[str, Contract]) -> SilenceNotice:
    """News of silences as endpoints are told of them, once its number is known."""

    def bodies(sequence: int) -> Mapping[str, Body]:
        return {
            room.name: room.silence(event, sequence)
            for room in rooms.values()
            if room.silence is not None
        }

    return SilenceNotice(event, bodies)


def paused_notice(
    endpoint: Endpoint, *, why: str, at: datetime, cause: Cause, rooms: Mapping[str, Contract]
) -> OperationalNotice:
    """What is told when an endpoint is paused."""
    event = OperationalEvent(OperationalType.PAUSED, at, endpoint, cause, why)
    return notice_of(event, rooms=rooms)


def resumed_notice(
    endpoint: Endpoint, *, at: datetime, rooms: Mapping[str, Contract]
) -> OperationalNotice:
    """What is told when a person resumes an endpoint that was paused since its `state_at`."""
    event = OperationalEvent(
        OperationalType.RESUMED,
        at,
        endpoint,
        Cause.OPERATOR,
        "resumed by the operator",
        endpoint.state_at,
    )
    return notice_of(event, rooms=rooms)
