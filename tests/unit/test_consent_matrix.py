"""Does a consent cover a use? Judged against an oracle that knows nothing of how the rule is written."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.permission.consents import (
    Consent,
    ConsentScope,
    ConsentState,
    Portrayal,
    PortrayalKind,
    ReplicaType,
    SignerRole,
    Use,
)
from circletake.domain.permission.coverage import permission
from tests.unit.consent_cast import (
    COVERED,
    ELSEWHERE,
    IDA,
    MARA,
    NOON,
    OTHER_SEQUENCE,
    OTHER_SHOT,
    PLAYED,
    PRODUCTION,
    SEQUENCE,
    SHOT,
    USE,
    codes,
)

Change = tuple[str, str, object]  # of what, which field, to what
Case = tuple[Consent, Use, Portrayal]


def _each(of: str, name: str, *values: object) -> list[Change]:
    return [(of, name, value) for value in values]


def _sets(*names: object) -> list[frozenset[object]]:
    return [frozenset(), *(frozenset({name}) for name in names), frozenset(names)]


MIDNIGHT = datetime(2026, 6, 16, tzinfo=UTC)
MOMENTS = (
    NOON,
    NOON + timedelta(hours=8),
    MIDNIGHT,
    MIDNIGHT + timedelta(hours=12),
    NOON + timedelta(days=300),
)
AROUND = [date(2026, 6, 15) + timedelta(days=number) for number in (-2, -1, 0, 1, 2)]
CHANGES: list[Change] = [
    *_each("consent", "state", *ConsentState),
    *_each("consent", "replica_type", *ReplicaType),
    *_each("consent", "signer_role", None, *SignerRole),
    *_each("consent", "signed_on", None, *AROUND),
    *_each("consent", "granted_at", None, NOON - timedelta(seconds=1), NOON, *MOMENTS[1:]),
    *_each("consent", "document_sha256", None),
    *_each("scope", "production_ids", *_sets(PRODUCTION, ELSEWHERE)),
    *_each("scope", "kinds", *_sets("cleanup", "concept_art", "consistency_check")),
    *_each("scope", "media", *_sets("streaming", "theatrical", "*")),
    *_each("scope", "territories", *_sets("DE", "FR", "*")),
    *_each("scope", "shot_ids", *_sets(SHOT, OTHER_SHOT)),
    *_each("scope", "sequence_ids", *_sets(SEQUENCE, OTHER_SEQUENCE)),
    *_each("scope", "since", *AROUND),
    *_each("scope", "until", None, *AROUND),
    *_each("scope", "no_end", True),
    *_each("use", "production_id", ELSEWHERE),
    *_each("use", "shot_id", None, OTHER_SHOT),
    *_each("use", "sequence_id", None),
    *_each("use", "kind", "concept_art", "consistency_check", "element"),
    *_each("use", "media", None, "theatrical", "*", [], ["streaming", "theatrical"]),
    *_each("use", "territory", None, "US", "*", ["DE", "FR"]),
    *_each("use", "requested_at", *MOMENTS),
    *_each("use", "at", *MOMENTS),
    *_each("use", "time_zone", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kolkata"),
    *_each("use", "alters_recording", False),
    *_each("portrayal", "is_minor", True),
    *_each("portrayal", "has_guardian", True),
    *_each("portrayal", "deceased", True),
    *_each("portrayal", "kind", PortrayalKind.DOUBLES, PortrayalKind.LIKENESS),
]


def changed(changes: Iterable[Change]) -> Case:
    """What covers, what it covers and whom, with some of it changed."""
    parts = {"consent": COVERED, "scope": COVERED.scope, "use": USE, "portrayal": PLAYED}
    for of, name, value in changes:
        parts[of] = replace(parts[of], **{name: value})  # type: ignore[arg-type, type-var]
    consent, scope, use, who = parts["consent"], parts["scope"], parts["use"], parts["portrayal"]
    assert isinstance(consent, Consent)
    assert isinstance(scope, ConsentScope)
    assert isinstance(use, Use)
    assert isinstance(who, Portrayal)
    return replace(consent, scope=scope), replace(use, at=max(use.at, use.requested_at)), who


def oracle(consent: Consent, use: Use, portrayal: Portrayal) -> bool:
    """Covered, as a lawyer would check it line by line on a calendar."""
    return (
        consent.state == "granted"
        and _comes_first(consent, use)
        and _in_term(consent, use)
        and _in_place(consent.scope, use)
        and _may_be_shown(consent.scope, use)
        and _right_paper(consent, use)
        and consent.signer_role in _signers(portrayal)
    )


def _comes_first(consent: Consent, use: Use) -> bool:
    if not consent.granted_at or not consent.signed_on or not consent.document_sha256:
        return False
    asked_on = use.requested_at.astimezone(ZoneInfo(use.time_zone)).date()
    return consent.granted_at < use.requested_at and consent.signed_on <= asked_on


def _in_term(consent: Consent, use: Use) -> bool:
    zone, scope = ZoneInfo(use.time_zone), consent.scope
    today = use.at.astimezone(zone).date()
    if today < (scope.since or consent.signed_on or date.max):
        return False
    if scope.until is None:
        return scope.no_end
    return today <= scope.until and not _was_past(scope.until, use.at, zone)


def _in_place(scope: ConsentScope, use: Use) -> bool:
    anywhere = not scope.shot_ids and not scope.sequence_ids
    there = use.shot_id in scope.shot_ids or use.sequence_id in scope.sequence_ids
    return use.production_id in scope.production_ids and use.kind in scope.kinds and (anywhere or there)


def _may_be_shown(scope: ConsentScope, use: Use) -> bool:
    if use.kind == "consistency_check":
        return True
    for asked, allowed in ((use.media, scope.media), (use.territory, scope.territories)):
        wanted = [asked] if isinstance(asked, str) else list(asked or [])
        if "*" not in allowed and (not wanted or any(each not in allowed for each in wanted)):
            return False
    return True


def _right_paper(consent: Consent, use: Use) -> bool:
    made_anew = not use.alters_recording and use.kind != "consistency_check"
    return consent.replica_type != "digital_alteration" or not made_anew


def _signers(portrayal: Portrayal) -> set[str]:
    if portrayal.deceased:
        return {"estate", "union"}
    if portrayal.is_minor:
        return {"guardian"} if portrayal.has_guardian else set()
    return {"performer", "representative"}


def _was_past(until: date, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the calendar there has shown a later day than the last one at any time of the past three hours."""
    return any((at - timedelta(minutes=back)).astimezone(zone).date() > until for back in range(0, 181, 20))


