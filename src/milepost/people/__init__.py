"""People who look at the pages: who they are, how they get in, and what they may do."""

from __future__ import annotations

from milepost.people.entry import Entered, NotNow, Opened, People, WrongPassword
from milepost.people.links import LinkOver, NewLink, Portal
from milepost.people.roles import MAY, Person, Right

__all__ = [
    "MAY",
    "Entered",
    "LinkOver",
    "NewLink",
    "NotNow",
    "Opened",
    "People",
    "Person",
    "Portal",
    "Right",
    "WrongPassword",
]
