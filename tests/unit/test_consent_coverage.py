"""What a consent covers, one rule at a time, and what a refusal says."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from circletake.domain.permission.consents import (
    TRANSITIONS,
    Consent,
    ConsentScope,
    ConsentState,
    Exemption,
    ExemptionReason,
    Permission,
    Portrayal,
    PortrayalKind,
    ReplicaType,
    SignerRole,
    Use,
    is_over,
    may_become,
    term_end,
    zone_named,
)
from circletake.domain.permission.coverage import permission
from tests.unit.consent_cast import (
    COVERED,
    ELSEWHERE,
    IDA,
    JUNE,
    MARA,
    NOON,
    OTHER_SHOT,
    OTTO,
    PLAYED,
    PRODUCTION,
    SEQUENCE,
    SHOT,
    USE,
    codes,
    narrowed,
)


@pytest.mark.parametrize(
    ("consent", "use", "code"),
    [
        (replace(COVERED, state=ConsentState.DRAFT), USE, "not_granted"),
        (replace(COVERED, state=ConsentState.REQUESTED), USE, "not_granted"),
        (replace(COVERED, state=ConsentState.DECLINED), USE, "declined"),
        (replace(COVERED, state=ConsentState.REVOKED), USE, "revoked"),
        (replace(COVERED, state=ConsentState.EXPIRED), USE, "term_ended"),
        (replace(COVERED, document_sha256=None), USE, "not_granted"),
        (replace(COVERED, granted_at=NOON), USE, "granted_after_request"),
        (replace(COVERED, signed_on=date(2026, 6, 16)), USE, "signed_after_request"),
        (narrowed(since=date(2026, 6, 16)), USE, "not_yet_in_term"),
        (narrowed(until=date(2026, 6, 14)), USE, "term_ended"),
        (narrowed(until=None), USE, "term_not_stated"),
        (narrowed(production_ids=frozenset()), USE, "production_not_covered"),
        (narrowed(kinds=frozenset()), USE, "kind_not_covered"),
        (narrowed(shot_ids=frozenset({OTHER_SHOT})), USE, "shot_not_covered"),
        (narrowed(sequence_ids=frozenset({SEQUENCE})), replace(USE, sequence_id=None), "shot_not_covered"),
        (narrowed(media=frozenset()), USE, "media_not_covered"),
        (COVERED, replace(USE, media=None), "media_not_covered"),
        (COVERED, replace(USE, territory=["DE", "FR"]), "territory_not_covered"),
        (COVERED, replace(USE, territory="*"), "territory_not_covered"),
        (
            replace(COVERED, replica_type=ReplicaType.DIGITAL_ALTERATION),
            replace(USE, kind="concept_art", alters_recording=False),
            "replica_type",
        ),
        (replace(COVERED, signer_role=SignerRole.UNION), USE, "signer"),
    ],
)
def test_each_gap_has_its_code(consent: Consent, use: Use, code: str) -> None:
    """What exactly is missing is told by a stable code, and nothing else is blamed."""
    found = codes(consent, use)
    assert code in found
    assert set(found) <= {code, "signed_after_request", "not_yet_in_term"}


def test_a_consent_covers_what_it_says() -> None:
    """Kinds, the shot or its sequence, media and territory that are named or stated to be without limit."""
    assert codes(COVERED) == []
    assert codes(narrowed(shot_ids=frozenset({SHOT}))) == []
    assert codes(narrowed(shot_ids=frozenset({OTHER_SHOT}), sequence_ids=frozenset({SEQUENCE}))) == []
    unlimited = narrowed(media=frozenset({"*"}), territories=frozenset({"*"}))
    assert codes(unlimited, replace(USE, media=None, territory=None)) == []
    assert codes(narrowed(until=None, no_end=True)) == []
    alteration = replace(COVERED, replica_type=ReplicaType.DIGITAL_ALTERATION)
    assert codes(alteration) == []


def test_showing_pictures_to_a_judge_asks_for_its_own_kind_only() -> None:
    """Nothing is made or shown to anybody: media, territory and replica type aren't asked."""
    check = replace(USE, kind="consistency_check", media=None, territory=None, alters_recording=False)
    assert codes(COVERED, check) == ["kind_not_covered"]
    asked = replace(
        narrowed(kinds=frozenset({"consistency_check"})), replica_type=ReplicaType.DIGITAL_ALTERATION
    )
    assert codes(asked, check) == []


