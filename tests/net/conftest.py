"""A case with a sender, played on both kinds of event loop."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.net.guard import Guard
from milepost.net.sender import Sender
from tests.net.receiver import LOCAL, LOOPS, Case, Play, run


@pytest.fixture(params=sorted(LOOPS))
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a case with a sender that may use the loopback interface, and closes it after."""

    def play(case: Case, *, guard: Guard = LOCAL, **options: Any) -> None:
        async def main() -> None:
            # A name server that drops a question makes a look-up last for seconds.
            sender = Sender(guard=guard, connect_timeout_s=30, **options)
            try:
                await case(sender)
                assert sender.in_flight == 0
            finally:
                await sender.close()

        run(request.param, main())

    return play
