"""The inbox in a merchant's database: kept once, worked once and in order, whatever breaks."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from milepost_receiver import (
    Arrival,
    BodyTooLarge,
    ConfigurationInvalid,
    Entry,
    Inbox,
    InboxUnavailable,
    Kept,
    Receiver,
    SignatureInvalid,
    Worked,
)
from milepost_receiver.inbox import Fetched
from tests.sdk.databases import SHOPS, Shop
from tests.sdk.rooms import CREDENTIALS, sent
from tests.sdk.senders import SECRET, now, shipmonk_order, withings_update

STANDARD = Receiver.standard(secrets=[SECRET], now=now)
FIRST, OTHER = "ord_01jgw3v0c8c7k5m8r2x4n6p9qa", "ord_01jgw3v0c8c7k5m8r2x4n6p9qb"


class Clock:
    """The time of an inbox, which moves when it is told to."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


class Merchant:
    """A merchant with a database, an inbox in it, and a table of what was done."""

    def __init__(self, shop: Shop, clock: Clock) -> None:
        self.shop = shop
        self.clock = clock
        self.inbox = self.opened().create()
        shop.run("CREATE TABLE done (order_id TEXT, sequence INTEGER, arrival TEXT)")

    def opened(self, **given: Any) -> Inbox[Any]:
        """The inbox as another process opens it."""
        given = {"connect": self.shop.connect, "now": self.clock, **given}
        return Inbox(given.pop("receiver", STANDARD), **given)

    def receive(self, sequence: int, *, order_id: str = FIRST, replay: int = 0) -> Kept[Any]:
        headers, body = sent("standard", order_id=order_id, sequence=sequence, replay=replay)
        return self.inbox.receive(headers, body)

    def apply(self, entry: Entry[Any]) -> None:
        told = entry.notification
        entry.connection.cursor().execute(
            f"INSERT INTO done VALUES ({', '.join([self.shop.mark] * 3)})",
            (told.order_id, told.sequence, entry.arrival.value),
        )

    def done(self, order_id: str = FIRST) -> list[tuple[int, str]]:
        found = self.shop.run("SELECT sequence, arrival FROM done WHERE order_id = ?", order_id)
        return [(row[0], row[1]) for row in found]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=sorted(SHOPS))
