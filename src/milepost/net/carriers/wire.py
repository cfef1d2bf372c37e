"""The connections to carriers, which are opened when the first of them is asked."""

from __future__ import annotations

from milepost.delivery.model import Reply, Request
from milepost.net.guard import Guard
from milepost.net.sender import Sender

CONNECTIONS = 64
LARGEST_ANSWER = 1024 * 1024
"""What is more of an answer is not read, and then none of it is: half of JSON is no JSON."""


class CarrierWire:
    """Sends questions to carriers, to addresses that the guard permits alone."""

    def __init__(self, *, guard: Guard, largest_answer: int = LARGEST_ANSWER) -> None:
        self._guard = guard
        self._largest_answer = largest_answer
        self._sender: Sender | None = None

    async def send(self, request: Request) -> Reply:
        """The reply to the request, always."""
        if self._sender is None:
            self._sender = Sender(
                guard=self._guard,
                connections=CONNECTIONS,
                keep_bytes=self._largest_answer,
                stop_bytes=self._largest_answer,
            )
        return await self._sender.send(request)

    async def close(self) -> None:
        """Breaks off what is under way."""
        if self._sender is not None:
            await self._sender.close()