def judge(given_consents: list[Consent], use: Use, who: Portrayal) -> bool:
    """Hold an answer against the oracle; return whether the use passed."""
    covering = {str(each.id) for each in given_consents if oracle(each, use, who)}
    answer = permission(use, [who], given_consents)
    if covering:
        assert answer.missing == []
        (relied_on,) = answer.consents
        assert relied_on["id"] in covering
        assert relied_on["document_sha256"]
        return True
    assert answer.consents == []
    assert answer.missing
    for each in answer.missing:
        assert (each.character_id, each.performer_id) == (MARA, IDA)
        assert each.code
        assert each.says.endswith(".")
    return False


def test_no_two_gaps_together_let_a_use_through() -> None:
    """Every pair of changes to a use that is covered: it passes exactly when the consent still covers all of it."""
    passed = 0
    for pair in combinations(CHANGES, 2):
        consent, use, who = changed(pair)
        passed += judge([consent], use, who)
    assert passed > 500


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CHANGES), max_size=5), max_size=3),
    st.lists(st.sampled_from(CHANGES), max_size=4),
)
def test_no_use_passes_that_no_consent_covers(several: list[list[Change]], more: list[Change]) -> None:
    """Whatever scopes, dates, signers and zones meet: it passes exactly when one consent covers all of it, and a
    refusal says for whom, why, and what to get."""
    _, use, who = changed(more)
    given_consents = [
        replace(changed(changes)[0], id=UUID(int=300 + number)) for number, changes in enumerate(several)
    ]
    judge(given_consents, use, who)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([each for each in CHANGES if each[0] in {"scope", "use"}]), min_size=1, max_size=4
    )
)
def test_what_a_refusal_names_is_what_is_missing(changes: list[Change]) -> None:
    """Once everything that it names is put right, the use passes: nothing is left unsaid."""
    consent, use, _ = changed(changes)
    named = set(codes(consent, use))
    scope = consent.scope
    if "production_not_covered" in named:
        scope = replace(scope, production_ids=frozenset({use.production_id}))
    if "kind_not_covered" in named:
        scope = replace(scope, kinds=frozenset({use.kind}))
    if "media_not_covered" in named:
        scope = replace(scope, media=frozenset({"*"}))
    if "territory_not_covered" in named:
        scope = replace(scope, territories=frozenset({"*"}))
    if "shot_not_covered" in named:
        scope = replace(scope, shot_ids=frozenset(), sequence_ids=frozenset())
    if named & {"term_ended", "term_not_stated"}:
        scope = replace(scope, until=None, no_end=True)
    if "not_yet_in_term" in named:
        scope = replace(scope, since=None)
    assert codes(replace(consent, scope=scope), use) == []
