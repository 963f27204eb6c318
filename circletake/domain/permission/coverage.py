"""Does a consent cover this use? And when none does: what exactly is missing.

A use is covered by one consent that covers all of it; two that cover half each cover nothing. A refusal explains the
consent that lacks least.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from circletake.domain.permission.consents import (
    ANY,
    CHECK,
    Consent,
    ConsentState,
    Exemption,
    Missing,
    Permission,
    Portrayal,
    ReplicaType,
    SignerRole,
    Use,
    exempts,
    is_over,
    needs_consent,
    signer_fits,
)

Line = tuple[str, str]  # a code, and the sentence that says what to get

_NOT_GRANTED = {
    ConsentState.DRAFT: ("not_granted", "is a draft: request it, have it signed, and have it granted."),
    ConsentState.REQUESTED: (
        "not_granted",
        "was requested and isn't granted yet: have it signed and granted.",
    ),
    ConsentState.DECLINED: ("declined", "was declined: this use may not be made without another one."),
    ConsentState.REVOKED: ("revoked", "was revoked: get a new one."),
    ConsentState.EXPIRED: ("term_ended", "has expired: get a new one."),
}
# which of two that lack equally much is explained
_NEARER = (
    ConsentState.GRANTED,
    ConsentState.REQUESTED,
    ConsentState.DRAFT,
    ConsentState.EXPIRED,
    ConsentState.REVOKED,
    ConsentState.DECLINED,
)


def missing_in(consent: Consent, use: Use, portrayal: Portrayal) -> list[Missing]:
    """Return everything that keeps this consent from covering this use; nothing means that it covers it."""
    return [
        Missing(portrayal.character_id, portrayal.performer_id, code, says, consent.id)
        for code, says in (
            *_of_state(consent),
            *_of_dates(consent, use),
            *_of_place(consent, use),
            *_of_distribution(consent, use),
            *_of_type(consent, use),
            *_of_signer(consent, portrayal),
        )
    ]


def permission(
    use: Use,
    portrayals: Sequence[Portrayal],
    consents: Collection[Consent],
    exemptions: Collection[Exemption] = (),
) -> Permission:
    """Say for each performer who stands for one of the characters what allows the use, or what is missing.

    The consent that is relied on is the one granted first of those that cover the use.
    """
    found = Permission()
    seen = set()
    for portrayal in portrayals:
        who = (portrayal.character_id, portrayal.performer_id)
        if who in seen or not needs_consent(portrayal, use.kind):
            continue
        seen.add(who)
        exemption = next((each for each in exemptions if exempts(each, use, portrayal)), None)
        if exemption is not None:
            found.exemptions.append({"id": str(exemption.id), "reason": exemption.reason.value})
            continue
        _rely(
            found, use, portrayal, [each for each in consents if each.performer_id == portrayal.performer_id]
        )
    return found


def _rely(found: Permission, use: Use, portrayal: Portrayal, consents: Sequence[Consent]) -> None:
    judged = [(missing_in(each, use, portrayal), each) for each in consents]
    covering = sorted(
        (each for lacking, each in judged if not lacking),
        key=lambda each: (each.granted_at is None or each.granted_at.timestamp(), each.id),
    )
    if covering:
        relied_on = {"id": str(covering[0].id), "document_sha256": covering[0].document_sha256}
        if relied_on not in found.consents:
            found.consents.append(relied_on)
    elif judged:
        nearest, _ = min(
            judged, key=lambda pair: (len(pair[0]), _NEARER.index(pair[1].state), -pair[1].id.int)
        )
        found.missing.extend(nearest)
    else:
        says = (
            f"Performer {portrayal.performer_id} has given no consent: draft one, have it signed, and have a rights"
            " clearance manager grant it."
        )
        found.missing.append(Missing(portrayal.character_id, portrayal.performer_id, "no_consent", says))


def _of_state(consent: Consent) -> Iterator[Line]:
    if consent.state is not ConsentState.GRANTED:
        code, says = _NOT_GRANTED[consent.state]
        yield code, f"Consent {consent.id} {says}"
    elif consent.granted_at is None or consent.signed_on is None or consent.document_sha256 is None:
        yield "not_granted", f"Consent {consent.id} lacks its signature or its document."


def _of_dates(consent: Consent, use: Use) -> Iterator[Line]:
    zone, scope = ZoneInfo(use.time_zone), consent.scope
    requested_on, today = _day(use.requested_at, zone), _day(use.at, zone)
    granted_at, signed_on = consent.granted_at, consent.signed_on
    if granted_at is not None and granted_at >= use.requested_at:
        yield (
            "granted_after_request",
            (
                f"Consent {consent.id} was put on record at {_moment(granted_at)}, the use was requested at"
                f" {_moment(use.requested_at)}: request it anew."
            ),
        )
    if signed_on is not None and signed_on > requested_on:
        yield (
            "signed_after_request",
            (
                f"Consent {consent.id} is dated {signed_on}, the use was requested on {requested_on}"
                f" ({use.time_zone}): a consent has to come first."
            ),
        )
    if scope.since is not None and today < scope.since:
        yield (
            "not_yet_in_term",
            f"The term of consent {consent.id} begins on {scope.since} ({use.time_zone}).",
        )
    if scope.until is None and not scope.no_end:
        yield "term_not_stated", f"Consent {consent.id} states no end of its term: get one that does."
    elif is_over(scope, use.at, zone) and consent.state is not ConsentState.EXPIRED:
        yield (
            "term_ended",
            f"The term of consent {consent.id} ended with {scope.until} ({use.time_zone}): get a new one.",
        )


def _of_place(consent: Consent, use: Use) -> Iterator[Line]:
    scope = consent.scope
    if use.production_id not in scope.production_ids:
        yield (
            "production_not_covered",
            f"Consent {consent.id} doesn't name production {use.production_id}: a new production needs a new consent.",
        )
    if use.kind not in scope.kinds:
        allowed = ", ".join(sorted(scope.kinds)) or "nothing"
        yield "kind_not_covered", f"Consent {consent.id} covers {allowed}; get one that covers {use.kind}."
    narrowed = bool(scope.shot_ids or scope.sequence_ids)
    if narrowed and use.shot_id not in scope.shot_ids and use.sequence_id not in scope.sequence_ids:
        shot = f"shot {use.shot_id}" if use.shot_id else "uses outside its shots; name the shot"
        yield "shot_not_covered", f"Consent {consent.id} is limited to some shots and doesn't cover {shot}."


def _of_distribution(consent: Consent, use: Use) -> Iterator[Line]:
    if use.kind == CHECK:
        return  # what is judged stays in the studio
    for code, what, asked, allowed in (
        ("media_not_covered", "media", use.media, consent.scope.media),
        ("territory_not_covered", "territory", use.territory, consent.scope.territories),
    ):
        wanted = named(asked)
        if ANY in allowed or (wanted and wanted <= allowed):
            continue
        limited = ", ".join(sorted(allowed)) or "nothing"
        if wanted:
            lacking = ", ".join(sorted(wanted - allowed))
            says = f"covers the {what} {limited}; get one that covers {lacking}."
        else:
            says = f"is limited to the {what} {limited}: declare the {what} in the request's use."
        yield code, f"Consent {consent.id} {says}"


def _of_type(consent: Consent, use: Use) -> Iterator[Line]:
    """A change of what was recorded may be made under either; a picture made without a recording is a replica."""
    if (
        use.alters_recording
        or use.kind == CHECK
        or consent.replica_type is not ReplicaType.DIGITAL_ALTERATION
    ):
        return
    yield (
        "replica_type",
        (
            f"Consent {consent.id} allows alterations of what was recorded; {use.kind} makes a digital replica: get a"
            " consent to one."
        ),
    )


def _of_signer(consent: Consent, portrayal: Portrayal) -> Iterator[Line]:
    if consent.state in {ConsentState.DRAFT, ConsentState.REQUESTED} and consent.signer_role is None:
        return  # nobody has signed yet, and that it isn't granted says so
    if portrayal.is_minor and not portrayal.deceased and not portrayal.has_guardian:
        yield (
            "guardian_missing",
            f"Performer {portrayal.performer_id} is a minor without a guardian on record: put the guardian on record.",
        )
    if not signer_fits(consent.signer_role, is_minor=portrayal.is_minor, deceased=portrayal.deceased):
        role = consent.signer_role or "nobody"
        yield "signer", f"Consent {consent.id} was signed by: {role}. It has to be {_signers(portrayal)}."


def _signers(portrayal: Portrayal) -> str:
    if portrayal.deceased:
        return "the estate or the union, for a performer who has died"
    if portrayal.is_minor:
        return f"the {SignerRole.GUARDIAN}, for a minor"
    return "the performer or a representative"


def named(value: str | Collection[str] | None) -> frozenset[str]:
    """Read what a use declaration says of media or territories: one, several or none."""
    if value is None:
        return frozenset()
    return frozenset({value}) if isinstance(value, str) else frozenset(value)


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
