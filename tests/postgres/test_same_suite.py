"""Everything that is asked of every store is asked of this one."""

from __future__ import annotations

from tests.store import (
    test_backlog,
    test_by_hand,
    test_claims,
    test_intake,
    test_isolation,
    test_lanes,
    test_reading,
    test_records,
)

MODULES = (
    test_backlog,
    test_by_hand,
    test_claims,
    test_intake,
    test_isolation,
    test_lanes,
    test_reading,
    test_records,
)

both = test_isolation.both

for _module in MODULES:
    for _name, _thing in vars(_module).items():
        if _name.startswith("test_"):
            assert _name not in globals()
            globals()[_name] = _thing
