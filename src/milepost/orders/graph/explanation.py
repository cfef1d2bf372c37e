"""One step of the lifecycle explained: whether it is legal, why, and what can be done instead."""

from __future__ import annotations

from collections import deque

import msgspec

from milepost.orders.lifecycle import (
    HARD_ENDS,
    Edge,
    EdgeClass,
    State,
    allowed_next,
    passed_over,
    way_to,
)


class Explanation(msgspec.Struct, frozen=True):
    """What the lifecycle says of going from one state to another.

    `edge` is the direct one, None when there is none. `path` is then the shortest legal way, both
    ends included, by normal edges where that is possible; it is empty when there is no way, or no
    need of one. `allowed` and `corrections` are the states that may come next.
    """

    origin: State
    target: State
    edge: Edge | None
    why: str
    passed_over: tuple[State, ...]
    path: tuple[State, ...]
    path_class: EdgeClass | None
    allowed: tuple[State, ...]
    corrections: tuple[State, ...]

    @property
    def legal(self) -> bool:
        """Whether any update may take this step; a correction may take more."""
        return self.edge is not None and self.edge.edge_class is EdgeClass.NORMAL

    @property
    def edge_class(self) -> EdgeClass | None:
        """How the step may be taken; None when there is no direct edge."""
        return None if self.edge is None else self.edge.edge_class


def explain(origin: State, target: State) -> Explanation:
    """Whether an order may go from one state to another, why, and what it can do instead."""
    edge = way_to(origin, target, correction=True)
    path: tuple[State, ...] = ()
    path_class = None
    if edge is None and origin is not target:
        path, path_class = _shortest_way(origin, target)
    allowed = allowed_next(origin)
    every = allowed_next(origin, correction=True)
    return Explanation(
        origin=origin,
        target=target,
        edge=edge,
        why=_why(origin, target, edge=edge, path_class=path_class),
        passed_over=() if edge is None else passed_over(origin, target),
        path=path,
        path_class=path_class,
        allowed=allowed,
        corrections=tuple(state for state in every if state not in allowed),
    )


def _why(origin: State, target: State, *, edge: Edge | None, path_class: EdgeClass | None) -> str:
    if edge is not None:
        return edge.why
    if origin is target:
        return "the same state again: new facts are taken in, and without any it is a duplicate"
    match path_class:
        case EdgeClass.NORMAL:
            return f"there is no direct way from {origin} to {target}"
        case EdgeClass.CORRECTION:
            return f"there is no way from {origin} to {target} without a correction"
        case None if origin in HARD_ENDS:
            return f"{origin} is an end for good"
        case None:
            return f"no way leads from {origin} to {target}"


def _shortest_way(origin: State, target: State) -> tuple[tuple[State, ...], EdgeClass | None]:
    """The way with the fewest steps, without corrections where that can be, and its class."""
    for edge_class in EdgeClass:
        reached = {origin: origin}
        waiting = deque((origin,))
        while waiting and target not in reached:
            here = waiting.popleft()
            for there in allowed_next(here, correction=edge_class is EdgeClass.CORRECTION):
                if there not in reached:
                    reached[there] = here
                    waiting.append(there)
        if target in reached:
            way = [target]
            while way[-1] is not origin:
                way.append(reached[way[-1]])
            return tuple(reversed(way)), edge_class
    return (), None
