"""Everything that is asked of every store is asked of this one."""

from __future__ import annotations

from tests.store import (
    test_answers,
    test_attention,
    test_backlog,
    test_by_hand,
    test_claims,
    test_clients,
    test_clocks,
    test_confirming,
    test_egress,
    test_erasing,
    test_health,
    test_intake,
    test_isolation,
    test_lanes,
    test_merchants,
    test_people,
    test_queued,
    test_reading,
    test_receiving,
    test_reconciling,
    test_records,
    test_resends,
    test_retention,
    test_secrets,
    test_silence,
    test_superseding,
    test_trackings,
    test_trends,
    test_upkeep,
)

MODULES = (
    test_answers,
    test_attention,
    test_backlog,
    test_by_hand,
    test_claims,
    test_clients,
    test_clocks,
    test_confirming,
    test_egress,
    test_erasing,
    test_health,
    test_intake,
    test_isolation,
    test_lanes,
    test_merchants,
    test_people,
    test_queued,
    test_reading,
    test_receiving,
    test_reconciling,
    test_records,
    test_resends,
    test_retention,
    test_secrets,
    test_silence,
    test_superseding,
    test_trackings,
    test_trends,
    test_upkeep,
)

both = test_isolation.both
sandbox = test_clocks.sandbox

for _module in MODULES:
    for _name, _thing in vars(_module).items():
        if _name.startswith("test_"):
            assert _name not in globals()
            globals()[_name] = _thing
