"""Tests that are coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


def played(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Has a test run in a loop of its own."""

    @wraps(test)
    def play(*args: P.args, **given: P.kwargs) -> None:
        asyncio.run(test(*args, **given))

    return play
