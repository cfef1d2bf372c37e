"""What asks for a person: endpoints in trouble, what was given up, and what could not be applied.

Nothing of it is kept twice: the list is read from the records themselves, and all that is kept of
its own is what somebody has put aside.
"""

from milepost.attention.flow import (
    AT_LEISURE,
    LONGEST_ID,
    MOST_COUNTED,
    MOST_DISMISSED_AT_ONCE,
    WAITS_FOR_ITS_ORDER,
    Attention,
)
from milepost.attention.matter import Action, Group, Kind, Matter, shown_span

__all__ = [
    "AT_LEISURE",
    "LONGEST_ID",
    "MOST_COUNTED",
    "MOST_DISMISSED_AT_ONCE",
    "WAITS_FOR_ITS_ORDER",
    "Action",
    "Attention",
    "Group",
    "Kind",
    "Matter",
    "shown_span",
]