def merchant(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Merchant:
    return Merchant(SHOPS[request.param](tmp_path), clock)


@pytest.fixture
def small(tmp_path: Path, clock: Clock) -> Merchant:
    """A merchant on SQLite, where the database makes no difference."""
    return Merchant(SHOPS["sqlite"](tmp_path), clock)


def test_what_arrives_is_kept_once_and_worked_once(merchant: Merchant) -> None:
    assert merchant.receive(1).first_time
    again = merchant.receive(1)
    assert (again.first_time, again.arrival) == (False, Arrival.DUPLICATE)
    assert merchant.inbox.waiting() == 1
    assert merchant.inbox.work(merchant.apply) == Worked(done=1)
    assert merchant.inbox.work(merchant.apply) == Worked()
    assert not merchant.receive(1).first_time
    assert merchant.inbox.work(merchant.apply) == Worked()
    assert merchant.done() == [(1, "in_order")]


def test_nothing_is_kept_that_is_not_proven(merchant: Merchant) -> None:
    headers, body = sent("standard")
    with pytest.raises(SignatureInvalid):
        merchant.inbox.receive(headers, body + b" ")
    with pytest.raises(BodyTooLarge):
        merchant.inbox.receive(headers, b" " * (STANDARD.max_body_bytes + 1))
    assert merchant.inbox.waiting() == 0


def test_an_orders_notifications_are_worked_in_order_however_they_came(merchant: Merchant) -> None:
    arrivals = [merchant.receive(sequence).arrival.value for sequence in (2, 1, 4, 3)]
    assert arrivals == ["gap", "out_of_order", "gap", "out_of_order"]
    merchant.receive(1, order_id=OTHER)
    assert merchant.inbox.work(merchant.apply) == Worked(done=5)
    assert merchant.done() == [(n, "in_order") for n in (1, 2, 3, 4)]
    assert merchant.done(OTHER) == [(1, "in_order")]


def test_what_is_older_than_what_is_done_is_not_applied(merchant: Merchant) -> None:
    merchant.receive(3)
    merchant.inbox.work(merchant.apply)
    merchant.receive(1)
    merchant.receive(2)
    late: list[Any] = []
    assert merchant.inbox.work(merchant.apply, stale=late.append) == Worked(stale=2)
    assert [(e.notification.sequence, e.arrival, e.stale) for e in late] == [
        (1, Arrival.OUT_OF_ORDER, True),
        (2, Arrival.OUT_OF_ORDER, True),
    ]
    merchant.receive(4)
    assert merchant.inbox.work(merchant.apply) == Worked(done=1)
    assert merchant.done() == [(3, "gap"), (4, "in_order")]


def test_a_replay_of_the_newest_is_applied_again_and_one_of_an_older_is_not(
    merchant: Merchant,
) -> None:
    merchant.receive(1)
    merchant.receive(2)
    merchant.inbox.work(merchant.apply)
    assert merchant.receive(2, replay=1).first_time
    assert merchant.receive(1, replay=1).first_time
    assert merchant.inbox.work(merchant.apply) == Worked(done=1, stale=1)
    assert [sequence for sequence, _ in merchant.done()] == [1, 2, 2]


def fail(_entry: Entry[Any]) -> None:
    raise KeyError("no such product")


def test_what_fails_is_undone_waits_and_holds_back_its_order_alone(
    merchant: Merchant, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    merchant.receive(1)
    merchant.receive(2)
    merchant.receive(1, order_id=OTHER)

    def apply(entry: Entry[Any]) -> None:
        merchant.apply(entry)
        told = entry.notification
        if (told.order_id, told.sequence) == (FIRST, 1) and entry.failures < 2:
            fail(entry)

    with caplog.at_level(logging.WARNING, logger="milepost_receiver"):
        assert merchant.inbox.work(apply) == Worked(done=1, failed=1)
    assert "KeyError: 'no such product'" in caplog.text
    assert (merchant.done(), merchant.done(OTHER)) == ([], [(1, "in_order")])
    clock.at += 1.9
    assert merchant.inbox.work(apply) == Worked()
    clock.at += 0.2
    assert merchant.inbox.work(apply) == Worked(failed=1)
    clock.at += 3.9
    assert merchant.inbox.work(apply) == Worked()
    clock.at += 0.2
    assert merchant.inbox.work(apply) == Worked(done=2)
    assert merchant.done() == [(1, "in_order"), (2, "in_order")]


def test_what_fails_too_often_is_given_up_and_shows_as_a_gap(
    merchant: Merchant, clock: Clock
) -> None:
    merchant.receive(1)
    merchant.receive(2)
    inbox = merchant.opened(most_failures=2)

    def apply(entry: Entry[Any]) -> None:
        merchant.apply(entry)
        if entry.notification.sequence == 1:
            fail(entry)

    assert inbox.work(apply) == Worked(failed=1)
    clock.at += 2.1
    assert inbox.work(apply) == Worked(done=1, failed=1, given_up=1)
    assert merchant.done() == [(2, "gap")]
    found = merchant.shop.run("SELECT sequence, outcome, why FROM milepost_inbox ORDER BY 1")
    assert found == [(1, "given_up", "KeyError"), (2, "done", None)]


def test_waits_grow_up_to_the_longest(small: Merchant, clock: Clock) -> None:
    small.receive(1)
    inbox = small.opened(longest_wait_seconds=5)
    for wait in (2, 4, 5, 5):
        assert inbox.work(fail) == Worked(failed=1)
        clock.at += wait - 0.001
        assert inbox.work(fail) == Worked()
        clock.at += 0.001


def test_what_a_dead_worker_took_is_taken_after_the_lease(merchant: Merchant, clock: Clock) -> None:
    merchant.receive(1)

    class Killed(BaseException):
        """The process ends here."""

    def die(entry: Entry[Any]) -> None:
        merchant.apply(entry)
        raise Killed

    inbox = merchant.opened(lease_seconds=30)
    with pytest.raises(Killed):
        inbox.work(die)
    assert merchant.done() == []
    assert inbox.work(merchant.apply) == Worked()
    clock.at += 30
    assert inbox.work(merchant.apply) == Worked(done=1)
    assert merchant.done() == [(1, "in_order")]


def test_of_two_workers_with_one_notification_one_is_undone(
    merchant: Merchant, clock: Clock
) -> None:
    merchant.receive(1)
    merchant.receive(2)
    faster = merchant.opened()

    def slow(entry: Entry[Any]) -> None:
        if entry.notification.sequence == 1:
            # So long that the lease is over, and another worker does it.
            clock.at += 100
            assert faster.work(merchant.apply) == Worked(done=2)
        merchant.apply(entry)

    assert merchant.inbox.work(slow) == Worked()
    assert merchant.done() == [(1, "in_order"), (2, "in_order")]


def test_many_workers_and_receivers_at_once_do_everything_once_and_in_order(
    merchant: Merchant,
) -> None:
    orders = [f"ord_01jgw3v0c8c7k5m8r2x4n6p{n:03}" for n in range(6)]
    stop = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        work = [
            pool.submit(merchant.opened().run, merchant.apply, stop=stop, poll_seconds=0.01)
            for _ in range(2)
        ]
        told = [
            (order_id, n) for n in range(1, 5) for order_id in orders for _ in ("once", "again")
        ]
        firsts = list(pool.map(lambda t: merchant.receive(t[1], order_id=t[0]).first_time, told))
        inbox = merchant.opened()
        ended = threading.Event()
        for _ in range(3_000):
            if not inbox.waiting():
                break
            ended.wait(0.01)
        stop.set()
        for one in work:
            one.result()
    assert sum(firsts) == len(told) / 2
    assert inbox.waiting() == 0
    for order_id in orders:
        found = [sequence for sequence, _ in merchant.done(order_id)]
        assert found == sorted(set(found)), order_id
        assert found[-1] == 4


def test_the_provider_itself_gives_no_id_so_each_of_its_messages_is_kept(small: Merchant) -> None:
    receiver = Receiver.withings(accept_unsigned=True)
    inbox = small.opened(receiver=receiver)
    body = json.dumps(withings_update()).encode()
    for _ in range(2):
        kept = inbox.receive({"content-type": "application/json"}, body)
        assert (kept.first_time, kept.arrival) == (True, Arrival.UNNUMBERED)
    seen: list[Any] = []
    assert inbox.work(seen.append) == Worked(done=2)
    assert [e.notification.customer_ref for e in seen] == ["REF-1001"] * 2


def test_what_belongs_to_no_order_waits_for_nothing(small: Merchant) -> None:
    inbox = small.opened(receiver=Receiver.shipmonk(basic=[("hub", "pass:word")]))
    headers = {"authorization": "Basic aHViOnBhc3M6d29yZA=="}
    for asn in ("A-1", "A-2"):
        inbox.receive(headers, json.dumps({"asn": asn}).encode())

    def apply(entry: Entry[Any]) -> None:
        assert entry.notification.kind == "receiving"
        if entry.notification.body["asn"] == "A-1":
            fail(entry)

    assert inbox.work(apply) == Worked(done=1, failed=1)
    assert inbox.waiting() == 1


@pytest.mark.parametrize("order_key", ["x" * 100_000, "a\0b", "\N{SNOWMAN}" * 256, " "])
def test_an_order_may_be_called_anything_that_a_provider_sends(
    merchant: Merchant, order_key: str
) -> None:
    receiver = Receiver.shipmonk(basic=[("hub", "pass:word")])
    inbox = merchant.opened(receiver=receiver)
    headers = {"authorization": "Basic aHViOnBhc3M6d29yZA=="}
    for status in ("submitted", "packed"):
        told = shipmonk_order(order_key=order_key, processing_status=status)
        inbox.receive(headers, json.dumps(told).encode())
        merchant.clock.at += 1
    seen: list[Any] = []
    assert inbox.work(lambda entry: seen.append(entry.notification)) == Worked(done=2)
    told_of = [(n.order_key, n.processing_status) for n in seen]
    assert told_of == [(order_key, "submitted"), (order_key, "packed")]
    ((orders,),) = merchant.shop.run("SELECT count(*) FROM milepost_inbox_orders")
    assert orders == 1


@pytest.mark.parametrize("contract", ["withings form", "shipmonk"])
def test_what_is_worked_is_what_was_received(small: Merchant, contract: str) -> None:
    room, _, profile = contract.partition(" ")
    options = b'{"customer_id":"4711","profile":"form"}' if profile else b"{}"
    headers, body = sent(room, options=options, credentials=CREDENTIALS if not profile else b"{}")
    receiver: Receiver[Any] = (
        Receiver.withings(secrets=[SECRET], now=now)
        if profile
        else Receiver.shipmonk(basic=[("hub", "pass:word")], secrets=[SECRET], now=now)
    )
    inbox = small.opened(receiver=receiver, name="theirs")
    kept = inbox.receive(iter(headers), body)
    seen: list[Any] = []
    assert inbox.work(seen.append) == Worked(done=1)
    assert seen[0].notification == kept.notification
    ((stored,),) = small.shop.run("SELECT headers FROM milepost_inbox")
    assert not {"authorization", "x-sm-signature", "webhook-signature"} & json.loads(stored).keys()


def test_inboxes_of_two_names_share_the_tables_and_nothing_else(small: Merchant) -> None:
    one, other = small.opened(name="one"), small.opened(name="other")
    headers, body = sent("standard")
    assert one.receive(headers, body).first_time
    assert other.receive(headers, body).first_time
    assert one.work(small.apply) == Worked(done=1)
    assert other.waiting() == 1
    assert repr(other) == "Inbox(other)"


def test_what_was_fetched_is_kept_where_it_is_missing_with_its_place(merchant: Merchant) -> None:
    merchant.receive(2, replay=1)
    inbox = merchant.inbox
    assert inbox.place() is None
    found = []
    for sequence in (1, 2, 3):
        headers, body = sent("standard", order_id=FIRST, sequence=sequence)
        known = dict(headers)
        found.append(Fetched(known, STANDARD.read_trusted(known, body)))
    assert inbox.keep_missing(found, place="here") == 2
    assert inbox.keep_missing(found, place=None) == 0
    assert merchant.opened().place() == "here"
    assert inbox.work(merchant.apply) == Worked(done=3)
    assert [sequence for sequence, _ in merchant.done()] == [1, 2, 3]


def test_pruning_drops_what_was_done_before(small: Merchant, clock: Clock) -> None:
    small.receive(1)
    small.inbox.work(small.apply)
    clock.at += 100
    small.receive(2)
    assert small.inbox.prune(before=clock.at) == 1
    assert small.inbox.prune(before=clock.at + 1) == 0
    # Of an order it is still known how far it is done.
    assert small.receive(1).first_time
    assert small.inbox.work(small.apply) == Worked(done=1, stale=1)


def test_a_thread_works_at_once_what_arrives_and_stops_when_told(small: Merchant) -> None:
    done = threading.Event()

    def apply(entry: Entry[Any]) -> None:
        small.apply(entry)
        done.set()

    with small.inbox.start(apply, poll_seconds=60):
        small.receive(1)
        assert done.wait(30)
    assert small.done() == [(1, "in_order")]
    assert not [t for t in threading.enumerate() if t.name == "inbox standard"]


def test_a_thread_goes_on_when_the_database_was_away(tmp_path: Path, clock: Clock) -> None:
    shop = SHOPS["sqlite"](tmp_path)
    away = threading.Event()
    asked = threading.Event()

    def connect() -> Any:
        if away.is_set():
            asked.set()
            raise sqlite3.OperationalError("gone")
        return shop.connect()

    merchant = Merchant(Shop(connect, "?"), clock)
    merchant.receive(1)
    away.set()
    done = threading.Event()
    with merchant.inbox.start(lambda _entry: done.set(), poll_seconds=0.01):
        assert asked.wait(30)
        assert not done.is_set()
        away.clear()
        assert done.wait(30)


def test_trouble_with_the_database_is_our_own_error_and_asks_to_try_again(
    tmp_path: Path,
) -> None:
    headers, body = sent("standard")

    def gone() -> Any:
        raise OSError("no route to postgresql://shop:password@db")

    for connect in (gone, lambda: sqlite3.connect(tmp_path / "without-tables.db")):
        inbox = Inbox(STANDARD, connect=connect)
        with pytest.raises(InboxUnavailable) as caught:
            inbox.receive(headers, body)
        assert caught.value.http_status == 503
        assert "password" not in str(caught.value)


def test_a_receiver_whose_transaction_fails_has_accepted_nothing(small: Merchant) -> None:
    small.shop.run("DROP TABLE milepost_inbox_orders")
    with pytest.raises(InboxUnavailable):
        small.receive(1)
    assert small.shop.run("SELECT count(*) FROM milepost_inbox") == [(0,)]


@contextmanager
def lent(shop: Shop, log: list[str]) -> Iterator[Any]:
    connection = shop.connect()
    log.append("lent")
    yield connection
    log.append("given back")
    connection.close()


def test_a_pool_lends_its_connections(small: Merchant) -> None:
    log: list[str] = []
    inbox = small.opened(connect=lambda: lent(small.shop, log), name="pooled")
    headers, body = sent("standard")
    assert inbox.receive(headers, body).first_time
    assert inbox.work(small.apply) == Worked(done=1)
    assert log == ["lent", "given back"] * 2


def autocommitting(shop: Shop) -> Callable[[], Any]:
    def connect() -> Any:
        connection = shop.connect()
        if isinstance(connection, sqlite3.Connection):
            connection.isolation_level = None
        else:
            connection.autocommit = True
        return connection

    return connect


def test_a_connection_that_commits_by_itself_is_refused(merchant: Merchant) -> None:
    inbox = merchant.opened(connect=autocommitting(merchant.shop))
    with pytest.raises(ConfigurationInvalid):
        inbox.waiting()


@pytest.mark.parametrize(
    "given",
    [
        {"connect": None},
        {"lease_seconds": 0},
        {"longest_wait_seconds": -1},
        {"paramstyle": "curly"},
        {"connect": lambda: closing(sqlite3.connect(":memory:")), "paramstyle": "?"},
    ],
)
def test_settings_that_cannot_work_are_refused(small: Merchant, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationInvalid):
        small.opened(**given).waiting()
