"""What holds for every test: chance is repeatable in CI, and nothing is skipped there unseen."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import hypothesis
import pytest

ReportT = TypeVar("ReportT", pytest.TestReport, pytest.CollectReport)

# A shared machine makes any one example slow, so no deadline; the time limit of the test remains.
hypothesis.settings.register_profile("at-the-desk", deadline=None)
hypothesis.settings.register_profile("in-ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("in-ci" if os.environ.get("CI") else "at-the-desk")


def refuse_skip(report: ReportT) -> ReportT:
    """Turn a skip into a failure where CI is set: a test that does not run proves nothing."""
    expected_failure = hasattr(report, "wasxfail")
    if os.environ.get("CI") and report.skipped and not expected_failure:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI takes for a failure: {report.longreprtext}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Refuse skipped tests."""
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse modules that skip themselves whole."""
    return refuse_skip((yield))
