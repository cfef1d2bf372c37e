"""The rules of the conformance check as a table, and asking all of them of one receiver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from milepost.rehearsal.conformance import checks
from milepost.rehearsal.conformance.checks import refuses, takes
from milepost.rehearsal.conformance.desk import Desk, Given, How, Part
from milepost.rehearsal.conformance.shape import (
    Finding,
    Found,
    Level,
    Need,
    Rule,
    Verdict,
    not_checked,
)

SHIPMONK = frozenset(("shipmonk",))
WITHINGS = frozenset(("withings",))
LARGE_BODIES = frozenset(("shipmonk", "standard"))
ACCEPTS = "accepts"
FIRST = ("tls", "redirect", ACCEPTS)
"""What is looked at first: of a receiver that takes nothing, nothing else can be said."""

_VERIFY = (
    "Compute the signature over the raw bytes before anything is parsed, compare in constant time, "
    "and answer 401; the receiver kit's `read` does that."
)
_FORGED = "Whoever finds the URL could tell you that an order was delivered or cancelled."
_DEDUPLICATE = (
    "Remember webhook-id in the transaction that does the work; answer 2xx to one that is known."
)

RULES: tuple[Rule, ...] = (
    Rule(
        name="tls",
        title="its certificate can be trusted",
        why="Without it a notification is not sent, or is read by others on the way.",
        mend="Serve the whole chain of a certificate for this very host, with TLS 1.2 or newer.",
        check=checks.tls,
    ),
    Rule(
        name="redirect",
        title="it answers where it is, without a redirect",
        why="Redirects are never followed: they would take signed bodies to where nobody looked.",
        mend="Give the URL that it redirects to; look for a missing closing slash, http, or www.",
        check=checks.redirect,
    ),
    Rule(
        name=ACCEPTS,
        title="it accepts a correct notification",
        why="What is not answered with 2xx is sent again, and at last given up.",
        mend="Look at its log; compare secrets, and see that the body is not changed on the way.",
        check=checks.accepts,
    ),
    Rule(
        name="wrong_signature",
        title="it refuses a wrong signature",
        why=_FORGED,
        mend=_VERIFY,
        check=refuses(How(signature=Part.WRONG), "a signature of another secret"),
        needs=Need.SECRET,
    ),
    Rule(
        name="missing_signature",
        title="it refuses a missing signature",
        why=_FORGED,
        mend=_VERIFY,
        check=refuses(checks.MISSING, "no webhook-signature"),
        needs=Need.SECRET,
    ),
    Rule(
        name="changed_body",
        title="it refuses a body that was changed after it was signed",
        why="A proof that does not cover the body proves nothing of what it says.",
        mend=_VERIFY,
        check=refuses(checks.CHANGED, "a body with one byte more"),
        needs=Need.ANY_SIGNATURE,
    ),
    Rule(
        name="old_timestamp",
        title="it refuses what was signed long ago",
        why="Who has once seen a notification could send it again for ever.",
        mend="Refuse a webhook-timestamp that is more than five minutes from now.",
        check=refuses(checks.OLD, "a timestamp of 15 minutes ago"),
        needs=Need.SECRET,
    ),
    Rule(
        name="future_timestamp",
        title="it refuses what was signed ahead of time",
        why="A clock that is wrong by that much makes old notifications pass as well.",
        mend="Refuse a webhook-timestamp that is more than five minutes from now, either way.",
        check=refuses(checks.AHEAD, "a timestamp 15 minutes ahead"),
        level=Level.SHOULD,
        needs=Need.SECRET,
    ),
    Rule(
        name="rotation",
        title="it takes any of several signatures",
        why="While a secret is replaced, each notification carries a signature of both.",
        mend="Split webhook-signature at spaces, and accept when any one fits.",
        check=takes(checks.ROTATING, "a right signature behind one of another secret"),
        needs=Need.SECRET,
    ),
    Rule(
        name="wrong_basic",
        title="it refuses a wrong password",
        why=_FORGED,
        mend="Compare user name and password in constant time, and answer 401.",
        check=refuses(How(basic=Part.WRONG), "another password"),
        needs=Need.BASIC,
        contracts=SHIPMONK,
    ),
    Rule(
        name="missing_basic",
        title="it refuses a request without a password",
        why=_FORGED,
        mend="Answer 401 when there is no Authorization header.",
        check=refuses(How(basic=Part.MISSING), "no Authorization"),
        needs=Need.BASIC,
        contracts=SHIPMONK,
    ),
    Rule(
        name="wrong_body_signature",
        title="it refuses a wrong X-Sm-Signature",
        why="The password proves who sent it; only this proves what was said.",
        mend="Compute HMAC-SHA512 over the raw bytes, compare in constant time, and answer 401.",
        check=refuses(How(body_signature=Part.WRONG), "an X-Sm-Signature of another secret"),
        needs=Need.SIGNATURE_SECRET,
        contracts=SHIPMONK,
    ),
    Rule(
        name="missing_body_signature",
        title="it refuses a missing X-Sm-Signature",
        why="A proof that may be left out proves nothing.",
        mend="Answer 401 when there is no X-Sm-Signature and you set a secret for it.",
        check=refuses(How(body_signature=Part.MISSING), "no X-Sm-Signature"),
        needs=Need.SIGNATURE_SECRET,
        contracts=SHIPMONK,
    ),
    Rule(
        name="retry_after_refusal",
        title="it takes under the same id what it refused before",
        why="A retry carries the id of the first attempt: what was refused must not count as seen.",
        mend="Remember webhook-id only once it is verified and the work is done.",
        check=checks.after_refusal,
        needs=Need.ANY_PROOF,
    ),
    Rule(
        name="duplicate",
        title="it answers a repeat with 2xx",
        why="An answer can get lost on its way; then the same comes again until it is accepted.",
        mend=_DEDUPLICATE,
        check=checks.duplicate,
    ),
    Rule(
        name="once",
        title="it does its work once, however often it is told",
        why="A repeat that counts sends a second mail, or books a second time.",
        mend=_DEDUPLICATE,
        check=checks.once,
        needs=Need.STATE_URL,
    ),
    Rule(
        name="out_of_order",
        title="it accepts what comes out of order",
        why="The providers themselves promise no order; what is refused for it comes for ever.",
        mend="Answer 2xx to what is older than what you know, and change nothing.",
        check=checks.out_of_order,
    ),
    Rule(
        name="right_state",
        title="it ends in the right state when something overtakes",
        why="An order that was delivered must not go back to being packed.",
        mend="Keep milepost-sequence beside the order, and ignore what is lower.",
        check=checks.right_state,
        needs=Need.STATE_URL,
    ),
    Rule(
        name="every_status",
        title="it accepts every status of the contract",
        why="The rare ones come at the worst moment: a hold, a return, a failed hand-over.",
        mend="Have a branch for each status, and one for those that you do nothing for.",
        check=checks.every_status,
    ),
    Rule(
        name="unknown_status",
        title="it accepts a status that it does not know",
        why="A provider adds words without asking; a refusal only brings the same again.",
        mend="Keep it, tell a person, and answer 2xx.",
        check=checks.unknown_status,
    ),
    Rule(
        name="unknown_field",
        title="it accepts fields that it does not know",
        why="A field more is no change of a contract; a strict reader breaks on the day it comes.",
        mend="Ignore what you do not read.",
        check=checks.unknown_field,
    ),
    Rule(
        name="siblings",
        title="it accepts the other events of ShipMonk",
        why="Shipments, returns and receivings come to the same URL.",
        mend="Answer 2xx to what has no processing_status.",
        check=checks.siblings,
        contracts=SHIPMONK,
    ),
    Rule(
        name="other_profile",
        title="it reads JSON and forms",
        why="Withings' current page describes JSON, an older one a form.",
        mend="Choose by Content-Type, as the receiver kit does.",
        check=checks.other_profile,
        level=Level.SHOULD,
        contracts=WITHINGS,
    ),
    Rule(
        name="big_body",
        title="it accepts a big order",
        why="An order of hundreds of lines is sent whole.",
        mend="Raise the limit of the body in your server and proxy to 1 MiB.",
        check=checks.big_body,
        contracts=LARGE_BODIES,
    ),
    Rule(
        name="unreadable",
        title="it does not break on what cannot be read",
        why="An error of 5xx says that it may work later, so the same comes for days.",
        mend="Answer 400 to what cannot be read.",
        check=checks.unreadable,
        level=Level.SHOULD,
    ),
    Rule(
        name="in_time",
        title="it answers in time while many come at once",
        why="What is not answered in time is sent again, and everything behind it waits.",
        mend="Store first, answer, and work afterwards; see that several are answered at a time.",
        check=checks.in_time,
    ),
    Rule(
        name="keep_alive",
        title="it keeps its connection open",
        why="A new connection for each notification costs more than the notification.",
        mend="Speak HTTP/1.1 and do not send Connection: close.",
        check=checks.keeps_connection,
        level=Level.SHOULD,
    ),
)

_MET: Mapping[Need, Callable[[Given], bool]] = MappingProxyType(
    {
        Need.SECRET: lambda given: given.secret,
        Need.BASIC: lambda given: given.basic,
        Need.SIGNATURE_SECRET: lambda given: given.signature_secret,
        Need.ANY_SIGNATURE: lambda given: given.secret or given.signature_secret,
        Need.ANY_PROOF: lambda given: given.secret or given.signature_secret or given.basic,
        Need.STATE_URL: lambda given: given.state_url is not None,
    }
)


def rules_of(contract: str) -> Sequence[Rule]:
    """The rules that a receiver in this contract has to keep."""
    return [rule for rule in RULES if rule.contracts is None or contract in rule.contracts]


async def examine(
    desk: Desk, *, found: Callable[[Finding], None] = lambda _finding: None
) -> list[Finding]:
    """Asks every rule of the contract, one after the other; tells each as it is known."""
    await desk.begin()
    findings: list[Finding] = []
    accepted = True
    for rule in rules_of(desk.endpoint.contract):
        result = await _ask(rule, desk, accepted=accepted or rule.name in FIRST)
        if rule.name == ACCEPTS:
            accepted = result.verdict is Verdict.PASS
        finding = Finding(
            rule.name, rule.title, rule.level, result.verdict, result.saw, rule.why, rule.mend
        )
        findings.append(finding)
        found(finding)
    return findings


async def _ask(rule: Rule, desk: Desk, *, accepted: bool) -> Found:
    if not accepted:
        return not_checked("it accepts no correct notification yet")
    if rule.needs is not None and not _MET[rule.needs](desk.given):
        return not_checked(rule.needs.value)
    return await rule.check(desk)
