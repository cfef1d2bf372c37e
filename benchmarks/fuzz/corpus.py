"""Real notifications as the hub sends them: what mutations begin with."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.sdk.rooms import CREDENTIALS, OPTIONS, sent
from tests.sdk.senders import NOW, SECRET, delivery_id, shipmonk_order, signed, text

SHIPMONK_SECRET = b"shared"
BASIC = ("hub", "pass:word")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Headers and body as they are sent, proven by every secret that there is."""

    name: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def corpus() -> Sequence[Message]:
    """One of each kind."""
    made = [
        Message(
            name, *sent(name.partition(" ")[0], options=options, credentials=_credentials(name))
        )
        for name, options in OPTIONS.items()
    ]
    return [*made, *map(_signed, (_operational(), _sibling(), shipmonk_order()))]


def proven(message: Message, body: bytes) -> Message:
    """The message with another body, proven anew: what a sender gone mad would send."""
    headers = {name.lower(): value for name, value in message.headers}
    name, stamp = headers["webhook-id"], headers["webhook-timestamp"]
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    content = b"%s.%s.%s" % (name.encode(), stamp.encode(), body)
    made = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    headers["webhook-signature"] = f"v1,{made}"
    headers["x-sm-signature"] = hmac.digest(SHIPMONK_SECRET, body, "sha512").hex()
    return Message(message.name, tuple(headers.items()), body)


def _credentials(name: str) -> bytes:
    return CREDENTIALS if name == "shipmonk" else b"{}"


def _signed(told: dict[str, Any]) -> Message:
    body = text(told)
    headers = {"content-type": "application/json", **signed(body, name=delivery_id())}
    token = base64.b64encode(":".join(BASIC).encode()).decode()
    headers["authorization"] = f"Basic {token}"
    headers["x-sm-signature"] = hmac.digest(SHIPMONK_SECRET, body, "sha512").hex()
    return Message(str(told.get("type", "other")), tuple(headers.items()), body)


def _operational() -> dict[str, Any]:
    endpoint = {"endpoint_id": "ep_ab2cd3ef4g", "contract": "withings", "state": "active"}
    data = {"subject": "ep_ab2cd3ef4g", "sequence": 7, "endpoint": endpoint, "failures": 3}
    return {"type": "endpoint.failing", "timestamp": "2026-01-05T08:00:00Z", "data": data}


def _sibling() -> dict[str, Any]:
    return json.loads('{"rma": "R-1", "return_reason": "too small", "items": [{"sku": "A"}]}')


AT = float(NOW)
"""The time that they were signed at."""
