"""What comes in is decided, stored and queued in one transaction."""

from milepost.intake.decision import Outlet
from milepost.intake.flow import MOST_IN_A_TRANSACTION, Intake
from milepost.intake.inputs import (
    Input,
    OrderInput,
    OrderOutcome,
    OrderResult,
    Result,
    UpdateInput,
    UpdateResult,
)

__all__ = [
    "MOST_IN_A_TRANSACTION",
    "Input",
    "Intake",
    "OrderInput",
    "OrderOutcome",
    "OrderResult",
    "Outlet",
    "Result",
    "UpdateInput",
    "UpdateResult",
]
