"""How a request to the order interface is signed: a few values of it, and not its content.

Published: the values of these parameters, sorted by the parameters' names and joined by commas;
HMAC-SHA256 with the client secret, in lower-case hex.
"""

from __future__ import annotations

import hashlib
import hmac

GET_NONCE = "getnonce"

NONCE_BYTES = 20
"""A nonce is 40 hexadecimal digits (published)."""

NONCE_S = 30 * 60
"""How long a nonce can be used, once (published)."""


def signed_by(action: str) -> str:
    """The parameter that is signed beside action and client_id."""
    return "timestamp" if action == GET_NONCE else "nonce"


def signed_text(*, action: str, client_id: str, once: str) -> str:
    """The text under the signature; `once` is the timestamp or the nonce.

    Action, client_id and either of them stand in the order of their names.
    """
    return f"{action},{client_id},{once}"


def signature(secret: str, text: str) -> str:
    """What a client that knows the secret puts under this text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(secret: str, text: str, *, given: str) -> bool:
    """Whether this is the signature; takes as long whatever is wrong with it."""
    return hmac.compare_digest(signature(secret, text).encode(), given.encode())
