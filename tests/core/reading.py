"""A reading of the lifecycle's rules that shares nothing with the code: the oracle of the table.

A line names origins and targets, a state or a group at a time; a minus takes one out of a group.
"""

from __future__ import annotations

from itertools import combinations

GROUPS = {
    "INTAKE": "created verifying verified scheduled address_error submit_failed",
    "WH": "submitted picking packing packed ready_to_ship",
    "PRE": "INTAKE WH on_hold backordered",
    "MOVING": "in_transit out_for_delivery attempt_failed available_for_pickup delayed exception",
    "LATE": "shipped info_received undeliverable returning delivered untracked MOVING",
    "CARRIER": "LATE returned expired",
    "ALL": "PRE cancel_requested cancelled CARRIER fulfilled_elsewhere",
    "HARD": "cancelled returned fulfilled_elsewhere",
    "SOFT": "delivered expired untracked",
    "TROUBLE": "attempt_failed exception undeliverable returning",
}

LINE = """
created verifying verified scheduled submitted picking packing packed ready_to_ship
shipped info_received in_transit out_for_delivery delivered
"""

STEPS = """
created verifying > address_error
address_error > verifying verified scheduled submitted
created verifying verified scheduled submitted > submit_failed
submit_failed > verified scheduled address_error WH
PRE > on_hold backordered
on_hold backordered > verified scheduled submit_failed WH
verified submitted > scheduled
PRE > cancel_requested cancelled fulfilled_elsewhere
cancel_requested > cancelled
cancel_requested > PRE -created -verifying
cancel_requested > LATE
WH verified scheduled on_hold backordered > LATE -undeliverable -returning
shipped info_received > MOVING delivered undeliverable returning expired untracked
MOVING > MOVING delivered undeliverable returning expired
undeliverable > returning returned expired delivered MOVING
returning > returned expired
untracked > delivered returning in_transit
expired > delivered returning returned MOVING
"""

CORRECTED = """
delivered > returning undeliverable MOVING
cancelled > LATE
returning > delivered MOVING
shipped info_received > packed ready_to_ship on_hold cancelled
packed ready_to_ship > submitted picking packing
picking packing > submitted
packing > picking
submitted > verified
"""


def states_in(words: str) -> frozenset[str]:
    """The states that a list of states and groups names."""
    found: set[str] = set()
    for word in words.split():
        if word.startswith("-"):
            found.remove(word[1:])
        elif word in GROUPS:
            found |= states_in(GROUPS[word])
        else:
            found.add(word)
    return frozenset(found)


def edges_in(rules: str) -> frozenset[tuple[str, str]]:
    """The edges that some lines of rules name."""
    found = set()
    for rule in rules.strip().splitlines():
        origins, targets = (states_in(words) for words in rule.split(">"))
        found |= {(a, b) for a in origins for b in targets if a != b}
    return frozenset(found)


STATES, CARRIER = states_in("ALL"), states_in("CARRIER")
HARD_ENDS, SOFT_ENDS = states_in("HARD"), states_in("SOFT")
MAIN_LINE = LINE.split()
NORMAL = edges_in(STEPS) | frozenset(combinations(MAIN_LINE, 2))
CORRECTIONS = edges_in(CORRECTED)
