"""`work` as a process: what it shows, with whom it shares an SQLite file, and how it stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost_receiver import Receiver
from tests.system.processes import SIGNING_SECRET, town, until
from tests.system.receivers import RealReceiver

pytestmark = pytest.mark.processes


def test_on_one_file_a_process_that_serves_and_one_that_works_share_the_work(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with (
        RealReceiver(Receiver.standard(secrets=[SIGNING_SECRET])) as receiver,
        town(tmp_path, url) as here,
    ):
        hub = here.start("serve", "--port", "0", "--no-dispatch")
        key = hub.ready["api_key"]
        endpoint = {"contract": "standard", "url": receiver.url, "secret": SIGNING_SECRET}
        assert hub.ask("POST", "/v1/endpoints", endpoint, key=key).status == 201
        order = {"store": "main", "order_key": "1"}
        assert hub.ask("POST", "/v1/orders", order, key=key).status == 201
        assert hub.ask("GET", "/readyz").status == 200
        worker = here.start("work", "--port", "0")
        assert set(worker.ready) == {"url", "version", "pid", "database_url"}
        until(lambda: len(receiver.accepted()) == 1)
        for path, status in (("/livez", 200), ("/readyz", 200), ("/v1/orders", 404)):
            assert worker.ask("GET", path, key=key).status == status
        for words in (("work",), ("serve", "--port", "0")):
            done = here.refused(*words)
            assert done.returncode == 5
            assert "milepost serve --no-dispatch" in done.stderr
        assert worker.stop() == 0
        assert hub.stop() == 0
        assert not any("Traceback" in process.log() for process in here.processes)


def test_work_makes_no_database_of_its_own(tmp_path: Path) -> None:
    with town(tmp_path, f"sqlite:///{tmp_path / 'missing.db'}") as here:
        done = here.refused("work")
    assert done.returncode == 5
    assert "There is none at" in done.stderr
    assert not (tmp_path / "missing.db").exists()
