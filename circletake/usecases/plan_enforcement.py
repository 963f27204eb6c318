"""What an enforcement would do and cost at most, or everything that is wrong with it, before any money is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from circletake.domain.choice.choices import locked_violation
from circletake.domain.consistency.enforcing import OnExhausted, OnNeedsHuman
from circletake.domain.consistency.ladders import Rung
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.errors import Invalid
from circletake.domain.kinds import SLOT_ROLES, InputSlot, Kind, MediaRole
from circletake.domain.people import Actor
from circletake.domain.pictures import InputShape, ModelCard, Violation
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.base import Record
from circletake.records.consistency import CheckSubject, ConsistencyCheck, Enforcement, EnforcementAttempt
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.attempt_values import FIRST
from circletake.usecases.choice.choose_model import ProductionModels, production_models
from circletake.usecases.choice.production_catalogue import ProductionCatalogue
from circletake.usecases.ledger import entry_row
from circletake.usecases.permission.gate_judging import require_judging_permission
from circletake.usecases.plan_check import CastLook, CheckPlan, SubjectAsked, plan_subjects
from circletake.usecases.plan_ladder import Base, LadderPlan, RungMade, plan_ladder
from circletake.usecases.request_check import (
    CheckRequest,
    FrozenRules,
    check_entry,
    check_row,
    freeze_rules,
    subject_rows,
)

MAX_ATTEMPTS = 20
MAX_OTHER_MODELS = 20


@dataclass(frozen=True, slots=True)
class EnforcementRequest:
    """What is asked for, whichever way it came. `rungs` None: whatever promises most for what failed."""

    subjects: Sequence[SubjectAsked]
    max_attempts: int
    max_cost_usd: Decimal
    rungs: Sequence[Rung] | None = None
    deadline_at: datetime | None = None
    on_exhausted: OnExhausted = OnExhausted.KEEP_BEST_FOR_REVIEW
    on_needs_human: OnNeedsHuman = OnNeedsHuman.REVIEW
    other_models: Sequence[str] | None = None
    approved_frame_media_id: UUID | None = None
    profile_id: UUID | None = None
    statistic: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    evaluators: Sequence[str] = ()
    second_opinion: str | None = None


@dataclass(frozen=True, slots=True)
class Enforced:
    """The generation whose takes are to pass; `spent` is what its takes cost at most, made or still to be made."""

    production_id: UUID
    shot_id: UUID | None
    kind: Kind
    card: ModelCard
    prompt: str | None = field(repr=False)
    negative_prompt: str | None = field(repr=False)
    search_prompt: str | None = field(repr=False)
    controls: Mapping[str, Any]
    inputs: Mapping[InputSlot, MediaFile]
    strict: bool
    takes: int
    spent: Decimal
    generation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EnforcementPlan:
    """An enforcement that would be accepted now."""

    request: EnforcementRequest
    check: CheckPlan
    rules: FrozenRules
    ladder: LadderPlan
    approved: UUID | None  # the picture that rungs start from


async def plan_enforcement(
    session: TenantSession,
    rules: JudgingRules,
    catalogue: ModelCatalogue,
    *,
    request: EnforcementRequest,
    enforced: Enforced,
    now: datetime,
    place: str = "",
) -> EnforcementPlan:
    """Check a request against the characters, the catalogue and its own caps. `place` is where it stands in the body.

    Raises Invalid with every violation that was found.
    """
    found = _cap_violations(request, enforced, catalogue, now)
    check: CheckPlan | None = None
    frozen: FrozenRules | None = None
    looks: Mapping[int, CastLook] = {}
    try:
        check, looks = await plan_subjects(
            session, production_id=enforced.production_id, subjects=request.subjects, shot_id=enforced.shot_id
        )
    except Invalid as refused:
        found += refused.violations
    try:
        frozen = await freeze_rules(session, rules, catalogue, _as_check(request, enforced))
    except Invalid as refused:
        found += refused.violations
    approved, missing = await _approved(session, request, enforced, looks)
    found += missing
    if found or check is None or frozen is None:
        raise Invalid([_placed(each, place) for each in found])
    if frozen.asks_models(rules):
        await require_judging_permission(
            session,
            enforced.production_id,
            shot_id=enforced.shot_id,
            characters={each.character_id for each in request.subjects},
            now=now,
        )
    ladder = await _ladder(
        session, catalogue, check.production.tenant_id, request, enforced, approved, place=place, now=now
    )
    return EnforcementPlan(request, check, frozen, ladder, approved.id if approved else None)


async def _ladder(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    request: EnforcementRequest,
    enforced: Enforced,
    approved: MediaFile | None,
    *,
    place: str,
    now: datetime,
) -> LadderPlan:
    """Plan the rungs with the models that the production allows. Raises Invalid where other ones are named."""
    models = await production_models(session, tenant_id, enforced.production_id)
    lock = models.of(enforced.kind)
    if lock is not None and lock.locked:
        refused = [
            replace(locked_violation(lock), pointer=f"other_models/{position}")
            for position, name in enumerate(request.other_models or ())
            if name not in lock.may_be_named
        ]
        if refused:
            raise Invalid([_placed(each, place) for each in refused])
    ladder = plan_ladder(
        ProductionCatalogue(catalogue, models, {enforced.kind, Kind.ELEMENT}),
        _base(request, enforced, approved),
        strategy=request.rungs,
        other_models=request.other_models,
        now=now,
    )
    return replace(ladder, rungs=[_under_its_lock(rung, models, enforced.kind) for rung in ladder.rungs])


def _under_its_lock(rung: RungMade, models: ProductionModels, kind: Kind) -> RungMade:
    """A rung that makes another kind runs with the card that the production keeps for that one."""
    lock = models.of(rung.step.kind)
    if lock is None or rung.step.kind is kind:
        return rung
    return replace(rung, changes={**rung.changes, "lock_id": str(lock.id)})


def _placed(violation: Violation, place: str) -> Violation:
    return Violation(f"{place}/{violation.pointer.lstrip('/')}", violation.code, violation.message)


def _cap_violations(
    request: EnforcementRequest, enforced: Enforced, catalogue: ModelCatalogue, now: datetime
) -> list[Violation]:
    found = []
    if not 1 <= request.max_attempts <= MAX_ATTEMPTS:
        found.append(Violation("max_attempts", "out_of_range", f"Allow 1 to {MAX_ATTEMPTS} attempts."))
    elif enforced.takes > request.max_attempts:
        message = (
            f"The generation's own {enforced.takes} takes are attempts too: allow as many, or ask for fewer."
        )
        found.append(Violation("max_attempts", "below_takes", message))
    if enforced.spent > request.max_cost_usd:
        message = f"The generation's own takes cost up to {enforced.spent} USD already: allow that, or ask for fewer."
        found.append(Violation("max_cost_usd", "below_takes", message))
    if request.deadline_at is not None and request.deadline_at <= now:
        found.append(Violation("deadline", "deadline_past", "The deadline is in the past."))
    for position, name in enumerate(request.other_models or ()):
        card = catalogue.get(name)
        if card is None:
            message = "There is no such model: GET /v1/models lists them."
            found.append(Violation(f"other_models/{position}", "unknown_model", message))
    return found


def _as_check(request: EnforcementRequest, enforced: Enforced) -> CheckRequest:
    return CheckRequest(
        production_id=enforced.production_id,
        subjects=request.subjects,
        materials=(),
        sampling=request.sampling,
        evaluators=request.evaluators,
        second_opinion=request.second_opinion,
        profile_id=request.profile_id,
        statistic=request.statistic,
    )


async def _approved(
    session: TenantSession, request: EnforcementRequest, enforced: Enforced, looks: Mapping[int, CastLook]
) -> tuple[MediaFile | None, list[Violation]]:
    """The picture of the character as it should be: the frame that is named; else a circled take of this shot; else,
    of a single character, a reference of its look. Locked, so that it can't be withdrawn meanwhile."""
    named = request.approved_frame_media_id
    if named is not None:
        file = await _file(session, enforced.production_id, named)
        if file is not None:
            return file, []
        message = "This isn't a ready picture of this production that a model may start from."
        return None, [Violation("approved_frame_media_id", "unknown_media", message)]
    circled = await _circled(session, enforced)
    if circled is not None:
        return circled, []
    if len(looks) == 1 and len(request.subjects) == 1:
        for media_id, _ in next(iter(looks.values())).references:
            file = await _file(session, enforced.production_id, media_id)
            if file is not None:
                return file, []
    return None, []


