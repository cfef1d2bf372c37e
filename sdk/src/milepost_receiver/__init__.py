"""Receive order notifications: verify, read, tell repeats and gaps, in three contracts.

    from milepost_receiver import Receiver

    receiver = Receiver.standard(secrets=["whsec_…"])
    notification = receiver.read(request.headers, request.body)

It raises only ReceiverError and its subclasses, whatever arrives.
"""

from milepost_receiver.body import Json
from milepost_receiver.database import Connect, Connection
from milepost_receiver.dns_lookup import Lookup, TxtAnswer, dns_lookup
from milepost_receiver.errors import (
    BodyMalformed,
    BodyTooLarge,
    ConfigurationInvalid,
    CredentialsInvalid,
    CredentialsMissing,
    DeliveryIdMissing,
    DnsUnavailable,
    HeaderMalformed,
    InboxUnavailable,
    ReceiverError,
    ReplayFailed,
    ReplayMalformed,
    ReplayRefused,
    ReplayUnavailable,
    SeenUnavailable,
    SenderRecordMalformed,
    SenderRecordMissing,
    SenderRefused,
    SendersUnknown,
    SignatureInvalid,
    SignatureMissing,
    TimestampOutOfRange,
    Unauthentic,
    Unreadable,
)
from milepost_receiver.gaps import Arrival, Gaps, compare
from milepost_receiver.headers import HeaderSource
from milepost_receiver.inbox import Fetched, Inbox, Kept
from milepost_receiver.inbox_work import Entry, Worked, Worker
from milepost_receiver.notification import Notification
from milepost_receiver.operational import OperationalNotification, SilentOrder
from milepost_receiver.receiver import Receiver
from milepost_receiver.replay import Filled, Replay
from milepost_receiver.seen import DbSeen, MemorySeen, Seen, SqliteSeen
from milepost_receiver.senders import SenderChange, SenderRecord, Senders
from milepost_receiver.shipmonk import ShipMonkNotification, ShipMonkOther, ShipMonkPackage
from milepost_receiver.standard import StandardNotification, StandardOrder, StandardParcel
from milepost_receiver.withings import WithingsNotification

__all__ = [
    "Arrival",
    "BodyMalformed",
    "BodyTooLarge",
    "ConfigurationInvalid",
    "Connect",
    "Connection",
    "CredentialsInvalid",
    "CredentialsMissing",
    "DbSeen",
    "DeliveryIdMissing",
    "DnsUnavailable",
    "Entry",
    "Fetched",
    "Filled",
    "Gaps",
    "HeaderMalformed",
    "HeaderSource",
    "Inbox",
    "InboxUnavailable",
    "Json",
    "Kept",
    "Lookup",
    "MemorySeen",
    "Notification",
    "OperationalNotification",
    "Receiver",
    "ReceiverError",
    "Replay",
    "ReplayFailed",
    "ReplayMalformed",
    "ReplayRefused",
    "ReplayUnavailable",
    "Seen",
    "SeenUnavailable",
    "SenderChange",
    "SenderRecord",
    "SenderRecordMalformed",
    "SenderRecordMissing",
    "SenderRefused",
    "Senders",
    "SendersUnknown",
    "ShipMonkNotification",
    "ShipMonkOther",
    "ShipMonkPackage",
    "SignatureInvalid",
    "SignatureMissing",
    "SilentOrder",
    "SqliteSeen",
    "StandardNotification",
    "StandardOrder",
    "StandardParcel",
    "TimestampOutOfRange",
    "TxtAnswer",
    "Unauthentic",
    "Unreadable",
    "WithingsNotification",
    "Worked",
    "Worker",
    "compare",
    "dns_lookup",
]
