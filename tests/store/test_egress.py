"""The networks that are sent from: kept for the whole installation."""

from __future__ import annotations

import pytest

from milepost.delivery.egress import Action, EgressChange
from milepost.errors import UnknownRecord
from tests.store.desk import NOW, Desk, at


def test_changes_are_kept_by_when_they_take_effect_and_cancelled_ones_stay(desk: Desk) -> None:
    late = EgressChange("egr_1", "192.0.2.0/24", Action.REMOVE, at(900), NOW)
    soon = EgressChange("egr_2", "2001:db8::/48", Action.ADD, at(100), at(1), forced=True)
    for change in (late, soon):
        desk.run(desk.store.add_egress_change(change))
    assert desk.run(desk.store.egress_changes()) == [soon, late]
    desk.run(desk.store.cancel_egress_change("egr_1", now=at(5)))
    kept = desk.run(desk.store.egress_changes())
    assert [c.cancelled_at for c in kept] == [None, at(5)]
    for change_id in ("egr_1", "egr_9"):
        with pytest.raises(UnknownRecord):
            desk.run(desk.store.cancel_egress_change(change_id, now=at(6)))