async def _file(session: TenantSession, production_id: UUID, media_id: UUID) -> MediaFile | None:
    roles = [role.value for role in SLOT_ROLES[InputSlot.REFERENCE]]
    return await session.scalar(
        select(MediaFile)
        .where(
            MediaFile.id == media_id,
            MediaFile.production_id == production_id,
            MediaFile.state == "ready",
            MediaFile.role.in_(roles),
            MediaFile.media_type.startswith("image/"),
        )
        .with_for_update(read=True)
    )


async def _circled(session: TenantSession, enforced: Enforced) -> MediaFile | None:
    same = [
        column == value
        for column, value in (
            (Generation.shot_id, enforced.shot_id),
            (Generation.id, enforced.generation_id),
        )
        if value is not None
    ]
    if not same:
        return None
    return await session.scalar(
        select(MediaFile)
        .join(Take, Take.media_id == MediaFile.id)
        .join(Generation, Generation.id == Take.generation_id)
        .where(
            or_(*same), Take.circled, MediaFile.state == "ready", MediaFile.media_type.startswith("image/")
        )
        .order_by(Take.created_at.desc(), Take.id.desc())
        .limit(1)
        .with_for_update(read=True, of=MediaFile)
    )


def _base(request: EnforcementRequest, enforced: Enforced, approved: MediaFile | None) -> Base:
    return Base(
        kind=enforced.kind,
        card=enforced.card,
        prompt=enforced.prompt,
        negative_prompt=enforced.negative_prompt,
        search_prompt=enforced.search_prompt,
        controls=enforced.controls,
        inputs={slot: file.id for slot, file in enforced.inputs.items()},
        shapes={slot: _shape(file) for slot, file in enforced.inputs.items()},
        strict=enforced.strict,
        approved=approved.id if approved else None,
        named=request.approved_frame_media_id is not None,
        made=approved is not None and approved.role == MediaRole.TAKE,
        approved_shape=_shape(approved) if approved else None,
    )


