"""Every error that the kit raises on purpose; the class docstring is the message."""

from __future__ import annotations

from typing import ClassVar


class ReceiverError(Exception):
    """The notification was refused."""

    http_status: ClassVar[int] = 400
    """The HTTP status that tells the sender what happened."""

    def __init__(self, at: str | None = None, *, expected: str | None = None) -> None:
        # Neither part may hold anything that was received: errors end up in logs.
        super().__init__(at)
        self.at = at
        self.expected = expected

    def __str__(self) -> str:
        message = " ".join((type(self).__doc__ or type(self).__name__).split())
        expected = f"expected {self.expected}" if self.expected else None
        detail = ": ".join(part for part in (self.at, expected) if part)
        return f"{message} ({detail})" if detail else message


class ConfigurationInvalid(ReceiverError):
    """The receiver was given settings that it cannot work with."""

    http_status = 500


class Unauthentic(ReceiverError):
    """The notification cannot be shown to come from its sender."""

    http_status = 401


class SignatureMissing(Unauthentic):
    """The notification does not carry the signature that this receiver checks."""


class SignatureInvalid(Unauthentic):
    """No signature of the notification was made with a secret that this receiver knows."""


class TimestampOutOfRange(Unauthentic):
    """The notification was signed too long ago, or too far ahead of this machine's clock."""


class CredentialsMissing(Unauthentic):
    """The notification does not carry the username and password that this receiver checks."""


class CredentialsInvalid(Unauthentic):
    """The username and password are not among those that this receiver knows."""


class Unreadable(ReceiverError):
    """The notification cannot be read."""


class HeaderMalformed(Unreadable):
    """A header is not what the contract says it is."""


class BodyTooLarge(Unreadable):
    """The body is larger than the limit."""

    http_status = 413


class BodyMalformed(Unreadable):
    """The body is not what the contract says it is."""


class DeliveryIdMissing(ReceiverError):
    """The notification carries no delivery id, so a repeat of it cannot be told."""


class SeenUnavailable(ReceiverError):
    """The record of deliveries already seen cannot be read or written."""

    http_status = 503


class InboxUnavailable(ReceiverError):
    """The inbox cannot be read or written, so nothing was accepted."""

    http_status = 503


class ReplayFailed(ReceiverError):
    """What was missed cannot be read from the hub."""

    http_status = 503


class ReplayRefused(ReplayFailed):
    """The hub does not let this key read the deliveries of this endpoint."""


class ReplayUnavailable(ReplayFailed):
    """The hub did not answer, or had no time to."""


class ReplayMalformed(ReplayFailed):
    """The hub's answer cannot be read."""


class SenderRefused(ReceiverError):
    """The request comes from an address that the sender does not publish."""

    http_status = 403


class SendersUnknown(ReceiverError):
    """It is not known which addresses the sender uses."""

    http_status = 503


class DnsUnavailable(SendersUnknown):
    """The name servers did not answer."""


class SenderRecordMissing(SendersUnknown):
    """The sender publishes no addresses under this name."""


class SenderRecordMalformed(SendersUnknown):
    """The record of the sender's addresses cannot be read."""
