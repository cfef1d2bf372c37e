"""What a message may say at most, so that nothing in it can be in the way of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from milepost.contracts.incoming import Message
from milepost.errors import InvalidInput
from milepost.orders.events import Update

LONGEST_NAME = 255
LONGEST_TEXT = 1_000
LONGEST_URL = 2_048
MOST_UPDATES = 500
MOST_UNMAPPED = 100
LARGEST_NUMBER = 2**63 - 1

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(hours=24)

_OF_MESSAGE = (
    ("message_id", LONGEST_NAME),
    ("order_key", LONGEST_NAME),
    ("store", LONGEST_NAME),
    ("tracking_number", LONGEST_NAME),
)
_OF_UPDATE = (
    ("raw", LONGEST_TEXT),
    ("parcel", LONGEST_NAME),
    ("carrier", LONGEST_NAME),
    ("carrier_service", LONGEST_NAME),
    ("tracking_number", LONGEST_NAME),
    ("tracking_url", LONGEST_URL),
    ("note", LONGEST_TEXT),
)
_encode = msgspec.json.Encoder().encode


def encoded(message: Message) -> bytes:
    """The message as it is kept. Raises InvalidInput for text or numbers that nothing can keep."""
    try:
        return _encode(message)
    except (UnicodeEncodeError, OverflowError, ValueError):
        raise InvalidInput(field="body", expected="text in Unicode, numbers of 64 bits") from None


def check_message(message: Message, *, now: datetime) -> None:
    """Raises InvalidInput for a message that says more than may be kept of one."""
    for field, most in _OF_MESSAGE:
        _check_text(field, getattr(message, field), most)
    if message.order_key == "" or message.message_id == "":
        raise InvalidInput(field="body", expected="names that are not empty")
    if len(message.updates) > MOST_UPDATES or len(message.unmapped) > MOST_UNMAPPED:
        raise InvalidInput(field="body", expected=f"at most {MOST_UPDATES} parcels")
    for update in message.updates:
        _check_update(update, now=now)


def _check_update(update: Update, *, now: datetime) -> None:
    for field, most in _OF_UPDATE:
        _check_text(field, getattr(update, field), most)
    number = update.source_sequence
    if number is not None and not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
        raise InvalidInput(field="source_sequence", expected="a number of 64 bits")
    at = update.occurred_at
    if at is not None and not EARLIEST <= at <= now + FURTHEST_AHEAD:
        expected = "a time from 1990 on, and at most 24 hours ahead of now"
        raise InvalidInput(field="occurred_at", expected=expected)


def _check_text(field: str, text: str | None, most: int) -> None:
    if text is not None and len(text) > most:
        raise InvalidInput(field=field, expected=f"at most {most:,} characters")
