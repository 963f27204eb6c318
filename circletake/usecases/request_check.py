"""Ask "is this still her?": accept a consistency check. What was judged before is found again and costs nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from circletake.domain.consistency.profiles import Profile, Scoped, changed
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import ShotSize
from circletake.domain.errors import Invalid
from circletake.domain.people import Actor
from circletake.domain.pictures import Violation
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.consistency import (
    CheckMaterial,
    CheckResult,
    CheckSubject,
    ConsistencyCheck,
    ConsistencyProfile,
    Judgement,
)
from circletake.records.events import LedgerEntry
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together
from circletake.usecases.events import STEPS_CHANNEL
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.judgement_keys import cast_digest, digest, judgement_keys
from circletake.usecases.ledger import entry_row
from circletake.usecases.permission.gate_judging import require_judging_permission
from circletake.usecases.plan_check import CheckPlan, SubjectAsked, plan_check
from circletake.usecases.resolve_material import MaterialAsked


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """A question as it came over HTTP. `sampling`: {"mode": "every", "every": n} or {"mode": "adaptive"}, and
    `max_frames`; `second_opinion`: a judge model for what stays undecided."""

    production_id: UUID
    subjects: Sequence[SubjectAsked]
    materials: Sequence[MaterialAsked]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    evaluators: Sequence[str] = ()
    second_opinion: str | None = None
    profile_id: UUID | None = None
    statistic: str | None = None
    external_ref: str | None = None


@dataclass(frozen=True, slots=True)
class FrozenRules:
    """What a check goes by, as it was at acceptance."""

    evaluators: Sequence[str]
    profile: Mapping[str, Any]  # {"scoped": [{character, size, profile}]}
    sampling: Mapping[str, Any]
    second_opinion: str | None

    def asks_models(self, rules: JudgingRules) -> bool:
        """Say whether pictures leave for a model: to be embedded, or for a second opinion."""
        named = {str(each) for each in rules.models}
        return self.second_opinion is not None or not named.isdisjoint(self.evaluators)

    @property
    def digest(self) -> str:
        return digest([list(self.evaluators), self.profile, self.sampling, self.second_opinion])


async def request_check(
    database: Database,
    rules: JudgingRules,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    request: CheckRequest,
    claim: IdempotencyClaim | None,
    answer: Callable[[ConsistencyCheck], Answer],
) -> Answer:
    """Accept a check. Raises Refused when it isn't; then nothing has been written."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        plan = await plan_check(
            session,
            production_id=request.production_id,
            subjects=request.subjects,
            materials=request.materials,
        )
        frozen = await freeze_rules(session, rules, catalogue, request)
        if frozen.asks_models(rules):
            await require_judging_permission(
                session,
                request.production_id,
                shot_id=None,
                characters={each.character_id for each in plan.subjects},
                now=clock.now(),
            )
        row = check_row(tenant_id, plan, frozen, actor=actor, external_ref=request.external_ref)
        await _record(session, seal, tenant_id, row, plan, frozen)
        reply = answer(ConsistencyCheck(**row))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def freeze_rules(
    session: TenantSession, rules: JudgingRules, catalogue: ModelCatalogue, request: CheckRequest
) -> FrozenRules:
    """Choose profiles, evaluators and sampling. Raises Invalid for those that aren't there."""
    found = []
    evaluators = list(request.evaluators) or [str(rules.default_evaluator)]
    known = {str(each) for each in rules.evaluators}
    for position, name in enumerate(evaluators):
        if name not in known:
            message = f"There is no such evaluator; there are: {', '.join(sorted(known))}."
            found.append(Violation(f"/evaluators/{position}", "unknown_evaluator", message))
    if str(rules.default_evaluator) not in evaluators:
        message = f"{rules.default_evaluator} finds the characters for every other evaluator: name it too."
        found.append(Violation("/evaluators", "missing_evaluator", message))
    if request.second_opinion is not None:
        card = catalogue.get(request.second_opinion)
        if card is None or "judge" not in card.uses:
            message = "This model isn't in the catalogue as a judge: see GET /v1/models."
            found.append(Violation("/second_opinion", "unknown_model", message))
    scoped = await _profiles(session, rules.default_profile, request)
    if request.profile_id is not None and len(scoped) == 1:
        message = "This profile doesn't exist in this production, was retired, or isn't yours."
        found.append(Violation("/profile_id", "not_found", message))
    if found:
        raise Invalid(found)
    profile = {
        "calibrations": rules.calibrations_id,
        "scoped": [
            {
                "production": each.production,
                "character": each.character,
                "size": each.size.value if each.size else None,
                "profile": each.profile.as_json(),
            }
            for each in scoped
        ],
    }
    return FrozenRules(evaluators, profile, dict(request.sampling), request.second_opinion)


async def _profiles(session: TenantSession, default: Profile, request: CheckRequest) -> list[Scoped]:
    """The shipped profile, then what the production has said; or only the one that was asked for."""
    base = (
        default
        if request.statistic is None
        else changed(default, {"statistic": request.statistic}, id=default.id)
    )
    query = select(ConsistencyProfile).where(
        ConsistencyProfile.production_id == request.production_id, ConsistencyProfile.retired_at.is_(None)
    )
    if request.profile_id is not None:
        query = query.where(ConsistencyProfile.id == request.profile_id)
    rows = await session.scalars(query.order_by(ConsistencyProfile.created_at, ConsistencyProfile.id))
    scoped = [Scoped(base)]
    for row in rows:
        overrides = dict(row.body)
        if request.statistic is not None:
            overrides["statistic"] = request.statistic
        named = request.profile_id is not None  # asked for by name, it holds for everybody
        scoped.append(
            Scoped(
                changed(default, overrides, id=str(row.id), version=row.version),
                production=None if named else str(request.production_id),
                character=None if named or row.character_id is None else str(row.character_id),
                size=None if named or row.shot_size is None else ShotSize(row.shot_size),
            )
        )
    return scoped


