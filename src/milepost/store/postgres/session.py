"""One connection to the database and the statements it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from milepost.errors import StoreError
from milepost.store.postgres.commands import batch, compound, single
from milepost.store.postgres.packing import escaped, plain
from milepost.store.rows import Row

DECIDE_AGAIN = "MP001"
"""What the schema's guards raise when a decision was made on what is no longer so."""

_ELSEWHERE = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What a server says that is not, or not any longer, the one to write to."""


class Outdated(StoreError):
    """Somebody else was faster."""


class AlreadyThere(Outdated):
    """There is such a row."""


class OrderAlreadyThere(AlreadyThere):
    """There is such an order, or such an event of it."""


class Session:
    """Runs statements on one connection, one at a time; each is prepared when it first runs.

    A statement outside of a transaction is one by itself.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._prepared: dict[str, Any] = {}

    @property
    def usable(self) -> bool:
        """Whether another statement can be sent."""
        return not self.connection.is_closed() and not self.connection.is_in_transaction()

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """Every row of a statement; its optional lines are there for values that are not None."""
        return [plain(row) for row in await self._fetch(name, values)]

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row of a statement, if there is one."""
        found = await self._fetch(name, values)
        return plain(found[0]) if found else None

    async def write(self, name: str, /, **values: Any) -> int:
        """How many rows a statement has changed."""
        command = single(name)
        statement = await self._statement(command.text)
        await statement.fetch(*_arguments(values, command.names))
        return int(statement.get_statusmsg().rpartition(" ")[2])

    async def batch(self, name: str, rows: Iterable[Row], *others: Any) -> list[Row]:
        """Every row of a statement for batches, which takes these rows and then these values."""
        return await self.columns(name, list(zip(*rows, strict=True)), *others)

    async def columns(self, name: str, columns: Sequence[Sequence[Any]], *others: Any) -> list[Row]:
        """The same for columns, which need not be of the same length."""
        command = batch(name)
        statement = await self._statement(command.text)
        packed = command.pack(columns or [()] * len(command.packs))
        found: list[Row] = await statement.fetch(*packed, *others)
        return found

    async def compound(self, names: tuple[str, ...], arguments: Sequence[Any]) -> list[Row]:
        """Every row of several statements for batches, run as one."""
        statement = await self._statement(compound(names))
        found: list[Row] = await statement.fetch(*arguments)
        return found

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None, None]:
        """What runs inside is committed together, or not at all."""
        async with self.connection.transaction():
            yield

    @asynccontextmanager
    async def one_state(self) -> AsyncGenerator[None, None]:
        """What runs inside reads the same state of the database."""
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            yield

    async def _fetch(self, name: str, values: dict[str, Any]) -> Sequence[Row]:
        given = frozenset(word for word, value in values.items() if value is not None)
        command = single(name, given)
        statement = await self._statement(command.text)
        found: Sequence[Row] = await statement.fetch(*_arguments(values, command.names))
        return found

    async def _statement(self, text: str) -> Any:
        known = self._prepared.get(text)
        if known is None:
            known = self._prepared[text] = await self.connection.prepare(text)
        return known


def _arguments(values: dict[str, Any], names: Iterable[str]) -> list[Any]:
    wanted = [values.get(name) for name in names]
    return [escaped(value) if type(value) is str else value for value in wanted]


@contextmanager
def store_errors() -> Generator[None, None, None]:
    """Turns what the database raises into StoreError; into Outdated where a new try may help."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise _already_there(error.constraint_name or "")(str(error)) from error
    except asyncpg.TransactionRollbackError as error:
        raise Outdated(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if getattr(error, "sqlstate", None) == DECIDE_AGAIN:
            raise Outdated(str(error)) from error
        raise StoreError(_told(error)) from error
    except OSError as error:
        raise StoreError(_told(error)) from error


def _already_there(constraint: str) -> type[Outdated]:
    if constraint.startswith("order"):
        return OrderAlreadyThere
    # A lane that has begun meanwhile is no reason not to go on.
    return Outdated if constraint == "lanes_pkey" else AlreadyThere


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _origin(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, StoreError) and error.__cause__ else error


def is_elsewhere(error: BaseException) -> bool:
    """Whether this error says that every connection to this server is of no more use."""
    return isinstance(_origin(error), _ELSEWHERE)


def is_in_doubt(error: BaseException) -> bool:
    """Whether what was sent may have been committed, whatever this error says."""
    origin = _origin(error)
    if isinstance(origin, asyncpg.PostgresError):
        return isinstance(origin, (asyncpg.PostgresConnectionError, *_ELSEWHERE))
    return isinstance(
        origin,
        (OSError, asyncio.CancelledError, asyncpg.InternalClientError, asyncpg.InterfaceError),
    ) and not isinstance(origin, asyncpg.DataError)


def spoils(error: BaseException) -> bool:
    """Whether the connection that this happened on is better not used again."""
    return is_in_doubt(error) or isinstance(_origin(error), asyncpg.FeatureNotSupportedError)
