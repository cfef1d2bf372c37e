"""Every error that Milepost raises on purpose; the class docstring is the message's first half."""

from __future__ import annotations


class MilepostError(Exception):
    """Milepost could not do this."""

    def __init__(self, detail: str = "") -> None:
        summary = (type(self).__doc__ or "").strip()
        super().__init__(f"{summary} {detail}".strip() if detail else summary)
        self.summary = summary
        self.detail = detail


class InvalidInput(MilepostError):
    """The input is not valid."""

    def __init__(self, *, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}" if field else f"Expected {expected}")
        self.field = field
        self.expected = expected


class UrlRefused(InvalidInput):
    """The endpoint's URL cannot be used."""


class TooLarge(MilepostError):
    """The request is larger than the limit."""


class Unauthorized(MilepostError):
    """A valid API key is needed."""


class SourceRefused(MilepostError):
    """The message does not prove that it comes from its source."""


class UnknownRecord(MilepostError):
    """There is no such record in this account."""


class AlreadyExists(MilepostError):
    """A record with this name exists already."""


class DeliveriesPending(MilepostError):
    """Deliveries of the order are pending, and hold what shall be erased."""

    def __init__(self, count: int) -> None:
        super().__init__(f"There are {count} of them: wait for them, or let them be abandoned")
        self.count = count


class OrderErased(MilepostError):
    """The personal data of the order was erased; it takes nothing more."""


class UpkeepBusy(MilepostError):
    """Another process is clearing away."""


class RateLimited(MilepostError):
    """The API key asks for more than it may; nothing was accepted."""

    def __init__(self, detail: str, *, after_s: int) -> None:
        super().__init__(detail)
        self.after_s = after_s


class TooManyResends(MilepostError):
    """As many resends of this endpoint as may are running already; nothing was queued."""


class ReconciliationRuns(MilepostError):
    """Another comparison of this source's orders is running; nothing was begun."""


class IllegalMove(MilepostError):
    """The order cannot go to this state now."""

    def __init__(self, detail: str, *, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.state = state
        self.allowed = allowed


class NoSandbox(MilepostError):
    """The account is no sandbox: its clock is the real one, and cannot be moved."""


class ClockStuck(MilepostError):
    """What has come due is not being done, and the clock waits for it."""

    def __init__(self, under_way: int, *, at: str) -> None:
        super().__init__(
            f"It stands at {at} with {under_way} waiting: is a hub running that dispatches?"
        )
        self.under_way = under_way


class Overloaded(MilepostError):
    """Milepost cannot take more in right now; nothing was accepted."""


class DiskFull(Overloaded):
    """The disk is nearly full; nothing was accepted."""


class BacklogFull(Overloaded):
    """Too many deliveries are pending; nothing was accepted."""


class Stopping(Overloaded):
    """Milepost is stopping; nothing was accepted."""


class StoreError(MilepostError):
    """The database cannot be used."""


class SchemaTooNew(StoreError):
    """The database was written by a newer version of Milepost."""


class SchemaChanged(StoreError):
    """The database's tables are not those that the migrations make."""


class StoreBusy(StoreError):
    """Another process dispatches from this database."""


class SecretUnreadable(StoreError):
    """A secret in the database cannot be read with the keys that were given."""


class NotDispatching(MilepostError):
    """Deliveries are not being sent."""


class SettingInvalid(MilepostError):
    """A setting cannot be used."""
