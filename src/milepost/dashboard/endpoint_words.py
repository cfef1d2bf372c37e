"""What outcomes and rules of an endpoint are called in front of people, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from milepost.delivery.model import BacklogPolicy, LanePolicy, Operational, Outcome


class OutcomeWords(msgspec.Struct, frozen=True):
    """An outcome as a name, as a sentence about the receiver, and what somebody can do."""

    name: str
    means: str
    advice: str


OUTCOMES: Mapping[Outcome, OutcomeWords] = MappingProxyType(
    {
        Outcome.ACKNOWLEDGED: OutcomeWords("Acknowledged", "The receiver took it.", ""),
        Outcome.REDIRECTED: OutcomeWords(
            "Redirected",
            "The receiver sent us on to another address, which is not followed.",
            "Change the URL to the address that it names.",
        ),
        Outcome.REFUSED: OutcomeWords(
            "Refused",
            "The receiver answered that it does not take the request.",
            "Check the URL's path and the credentials; its answer may say more.",
        ),
        Outcome.GONE: OutcomeWords(
            "Gone",
            "The receiver answered 410 Gone, which asks for no more.",
            "Change the URL, or remove the endpoint, before it is resumed.",
        ),
        Outcome.THROTTLED: OutcomeWords(
            "Throttled",
            "The receiver asked for fewer requests.",
            "Lower the requests a second, or how many run at once.",
        ),
        Outcome.SERVER_ERROR: OutcomeWords(
            "Server error",
            "The receiver was reached and failed by itself.",
            "Its own log says why. Pause the endpoint while that is mended, or change the URL.",
        ),
        Outcome.DNS: OutcomeWords(
            "Name not found",
            "The host of the URL has no address.",
            "Check how the host is written, or its DNS record.",
        ),
        Outcome.CONNECTION_REFUSED: OutcomeWords(
            "Connection refused",
            "Nothing listens at the address and port of the URL.",
            "Check the port, and whether the receiver runs.",
        ),
        Outcome.TLS: OutcomeWords(
            "TLS failed",
            "The receiver's certificate could not be trusted, or no TLS was spoken.",
            "Check the certificate's names, chain and end date.",
        ),
        Outcome.TIMEOUT: OutcomeWords(
            "No answer in time",
            "The receiver did not answer within the time limit.",
            "Let it answer first and work later, or raise the time limit.",
        ),
        Outcome.BLOCKED: OutcomeWords(
            "Blocked",
            "The URL leads to an address that this hub does not send to.",
            "Use a public address, or have the operator allow its network.",
        ),
        Outcome.TRUNCATED: OutcomeWords(
            "Answer cut off", "The receiver ended its answer in the middle.", "See its own log."
        ),
        Outcome.OVERSIZED: OutcomeWords(
            "Answer too large", "The receiver's headers were too large to read.", "See its own log."
        ),
        Outcome.PROTOCOL: OutcomeWords(
            "No HTTP",
            "What answered does not speak HTTP as it should.",
            "Check the port, and what stands in front of the receiver.",
        ),
        Outcome.RESET: OutcomeWords(
            "Connection lost",
            "The connection was closed before there was an answer.",
            "Check what stands in front of the receiver.",
        ),
    }
)

LANES: Mapping[str, str] = MappingProxyType(
    {
        LanePolicy.GO_ON.value: "The order's next notification goes on",
        LanePolicy.HOLD.value: "The order waits until somebody sends it again",
    }
)
BACKLOGS: Mapping[str, str] = MappingProxyType(
    {
        BacklogPolicy.EVERY_STEP.value: "Every step, in order",
        BacklogPolicy.LATEST.value: "The latest alone",
    }
)
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        Operational.NONE.value: "Nothing",
        Operational.ALSO.value: "Also of what happens to the account's endpoints",
        Operational.ONLY.value: "Only of what happens to the account's endpoints",
    }
)
URLS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "withings": (
            "Dropshipment notify URI",
            "Where Withings would send its order notifications: one for each customer.",
        ),
        "shipmonk": (
            "Subscription URL",
            "Where ShipMonk's “Order status change” webhook would be subscribed.",
        ),
        "standard": ("URL", "An https address of the receiver; each notification is a POST to it."),
    }
)
"""What a contract calls the URL, and what it is for."""

SUBSCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "withings": "Withings has no subscription: every status is sent, as when none is ticked.",
        "shipmonk": "A ShipMonk subscription is for one status or for all. None ticked is all.",
        "standard": "None ticked stands for all of them.",
    }
)


def outcome_words(outcome: Outcome | None) -> OutcomeWords | None:
    return None if outcome is None else OUTCOMES[outcome]
