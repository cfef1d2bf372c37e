"""What comes in is decided, stored and queued in one transaction."""

from milepost.intake.draft import Outlet
from milepost.intake.flow import MOST_IN_A_TRANSACTION, Hear, Intake
from milepost.intake.inputs import (
    Input,
    MessageInput,
    MessageResult,
    OrderInput,
    OrderOutcome,
    OrderResult,
    Result,
    UpdateInput,
    UpdateResult,
)

__all__ = [
    "MOST_IN_A_TRANSACTION",
    "Hear",
    "Input",
    "Intake",
    "MessageInput",
    "MessageResult",
    "OrderInput",
    "OrderOutcome",
    "OrderResult",
    "Outlet",
    "Result",
    "UpdateInput",
    "UpdateResult",
]
