"""Refit a profile from takes that people circled or rejected: what a score means in this production.

Only what was judged and decided is read: scores and choices, no picture and nothing of anybody's face.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, or_, select

from circletake.domain.consistency.calibration import EVEN, at_prior
from circletake.domain.consistency.fitting import Fitted
from circletake.domain.consistency.learning import JudgedTake, Refusal, learn, learnt_of, samples_of
from circletake.domain.consistency.profiles import Profile, changed
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import Aspect, ShotSize
from circletake.domain.errors import Conflict
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.consistency import ConsistencyProfile, Judgement
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.keep_profiles import Scope, effective, find_profile, succeed

MOST_DECISIONS = 20_000  # the newest ones


@dataclass(frozen=True, slots=True)
class _Decisions:
    profile: ConsistencyProfile
    judged: Sequence[JudgedTake]
    takes: int
    circled: int


async def refit_profile(
    database: Database,
    seal: Seal,
    rules: JudgingRules,
    *,
    tenant_id: UUID,
    actor: Actor,
    profile_id: UUID,
    claim: IdempotencyClaim | None,
    answer: Callable[[ConsistencyProfile], Answer],
) -> Answer:
    """Make the next version of a profile from what people decided. Raises NotFound, Conflict `profile_retired`, or
    `too_little_data` with what is missing per aspect."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        decisions = await _decisions(session, rules, tenant_id, profile_id)
    samples = samples_of(decisions.judged)
    # a second of reckoning: neither the loop nor a transaction waits for it
    fitted, refused = await asyncio.to_thread(learn, samples, rules.default_evaluator)
    if not fitted:
        raise _too_little(decisions, refused)
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        before = await find_profile(session, tenant_id, profile_id, lock=True)
        _refuse_retired(before)
        body = _learnt_body(rules, before, fitted)
        profile = await succeed(
            session,
            tenant_id,
            Scope.of(before),
            before,
            body=body,
            fitted=_report(decisions, fitted, refused),
            actor=actor,
        )
        reply = answer(profile)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _decisions(
    session: TenantSession, rules: JudgingRules, tenant_id: UUID, profile_id: UUID
) -> _Decisions:
    profile = await find_profile(session, tenant_id, profile_id)
    _refuse_retired(profile)
    # of several judgements of a character in a take the newest counts
    newest = (
        select(
            Judgement.character_id,
            Judgement.scores,
            Judgement.body,
            Take.id.label("take_id"),
            Take.circled,
            func.coalesce(Generation.shot_id, Generation.id).label("shot"),
            Judgement.created_at,
        )
        .join(MediaFile, (MediaFile.tenant_id == Judgement.tenant_id) & (MediaFile.id == Judgement.media_id))
        .join(Take, (Take.tenant_id == MediaFile.tenant_id) & (Take.id == MediaFile.take_id))
        .join(Generation, (Generation.tenant_id == Take.tenant_id) & (Generation.id == Take.generation_id))
        .where(
            Judgement.tenant_id == tenant_id,
            MediaFile.production_id == profile.production_id,
            or_(Take.circled, Take.rejected),
        )
        .distinct(Take.id, Judgement.character_id)
        .order_by(Take.id, Judgement.character_id, Judgement.created_at.desc(), Judgement.id.desc())
        .subquery()
    )
    rows = (
        await session.execute(select(newest).order_by(newest.c.created_at.desc()).limit(MOST_DECISIONS))
    ).all()
    profiles = await _profiles(session, rules, tenant_id, profile.production_id)
    judged = [
        each
        for row in rows
        if (each := _judged(row, profiles, by_shot=profile.character_id is not None)) is not None
        and (profile.shot_size is None or row.body.get("shot_size") == profile.shot_size)
    ]
    if profile.character_id is not None:
        # whom a rejection is blamed on is decided among all who were judged in the take
        blamed = _blamed(judged)
        own = str(profile.character_id)
        judged = [
            each
            for each in judged
            if each.character == own and (each.circled or blamed.get(each.take) == own)
        ]
    takes = {each.take: each.circled for each in judged}
    return _Decisions(profile, judged, len(takes), sum(takes.values()))


