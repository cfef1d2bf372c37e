"""A client application's secret is sealed like any other, and sealed anew with a new key."""

from __future__ import annotations

import asyncio
from pathlib import Path

from milepost.sealing import key_text
from milepost.store.sqlite import SqliteStore
from tests.keys import KEY, a_vault
from tests.store.desk import ACCOUNT, NOW
from tests.store.test_clients import a_client

NEW = key_text(bytes(range(1, 33)))


def test_the_secret_is_not_in_the_file_and_survives_a_change_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "milepost.db"

    def secret_on_disk() -> bool:
        return any(a_client().secret.encode() in file.read_bytes() for file in tmp_path.iterdir())

    async def life() -> None:
        store = SqliteStore(path, vault=a_vault(KEY))
        await store.open()
        await store.add_client(a_client())
        await store.close()
        assert not secret_on_disk()
        store = SqliteStore(path, vault=a_vault(NEW, KEY))
        await store.open()
        assert await store.finish_resealing()
        await store.close()
        store = SqliteStore(path, vault=a_vault(NEW))
        await store.open()
        assert await store.client(ACCOUNT, "client-1") == a_client()
        assert await store.drop_old_nonces(now=NOW) == 0
        await store.close()

    asyncio.run(life())