@pytest.mark.parametrize(
    ("zone", "until", "end"),
    [
        ("UTC", date(2026, 3, 28), "2026-03-29T00:00:00+00:00"),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-29T22:00:00+00:00"),  # the day has 23 hours
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-25T23:00:00+00:00"),  # it has 25
        (
            "Africa/Cairo",
            date(2026, 4, 23),
            "2026-04-23T22:00:00+00:00",
        ),  # 00:00 doesn't exist: 01:00 follows
        ("Pacific/Kiritimati", date(2026, 12, 31), "2026-12-31T10:00:00+00:00"),
        ("America/Los_Angeles", date(2026, 12, 31), "2027-01-01T08:00:00+00:00"),
    ],
)
def test_a_term_ends_at_midnight_there(zone: str, until: date, end: str) -> None:
    """Covered to the last second of the last day in the production's time zone, also when clocks change."""
    moment, scope = datetime.fromisoformat(end), ConsentScope(until=until)
    where = ZoneInfo(zone)
    assert term_end(until, where).astimezone(UTC) == moment
    assert not is_over(scope, moment - timedelta(seconds=1), where)
    assert is_over(scope, moment, where)
    consent = narrowed(until=until)
    use = replace(USE, time_zone=zone, requested_at=moment - timedelta(seconds=2))
    before = replace(consent, signed_on=date(2026, 1, 1), granted_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert codes(before, replace(use, at=moment - timedelta(seconds=1))) == []
    assert codes(before, replace(use, at=moment)) == ["term_ended"]


def test_a_day_that_comes_again_is_not_part_of_the_term() -> None:
    """In 2010 clocks in Newfoundland went back at one minute past midnight, into the day before."""
    zone, until = ZoneInfo("America/St_Johns"), date(2010, 11, 6)
    again = datetime(2010, 11, 7, 2, 40, tzinfo=UTC)
    assert again.astimezone(zone).date() == until
    assert is_over(ConsentScope(until=until), again, zone)


def test_the_date_of_a_signature_is_read_where_the_production_is() -> None:
    """Signed on the 15th and requested when it is the 15th there and still the 14th at Greenwich."""
    consent = replace(COVERED, signed_on=date(2026, 6, 15))
    early = datetime(2026, 6, 14, 20, tzinfo=UTC)
    use = replace(USE, requested_at=early, at=early)
    assert codes(consent, replace(use, time_zone="Pacific/Kiritimati")) == []
    assert "signed_after_request" in codes(consent, use)


@pytest.mark.parametrize(
    ("who", "signer", "found"),
    [
        (replace(PLAYED, is_minor=True, has_guardian=True), SignerRole.GUARDIAN, []),
        (replace(PLAYED, is_minor=True), SignerRole.GUARDIAN, ["guardian_missing"]),
        (replace(PLAYED, is_minor=True, has_guardian=True), SignerRole.PERFORMER, ["signer"]),
        (replace(PLAYED, is_minor=True, has_guardian=True), SignerRole.REPRESENTATIVE, ["signer"]),
        (replace(PLAYED, deceased=True), SignerRole.ESTATE, []),
        (replace(PLAYED, deceased=True), SignerRole.UNION, []),
        (replace(PLAYED, deceased=True), SignerRole.REPRESENTATIVE, ["signer"]),
        (replace(PLAYED, deceased=True, is_minor=True), SignerRole.ESTATE, []),
        (PLAYED, SignerRole.REPRESENTATIVE, []),
        (PLAYED, SignerRole.ESTATE, ["signer"]),
        (PLAYED, SignerRole.GUARDIAN, ["signer"]),
    ],
)
def test_only_who_can_speak_for_the_performer_signs(
    who: Portrayal, signer: SignerRole, found: list[str]
) -> None:
    """A guardian for a minor, estate or union for the dead, performer or representative otherwise."""
    assert codes(replace(COVERED, signer_role=signer), USE, who) == found


# --- several people, several papers ---------------------------------------------------------------------------------


def said(answer: Permission) -> list[tuple[UUID, str]]:
    return [(each.performer_id or UUID(int=0), each.code) for each in answer.missing]


def test_a_double_has_to_consent_too() -> None:
    """Everybody who stands for the character is asked, each by themselves."""
    both = [PLAYED, Portrayal(MARA, OTTO, PortrayalKind.DOUBLES)]
    assert said(permission(USE, both, [COVERED])) == [(OTTO, "no_consent")]
    his = replace(COVERED, id=UUID(int=101), performer_id=OTTO)
    answer = permission(USE, both, [COVERED, his])
    assert [each["id"] for each in answer.consents] == [str(COVERED.id), str(his.id)]
    assert answer.missing == []


def test_a_voice_is_in_no_picture() -> None:
    """Who gives a character the voice is asked where a voice is made."""
    voice = [Portrayal(MARA, IDA, PortrayalKind.VOICE)]
    assert permission(USE, voice, []) == Permission()
    assert said(permission(replace(USE, kind="lip_sync"), voice, [])) == [(IDA, "no_consent")]
    # who also performs isn't let off by that
    assert said(permission(USE, [*voice, PLAYED], [])) == [(IDA, "no_consent")]


def test_two_halves_do_not_cover_a_whole() -> None:
    """One consent names the production and another the kind: neither covers the use, and one of them is explained."""
    half = narrowed(kinds=frozenset({"concept_art"}))
    other = replace(narrowed(production_ids=frozenset({ELSEWHERE})), id=UUID(int=102))
    (missing,) = permission(USE, [PLAYED], [half, other]).missing
    assert missing.code in {"kind_not_covered", "production_not_covered"}
    assert missing.consent_id in {half.id, other.id}


def test_the_consent_that_lacks_least_is_explained() -> None:
    """Whoever reads the refusal is sent after one signature, not after five."""
    far = replace(
        narrowed(production_ids=frozenset(), kinds=frozenset(), media=frozenset()), id=UUID(int=103)
    )
    near_by = narrowed(kinds=frozenset({"concept_art"}))
    answer = permission(USE, [PLAYED], [far, near_by])
    assert [(each.code, each.consent_id) for each in answer.missing] == [("kind_not_covered", near_by.id)]
    assert "cleanup" in answer.missing[0].says


def test_an_exemption_lets_a_recording_be_altered_and_never_a_replica_be_made() -> None:
    """It names the performer, the production, the kind, the shots and its last day, and comes before the request."""
    exemption = Exemption(
        id=UUID(int=200),
        character_id=MARA,
        performer_id=IDA,
        production_id=PRODUCTION,
        kinds=frozenset({"cleanup", "concept_art"}),
        shot_ids=frozenset({SHOT}),
        reason=ExemptionReason.COSMETICS,
        recorded_at=NOON - timedelta(minutes=1),
        until=date(2026, 6, 15),
    )

    def lets_through(use: Use = USE, who: Portrayal = PLAYED, **changes: object) -> bool:
        return not permission(use, [who], [], [replace(exemption, **changes)]).missing  # type: ignore[arg-type]

    assert permission(USE, [PLAYED], [], [exemption]).exemptions == [
        {"id": str(exemption.id), "reason": "cosmetics"}
    ]
    assert lets_through(shot_ids=frozenset())
    assert not lets_through(replace(USE, kind="concept_art", alters_recording=False))
    assert not lets_through(replace(USE, shot_id=OTHER_SHOT))
    assert not lets_through(replace(USE, kind="element"))
    assert not lets_through(replace(USE, production_id=ELSEWHERE))
    assert not lets_through(replace(USE, at=datetime(2026, 6, 16, tzinfo=UTC)))
    assert not lets_through(recorded_at=NOON)
    assert not lets_through(who=Portrayal(JUNE, IDA))
    assert not lets_through(who=Portrayal(MARA, OTTO))


def test_states_go_one_way() -> None:
    """Nothing that was declined, revoked or has expired is ever granted, and nothing is granted unrequested."""
    ended = {ConsentState.DECLINED, ConsentState.EXPIRED, ConsentState.REVOKED}
    assert all(TRANSITIONS[state] == frozenset() for state in ended)
    assert _before(ConsentState.GRANTED) == {ConsentState.REQUESTED}
    assert TRANSITIONS.keys() == set(ConsentState)


def _before(then: ConsentState) -> set[ConsentState]:
    states: Iterable[ConsentState] = ConsentState
    return {state for state in states if may_become(state, then)}


def test_a_time_zone_is_known_or_it_is_none() -> None:
    """A misspelt name is told apart before any term is counted by it."""
    assert zone_named("America/Los_Angeles") is not None
    assert [zone_named(name) for name in ("", "Mars/Olympus", "America", "../etc/passwd", "UTC\0")] == [
        None
    ] * 5
