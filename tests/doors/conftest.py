"""Desks: one that only takes in, and one whose dispatcher sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.desk import Desk, opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, dispatch=True) as made:
        yield made