def _blamed(judged: Sequence[JudgedTake]) -> dict[str, str]:
    """Return, per rejected take, the character with the lowest counted score."""
    lowest: dict[str, tuple[float, str]] = {}
    for each in judged:
        scores = [p for aspect, p in each.scores.items() if aspect in each.counted]
        if not each.circled and scores:
            lowest[each.take] = min(lowest.get(each.take, (2.0, "")), (min(scores), each.character))
    return {take: character for take, (_, character) in lowest.items()}


async def _profiles(
    session: TenantSession, rules: JudgingRules, tenant_id: UUID, production_id: UUID
) -> dict[str, Profile]:
    """Every profile that the production ever had, by the name that a judgement keeps."""
    rows = await session.scalars(
        select(ConsistencyProfile).where(
            ConsistencyProfile.tenant_id == tenant_id, ConsistencyProfile.production_id == production_id
        )
    )
    found = [rules.default_profile, *(effective(rules, each) for each in rows)]
    return {each.name: each for each in found}


def _judged(row: Row[Any], profiles: Mapping[str, Profile], *, by_shot: bool) -> JudgedTake | None:
    """Read a judgement back to the shipped scale; None when it was judged by what nobody knows any more."""
    profile = profiles.get(row.body.get("profile", ""))
    if profile is None:
        return None
    size = row.body.get("shot_size")
    shipped = {
        Aspect(name): at_prior(_unlearnt(profile, Aspect(name), p, size), profile.prior, EVEN)
        for name, p in row.scores.items()
    }
    return JudgedTake(
        take=str(row.take_id),
        character=str(row.character_id),
        group=str(row.shot if by_shot else row.character_id),
        circled=row.circled,
        scores=shipped,
        counted=[Aspect(name) for name in row.body.get("counted", ())],
    )


def _unlearnt(profile: Profile, aspect: Aspect, p: float, size: str | None) -> float:
    learnt = profile.learnt_of(aspect, ShotSize(size) if size else None)
    return p if learnt is None else learnt.undo(p, profile.prior)


def _refuse_retired(profile: ConsistencyProfile) -> None:
    if profile.retired_at is not None:
        raise Conflict(
            "This version is retired: refit the one that holds now, or make a new one.",
            code="profile_retired",
        )


def _too_little(decisions: _Decisions, refused: Mapping[Aspect, Refusal]) -> Conflict:
    return Conflict(
        "There are too few decisions to learn from: judge takes, circle what is right and reject what is wrong."
        if not refused
        else " ".join(f"{aspect.value}: {each.detail}" for aspect, each in sorted(refused.items())),
        code="too_little_data",
        takes=decisions.takes,
        circled=decisions.circled,
        aspects={aspect.value: _lack(each) for aspect, each in refused.items()},
    )


def _lack(refusal: Refusal) -> dict[str, Any]:
    return {
        "missing_same": refusal.missing_same,
        "missing_different": refusal.missing_different,
        "missing_groups": refusal.missing_groups,
        "detail": refusal.detail,
    }


def _learnt_body(
    rules: JudgingRules, before: ConsistencyProfile, fitted: Mapping[Aspect, Fitted]
) -> dict[str, Any]:
    """The overrides of the version before, with what was learnt."""
    now = effective(rules, before)
    learnt = {**now.learnt, **{aspect: learnt_of(each) for aspect, each in fitted.items()}}
    carrying = {now.carrying(kind) for kind in now.counts}
    body = {
        **before.body,
        "learnt": {aspect.value: asdict(each) for aspect, each in learnt.items()},
        # an identity that nobody has confirmed stays provisional, whatever is known of hair and clothes
        "provisional": not carrying & set(learnt),
    }
    changed(rules.default_profile, body, id="refit")
    return body


def _report(
    decisions: _Decisions, fitted: Mapping[Aspect, Fitted], refused: Mapping[Aspect, Refusal]
) -> dict[str, Any]:
    """What the fit learned from and how sure it is, as it is kept and shown."""
    return {
        "at": clock.now().isoformat(),
        "from_profile": str(decisions.profile.id),
        "takes": decisions.takes,
        "circled": decisions.circled,
        "rejected": decisions.takes - decisions.circled,
        "aspects": {aspect.value: _fit(each) for aspect, each in fitted.items()},
        "not_fitted": {aspect.value: _lack(each) for aspect, each in refused.items()},
    }


def _fit(fitted: Fitted) -> dict[str, Any]:
    stated = fitted.as_json()
    stated.pop("calibration")
    return {**stated, "margin": fitted.calibration.margin}
