"""Random walks beside the model of lanes, with resends that several processes go on with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from milepost.ports import DeliveryFilter, Page
from milepost.ports.resends import Advance, Failed, Place, Resend, ResendState
from tests.store.desk import ACCOUNT, OPENERS
from tests.store.test_lane_walks import PENDING, Walk

SELDOM = st.sampled_from([False, False, False, True])


class ResendWalk(Walk):
    """Parts of resends are queued between everything else, some of them by who came too late."""

    def __init__(self) -> None:
        super().__init__()
        self._resends: list[Resend] = []
        self._seen: list[Resend] = []

    def _ask(self, endpoint_id: str) -> int:
        """Asks for something that nobody has asked for; what is chosen comes with each part."""
        number = len(self._resends)
        wanted = Resend(
            ACCOUNT, f"rsd_{number:04}", endpoint_id, Failed(self.now), asked_at=self.now
        )
        made = self._desk.run(self._store.add_resend(wanted, most=1_000))
        for index, known in enumerate(self._resends):
            if known.state is ResendState.RUNNING and known.choice == wanted.choice:
                assert made == known or known.endpoint_id != endpoint_id
                if made == known:
                    return index
        assert made == wanted
        self._resends.append(made)
        self._seen.append(made)
        return number

    def _settled(self, endpoint_id: str) -> list[tuple[str, int]]:
        return sorted(
            (order_id, sequence)
            for (name, order_id), lane in self._lanes.items()
            for sequence, sent in lane.deliveries.items()
            if name == endpoint_id and sent.state is not PENDING
        )

    @precondition(lambda self: any(map(self._settled, self._endpoints)))
    @rule(data=st.data(), newest=st.booleans(), ends=SELDOM, late=SELDOM, anew=SELDOM)
    def queue_part(
        self, data: st.DataObject, newest: bool, ends: bool, late: bool, anew: bool
    ) -> None:
        """Something settled, and perhaps more, for a resend that is new or runs or has ended."""
        endpoint_id = data.draw(
            st.sampled_from([name for name in self._endpoints if self._settled(name)])
        )
        indexes = [i for i, r in enumerate(self._resends) if r.endpoint_id == endpoint_id]
        if anew or not indexes:
            index = self._ask(endpoint_id)
        else:
            index = data.draw(st.sampled_from(indexes))
        known = self._resends[index]
        lanes = {o: lane for (name, o), lane in self._lanes.items() if name == endpoint_id}
        names = sorted((o, n) for o, lane in lanes.items() for n in lane.deliveries)
        chosen = {data.draw(st.sampled_from(self._settled(endpoint_id)))}
        chosen |= data.draw(st.sets(st.sampled_from(names), max_size=4))
        seen = self._seen[index] if late else known
        place = Place(sequence=known.place.sequence + 1)
        advance = Advance(sorted(chosen), newest, examined=len(chosen), place=place, ends=ends)
        counts = known.state is ResendState.RUNNING and seen.place == known.place
        wanted = [name for name in chosen if counts and self._may(known, name, newest=newest)]
        after = self._desk.run(self._store.advance_resend(seen, advance, now=self.now))
        for order_id, sequence in wanted:
            lane = lanes[order_id]
            sent = lane.deliveries[sequence]
            sent.state, sent.tries, sent.due_at = PENDING, 0, self.now
            sent.replay += 1
            lane.held = False
        if counts:
            assert (after.place, after.state is ResendState.DONE) == (place, ends)
            assert after.queued == known.queued + len(wanted)
            self._resends[index] = after
        assert after == self._resends[index]

    def _may(self, resend: Resend, name: tuple[str, int], *, newest: bool) -> bool:
        order_id, sequence = name
        lane = self._lanes[resend.endpoint_id, order_id]
        wanted = DeliveryFilter(endpoint_id=resend.endpoint_id, order_id=order_id)
        found, _ = self._desk.run(
            self._store.deliveries(ACCOUNT, wanted=wanted, page=Page(limit=10_000))
        )
        settled_at = next(d.settled_at for d in found if d.sequence == sequence)
        return (
            settled_at is not None
            and settled_at <= resend.asked_at
            and not (newest and sequence < max(lane.deliveries))
        )


SETTINGS: dict[str, Any] = {
    "stateful_step_count": 40,
    "suppress_health_check": list(HealthCheck),
}


@pytest.mark.parametrize("database", OPENERS)
def test_whatever_is_sent_again_the_store_does_what_the_model_does(database: str) -> None:
    walk = type(
        "ResendWalkOn" + database, (ResendWalk,), {"open_store": staticmethod(OPENERS[database])}
    )
    run_state_machine_as_test(walk, settings=settings(max_examples=35, **SETTINGS))