def check_row(
    tenant_id: UUID,
    plan: CheckPlan,
    frozen: FrozenRules,
    *,
    actor: Actor,
    external_ref: str | None = None,
    generation_id: UUID | None = None,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": clock.now(),
        "production_id": plan.production.id,
        "generation_id": generation_id,
        "state": "queued",
        "sampling": dict(frozen.sampling),
        "evaluators": list(frozen.evaluators),
        "profile": dict(frozen.profile),
        "second_opinion": frozen.second_opinion,
        "external_ref": external_ref,
        "requested_by": actor.api_key_id,
        "requested_by_person": actor.person_id,
        "summary": {"skipped": list(plan.skipped)},
        "ledger_entry_id": new_id(),
    }


def subject_rows(tenant_id: UUID, check_id: UUID, subjects: Sequence[SubjectAsked]) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "check_id": check_id,
            "position": position,
            "character_id": each.character_id,
            "look_id": each.look_id,
        }
        for position, each in enumerate(subjects)
    ]


def check_entry(seal: Seal, tenant_id: UUID, row: Mapping[str, Any], plan: CheckPlan) -> dict[str, Any]:
    """The ledger's entry: who asked about whom, in what."""
    return entry_row(
        seal,
        tenant_id=tenant_id,
        kind="consistency_check.requested",
        subject_id=row["id"],
        entry_id=row["ledger_entry_id"],
        body={
            "production": str(row["production_id"]),
            "requested_by": str(row["requested_by"]) if row["requested_by"] else None,
            "requested_by_person": str(row["requested_by_person"]) if row["requested_by_person"] else None,
            "characters": [str(each.character_id) for each in plan.subjects],
            "material": [str(each.file.id) for each in plan.materials],
            "evaluators": list(row["evaluators"]),
            "second_opinion": row["second_opinion"],
        },
    )


async def _record(
    session: TenantSession,
    seal: Seal,
    tenant_id: UUID,
    row: dict[str, Any],
    plan: CheckPlan,
    frozen: FrozenRules,
) -> None:
    check_id = row["id"]
    subjects = subject_rows(tenant_id, check_id, plan.subjects)
    cast = cast_digest(plan.cast)
    rules = frozen.digest
    keys = [judgement_keys(material, cast=cast, rules=rules) for material in plan.materials]
    known = await judged_before(session, tenant_id, [key for each in keys for key in each.values()])
    materials, results, steps = [], [], []
    for position, (material, own) in enumerate(zip(plan.materials, keys, strict=True)):
        material_id = new_id()
        judged = all(key in known for key in own.values())
        materials.append(
            material_row(
                tenant_id,
                check_id,
                material_id,
                position,
                media_id=material.file.id,
                take_id=material.take_id,
                shot_id=material.shot_id,
                expected=material.expected,
                judged=judged,
            )
        )
        if not judged:
            steps.append(judge_step(tenant_id, material_id))
            continue
        results += [
            {
                "id": new_id(),
                "tenant_id": tenant_id,
                "check_id": check_id,
                "material_id": material_id,
                "subject_id": subjects[place]["id"],
                "judgement_id": known[key],
            }
            for place, key in own.items()
        ]
    if not steps:
        steps.append(conclude_step(tenant_id, check_id))
    await insert_together(
        session,
        (ConsistencyCheck, [row]),
        (CheckSubject, subjects),
        (CheckMaterial, materials),
        (CheckResult, results),
        (Step, steps),
        (LedgerEntry, [check_entry(seal, tenant_id, row, plan)]),
        then="select pg_notify(:channel, '')",
        channel=STEPS_CHANNEL,
    )


async def judged_before(session: TenantSession, tenant_id: UUID, keys: Sequence[str]) -> dict[str, UUID]:
    """Return the judgements that are there, by key. One parameter, however many are asked for."""
    rows = await session.execute(select(Judgement.key, Judgement.id).where(with_keys(tenant_id, keys)))
    return {row.key: row.id for row in rows}


def with_keys(tenant_id: UUID, keys: Sequence[str]) -> ColumnElement[bool]:
    return and_(
        Judgement.tenant_id == tenant_id,
        Judgement.key == any_(bindparam(None, list(keys), type_=ARRAY(Text()))),
    )


def material_row(
    tenant_id: UUID,
    check_id: UUID,
    material_id: UUID,
    position: int,
    *,
    media_id: UUID,
    take_id: UUID | None,
    shot_id: UUID | None,
    expected: frozenset[UUID] | None,
    judged: bool = False,
) -> dict[str, Any]:
    return {
        "id": material_id,
        "tenant_id": tenant_id,
        "check_id": check_id,
        "position": position,
        "media_id": media_id,
        "take_id": take_id,
        "shot_id": shot_id,
        "expected": None if expected is None else sorted(map(str, expected)),
        "state": "judged" if judged else "queued",
    }


def judge_step(
    tenant_id: UUID, material_id: UUID, *, generation_id: UUID | None = None, take_id: UUID | None = None
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "judge",
        "lane": "judge",
        "subject_id": material_id,
        "generation_id": generation_id,
        "take_id": take_id,
    }


def conclude_step(tenant_id: UUID, check_id: UUID) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "conclude",
        "lane": "judge",
        "subject_id": check_id,
        "generation_id": None,
        "take_id": None,
    }
