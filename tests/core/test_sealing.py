"""Secrets at rest: sealed for one place, opened by the right key alone, and keys that are kept."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import SecretUnreadable, SettingInvalid
from milepost.sealing import KeyFile, KeysGiven, NoKeys, Vault, key_id, key_text, read_keys
from milepost.sealing.keys import source_of
from milepost.settings import Settings

ONE, TWO = key_text(b"1" * 32), key_text(b"2" * 32)


def opened(*keys: str) -> Vault:
    vault = Vault(KeysGiven(",".join(keys)))
    vault.unlock(None)
    return vault


@given(st.binary(max_size=300), st.text(max_size=40))
def test_what_was_sealed_comes_back_and_is_not_to_be_seen(plain: bytes, place: str) -> None:
    vault = opened(ONE)
    sealed = vault.seal(plain, place=place)
    assert vault.open(sealed, place=place) == plain
    assert len(plain) < 4 or plain not in sealed
    assert vault.seal(plain, place=place) != sealed


@given(st.text(max_size=20), st.text(max_size=20))
def test_what_was_sealed_for_one_place_opens_in_no_other(place: str, other: str) -> None:
    vault = opened(ONE)
    sealed = vault.seal(b"secret", place=place)
    if place != other:
        with pytest.raises(SecretUnreadable):
            vault.open(sealed, place=other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_byte_that_was_changed_anywhere_is_noticed(where: int, by: int) -> None:
    vault = opened(ONE)
    sealed = bytearray(vault.seal(b"secret", place="here"))
    sealed[where % len(sealed)] ^= by
    with pytest.raises(SecretUnreadable):
        vault.open(bytes(sealed), place="here")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 21, b"plain text"])
def test_what_was_never_sealed_is_not_opened(sealed: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        opened(ONE).open(sealed, place="here")


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both = opened(ONE), opened(TWO, ONE)
    sealed = old.seal(b"secret", place="here")
    assert both.open(sealed, place="here") == b"secret"
    assert not both.is_current(sealed)
    anew = both.seal(b"secret", place="here")
    assert both.is_current(anew)
    assert opened(TWO).open(anew, place="here") == b"secret"
    with pytest.raises(SecretUnreadable):
        old.open(anew, place="here")


def test_a_wrong_key_is_told_at_the_start_with_ids_and_never_with_keys() -> None:
    check = opened(ONE).check()
    with pytest.raises(SettingInvalid) as told:
        Vault(KeysGiven(TWO)).unlock(check)
    assert key_id(b"1" * 32).hex() in str(told.value)
    assert key_id(b"2" * 32).hex() in str(told.value)
    assert ONE not in str(told.value)
    assert TWO not in str(told.value)
    assert Vault(KeysGiven(f"{TWO} {ONE}")).unlock(check) == check


def test_nothing_is_sealed_before_a_key_was_read() -> None:
    with pytest.raises(SecretUnreadable):
        Vault(KeysGiven(ONE)).seal(b"secret", place="here")


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db.key"
    first = Vault(KeyFile(path, new=True))
    check = first.unlock(None)
    assert first.made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = Vault(KeyFile(path, new=True))
    assert second.unlock(check) == check
    assert not second.made
    assert second.ids == first.ids
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_of_many_that_make_a_key_file_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    vaults = [Vault(KeyFile(tmp_path / "key", new=True)) for _ in range(8)]
    threads = [threading.Thread(target=vault.unlock, args=(None,)) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({vault.ids for vault in vaults}) == 1


def test_a_key_that_is_gone_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    check = Vault(KeyFile(path, new=True)).unlock(None)
    path.unlink()
    with pytest.raises(SettingInvalid, match="there is none"):
        Vault(KeyFile(path, new=True)).unlock(check)
    assert not path.exists()


def test_a_key_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="MILEPOST_SECRET_KEY_FILE"):
        Vault(KeyFile(tmp_path / "key", new=False)).unlock(None)
    (tmp_path / "key").write_text(f"# old and new\n{ONE}\n{TWO}  # retired\n", encoding="utf-8")
    vault = Vault(KeyFile(tmp_path / "key", new=False))
    vault.unlock(None)
    assert vault.ids == (key_id(b"1" * 32).hex(), key_id(b"2" * 32).hex())


@pytest.mark.parametrize(
    "text", ["no-key-at-all", key_text(b"1" * 31), f"{ONE},{ONE}", f"{ONE} {ONE[:-1]}"]
)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SettingInvalid) as told:
        read_keys(text, where="MILEPOST_SECRET_KEY")
    assert text not in str(told.value)
    assert ONE not in str(told.value)


def test_the_settings_say_where_the_keys_are(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'hub.db'}"
    beside = source_of(Settings(database_url=database))
    assert beside.shown == str(tmp_path / "hub.db.key")
    assert isinstance(source_of(Settings(secret_key=ONE)), KeysGiven)
    assert isinstance(source_of(Settings(secret_key_file="keys")), KeyFile)
    assert isinstance(source_of(Settings(database_url="postgresql://db/hub")), NoKeys)
    with pytest.raises(SettingInvalid, match="one of the two"):
        source_of(Settings(secret_key=ONE, secret_key_file="keys"))


def test_where_many_share_a_database_a_key_has_to_be_given() -> None:
    with pytest.raises(SettingInvalid, match="new-key"):
        Vault(NoKeys()).unlock(None)
