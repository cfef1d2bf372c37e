"""What a page is, what it is given, and what it can answer with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from milepost.contracts.refusal import refusal
from milepost.errors import InvalidInput, UnknownRecord
from milepost.people import Person, Right
from milepost.ports import Account
from milepost.wiring import Hub

T = TypeVar("T")

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flash:
    """One sentence that the next page shows: what was done, or why not.

    `kind` is done, note or problem.
    """

    text: str
    kind: str = "done"


@dataclass(frozen=True, slots=True)
class Shown:
    """A template and its context; a request for a part of it gets the block `part_<name>`."""

    template: str
    context: Context = field(default_factory=dict)
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """Go on at this path of ours (303): what every POST that changed something answers with."""

    to: str
    flash: Flash | None = None
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Bytes of another type, such as an SVG or a file to keep (with `name`)."""

    content: bytes
    content_type: str
    name: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """Server-sent events: names and their text, HTML mostly.

    They end with the session, when the hub stops and when the browser goes away.
    """

    stream: AsyncIterator[tuple[str, str]]


Result = Shown | Gone | Told | Events


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One request of somebody who may see the page.

    `account` is the one that is looked at: of an operator the one that was chosen. `form` holds the
    last value of each field and `fields` every one. `origin` is our address as the browser knows
    it. `csrf` is the token that a form of this session and account carries.
    """

    hub: Hub
    page: Page
    path: Mapping[str, str]
    query: Mapping[str, str]
    fields: Mapping[str, Sequence[str]]
    cookies: Mapping[str, str]
    token: str
    csrf: str
    who: Person | None
    account: Account | None
    accounts: Sequence[Account]
    address: str
    agent: str
    origin: str
    url: str
    zone: ZoneInfo | None
    theme: str
    flash: Flash | None
    now: datetime
    stopping: asyncio.Event
    renderer: Callable[[View, str, Context, str], str]

    @property
    def person(self) -> Person:
        """Whoever looks; a public page may be looked at by nobody. Raises UnknownRecord then."""
        if self.who is None:
            raise UnknownRecord
        return self.who

    @property
    def account_id(self) -> str:
        """The account that is looked at. Raises UnknownRecord where there is none yet."""
        if self.account is None:
            raise UnknownRecord
        return self.account.account_id

    @property
    def secure(self) -> bool:
        """Whether the browser came by https."""
        return self.origin.startswith("https:")

    @property
    def form(self) -> Mapping[str, str]:
        return {name: values[-1] for name, values in self.fields.items()}

    def may(self, right: Right | str) -> bool:
        """Whether who looks may do this; templates give the name of the right, such as "CHANGE"."""
        wanted = Right[right] if isinstance(right, str) else right
        return self.who is not None and self.who.may(wanted)

    def read_form(self, shape: type[T]) -> T:
        """The form as a struct; empty fields count as not given. Raises InvalidInput."""
        return _converted(self.form, shape=shape)

    def read_query(self, shape: type[T]) -> T:
        """The query as a struct; what the struct does not know is left out. Raises InvalidInput."""
        return _converted(self.query, shape=shape)

    def render(self, template: str, context: Context, *, part: str = "") -> str:
        """The HTML of a template, or of its block `part_<part>`: for events."""
        return self.renderer(self, template, context, part)


Act = Callable[[View], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One method of one path.

    `right` is what it asks of whoever opens it; a `public` page asks for nobody. `place` is the
    path in the navigation that it stands under.
    """

    path: str
    act: Act
    method: str = "GET"
    right: Right = Right.SEE
    public: bool = False
    place: str = ""


def _converted(given: Mapping[str, str], *, shape: type[T]) -> T:
    told = {name: value.strip() for name, value in given.items() if value.strip()}
    for name, value in told.items():
        if "\0" in value:
            raise InvalidInput(field=name, expected="text without NUL characters")
    try:
        return msgspec.convert(told, shape, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, shape=shape) from None