def _shape(file: MediaFile) -> InputShape:
    return InputShape(file.media_type, file.width or 0, file.height or 0)


def enforcement_rows(
    seal: Seal,
    plan: EnforcementPlan,
    *,
    tenant_id: UUID,
    generation_id: UUID,
    take_ids: Sequence[UUID],
    actor: Actor,
    now: datetime,
) -> tuple[dict[str, Any], list[tuple[type[Record], list[dict[str, Any]]]], list[dict[str, Any]]]:
    """Return the enforcement, the other rows that begin it, by table, and its ledger entries."""
    request = plan.request
    check = check_row(tenant_id, plan.check, plan.rules, actor=actor, generation_id=generation_id)
    enforcement: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": now,
        "generation_id": generation_id,
        "check_id": check["id"],
        "state": "running",
        "max_attempts": request.max_attempts,
        "max_cost_usd": request.max_cost_usd,
        "deadline_at": request.deadline_at,
        "on_exhausted": request.on_exhausted.value,
        "on_needs_human": request.on_needs_human.value,
        "ladder": [rung.as_json() for rung in plan.ladder.rungs],
        "unsupported": [each.as_json() for each in plan.ladder.unsupported],
        "options": {
            "in_order": request.rungs is not None,
            "rungs": None if request.rungs is None else [rung.value for rung in request.rungs],
            "other_models": None if request.other_models is None else list(request.other_models),
            "approved_media_id": str(plan.approved) if plan.approved else None,
        },
        "requested_by": actor.api_key_id,
        "requested_by_person": actor.person_id,
    }
    attempts = [
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "enforcement_id": enforcement["id"],
            "take_id": take_id,
            "number": number,
            "rung": FIRST,
        }
        for number, take_id in enumerate(take_ids, 1)
    ]
    entry = entry_row(
        seal,
        tenant_id=tenant_id,
        kind="consistency_enforcement.requested",
        subject_id=enforcement["id"],
        entry_id=new_id(),
        body={
            "generation": str(generation_id),
            "check": str(check["id"]),
            "requested_by": str(actor.api_key_id) if actor.api_key_id else None,
            "requested_by_person": str(actor.person_id) if actor.person_id else None,
            "characters": [str(each.character_id) for each in plan.check.subjects],
            "takes": [str(take_id) for take_id in take_ids],
            "ladder": [
                {"rung": rung.step.rung.value, "model": rung.step.model} for rung in plan.ladder.rungs
            ],
            "max_attempts": request.max_attempts,
            "max_cost_usd": str(request.max_cost_usd),
            "deadline": request.deadline_at.isoformat() if request.deadline_at else None,
        },
    )
    rows: list[tuple[type[Record], list[dict[str, Any]]]] = [
        (ConsistencyCheck, [check]),
        (CheckSubject, subject_rows(tenant_id, check["id"], plan.check.subjects)),
        (Enforcement, [enforcement]),
        (EnforcementAttempt, attempts),
    ]
    return enforcement, rows, [check_entry(seal, tenant_id, check, plan.check), entry]
