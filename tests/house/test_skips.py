"""In CI a test that does not run counts as one that fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.repository import ROOT

MARKED = """
import pytest

@pytest.mark.skip(reason="not today")
def test_nothing():
    raise AssertionError
"""

INSIDE = """
import pytest

def test_nothing():
    pytest.skip("not today")
"""

WHOLE_MODULE = """
import pytest

pytest.importorskip("no_such_module_anywhere")
"""

EXPECTED_FAILURE = """
import pytest

@pytest.mark.xfail
def test_something():
    raise AssertionError
"""

PASSING = """
def test_something():
    assert 1 + 1 == 2
"""


def run_pytest(folder: Path, *, text: str, in_ci: bool) -> subprocess.CompletedProcess[str]:
    """What pytest says of one module under the project's own conftest."""
    shutil.copy(ROOT / "tests/conftest.py", folder)
    (folder / "pytest.ini").touch()
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "true" if in_ci else ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", [MARKED, INSIDE, WHOLE_MODULE])
def test_a_skip_fails_the_run_in_ci(tmp_path: Path, text: str) -> None:
    said = run_pytest(tmp_path, text=text, in_ci=True)
    assert said.returncode in (1, 2), said.stdout + said.stderr
    assert "skipped, which CI takes for a failure" in said.stdout


@pytest.mark.parametrize("text", [MARKED, INSIDE])
def test_a_skip_is_only_a_skip_at_the_desk(tmp_path: Path, text: str) -> None:
    said = run_pytest(tmp_path, text=text, in_ci=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "1 skipped" in said.stdout


@pytest.mark.parametrize(
    ("text", "verdict"), [(EXPECTED_FAILURE, "1 xfailed"), (PASSING, "1 passed")]
)
def test_tests_that_run_are_left_alone_in_ci(tmp_path: Path, text: str, verdict: str) -> None:
    said = run_pytest(tmp_path, text=text, in_ci=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert verdict in said.stdout
