"""Opening a socket for libcurl, if the guard permits the address that it is about to connect to."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from typing import Any

from milepost.delivery.model import Failure
from milepost.net.guard import Guard


class Descriptor:
    """An open socket for pycurl, which copies its descriptor and then drops this, closing it."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __del__(self) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        return self._fd


def open_socket(address: Any, *, guard: Guard) -> Descriptor | tuple[Failure, str]:
    """A socket for the address that pycurl names, or why there is none; never raises."""
    try:
        refusal = guard.refusal(ip_address(address.addr[0]))
        if refusal is not None:
            return Failure.BLOCKED, f"the guard refused the address: {refusal}"
        opened = socket.socket(address.family, address.socktype, address.protocol)
    except (OSError, ValueError, TypeError) as error:
        return Failure.REFUSED, f"no socket could be opened: {error}"
    return Descriptor(opened.detach())
