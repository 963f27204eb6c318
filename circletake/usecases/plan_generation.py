"""What a request would be sent as and cost, or everything that is wrong with it, before any money is spent."""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.dialects.abilities import name_able_models
from circletake.dialects.contract import RequestShape
from circletake.dialects.registry import dialect_for
from circletake.domain import costs
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.controls import SEED_MAX, SEED_MIN, check_controls, strict_violations
from circletake.domain.drafts import NO_DRAFT, draft_controls, drafted, drafted_report
from circletake.domain.errors import Invalid
from circletake.domain.kinds import RULES, SLOT_ROLES, InputSlot, Kind, Quality
from circletake.domain.pictures import ControlReport, InputShape, ModelCard, Violation
from circletake.domain.policy.declaration import UseDeclaration
from circletake.ports import ModelCatalogue
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.choice.choose_model import ProductionModels, choose_model, production_models
from circletake.usecases.choice.clearances import standing_clearances
from circletake.usecases.plan_enforcement import (
    Enforced,
    EnforcementPlan,
    EnforcementRequest,
    plan_enforcement,
)
from circletake.usecases.resolve_material import is_one_of

MAX_TAKES = 20
MAX_METADATA_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request as it came over HTTP, already of the right types. Text is content: it never reaches a log."""

    production_id: UUID
    kind: Kind
    takes: int = 1
    shot_id: UUID | None = None
    model: str | None = None
    prompt: str | None = field(default=None, repr=False)
    negative_prompt: str | None = field(default=None, repr=False)
    search_prompt: str | None = field(default=None, repr=False)
    quality: Quality = Quality.FULL
    inputs: Mapping[InputSlot, UUID] = field(default_factory=dict)
    controls: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    deadline_at: datetime | None = None
    strict: bool = False
    metadata: Mapping[str, Any] | None = field(default=None, repr=False)
    external_ref: str | None = None
    consistency: EnforcementRequest | None = None
    depicts: Sequence[UUID] = ()  # characters
    use: UseDeclaration = field(default_factory=UseDeclaration)
    finish_of: UUID | None = None  # a circled take
    trial: bool = False  # a golden run's: the catalogue's own card of `model`, whatever the production chose
    batch_id: UUID | None = None
    batch_line: int | None = None  # of the batch's file


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that would be accepted now."""

    card: ModelCard
    production: Production
    shot: Shot | None
    inputs: Mapping[InputSlot, MediaFile]
    controls: Mapping[str, Any]  # as asked for; a draft's own instead where it has some
    controls_report: Sequence[ControlReport]
    quote: costs.Quote
    seed: int | None  # of the first take; None where the model takes none
    model_lock_id: UUID | None = None
    clearances: Sequence[
        UUID
    ] = ()  # what the production cleared the shot to show: for people to see, no model is told


@dataclass(frozen=True, slots=True)
class Planning:
    """What requests of one production are checked against, read once for all of them. Media files are locked, so that
    none can be withdrawn between this look and the rows that use it."""

    production: Production | None
    models: ProductionModels
    shots: Mapping[UUID, Shot] = field(default_factory=dict)
    media: Mapping[UUID, MediaFile] = field(default_factory=dict)
    clearances: Mapping[UUID, Sequence[UUID]] = field(default_factory=dict)  # by shot


async def plan_generation(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    request: GenerationRequest,
    *,
    now: datetime,
    production: Production | None = None,
    models: ProductionModels | None = None,
) -> Plan:
    """Check a request against the production, its files, the kind, the model and its dialect.

    `production` and `models` save a look when the caller has them already. Raises Invalid with every violation that was found, not only the first.
    """
    planning = await read_planning(
        session, tenant_id, request.production_id, [request], production=production, models=models
    )
    return plan_request(planning, catalogue, request, now=now)


async def read_planning(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    requests: Collection[GenerationRequest],
    *,
    production: Production | None = None,
    models: ProductionModels | None = None,
) -> Planning:
    """Read what these requests of one production have to fit."""
    if production is None:
        production = await session.scalar(
            select(Production).where(Production.tenant_id == tenant_id, Production.id == production_id)
        )
    shots, media = await _load(session, tenant_id, production_id, requests)
    return Planning(
        production,
        await production_models(session, tenant_id, production_id) if models is None else models,
        shots,
        media,
        await standing_clearances(session, tenant_id, shots.keys()),
    )


def plan_request(
    planning: Planning, catalogue: ModelCatalogue, request: GenerationRequest, *, now: datetime
) -> Plan:
    """Check one request against what was read. Raises Invalid with every violation that was found."""
    production, media = planning.production, planning.media
    shot = None if request.shot_id is None else planning.shots.get(request.shot_id)
    found = [*_context_violations(request, production, shot)]
    found += _text_violations(request, now)
    chosen = choose_model(
        catalogue,
        ProductionModels() if request.trial else planning.models,
        kind=request.kind,
        asked=request.model,
        quality=request.quality,
        slots=request.inputs.keys(),
        prompted=request.prompt is not None,
        on=now.date(),
    )
    card, controls = chosen.card, request.controls
    draft = catalogue.draft_for(request.kind) if request.quality is Quality.DRAFT else NO_DRAFT
    if card is not None:
        card, controls = drafted(card, draft), draft_controls(card, draft, request.controls)
    found += chosen.violations
    found += _input_violations(request, media)
    found += check_controls(request.controls)
    inputs = {slot: media[media_id] for slot, media_id in request.inputs.items() if media_id in media}
    if found or card is None or production is None:
        raise Invalid(found)
    shape = RequestShape(
        kind=request.kind,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        seed=request.seed,
        controls=controls,
        inputs={slot: _shape(file) for slot, file in inputs.items()},
        search_prompt=request.search_prompt,
    )
    dialect = dialect_for(card)
    found = name_able_models(dialect.check(shape, card), catalogue.all(), shape, on=now.date())
    report = drafted_report(dialect.controls(shape, card), draft, request.controls)
    if request.strict:
        found += strict_violations(report)
    if found:
        raise Invalid(found)
    seed = request.seed
    if card.seed == "unsupported":
        seed = None
    elif seed is None:
        seed = secrets.randbelow(SEED_MAX - SEED_MIN + 1) + SEED_MIN
    quote = costs.quote(card, request.kind, request.takes, controls)
    return Plan(
        card,
        production,
        shot,
        inputs,
        controls,
        report,
        quote,
        seed,
        chosen.lock_id,
        planning.clearances.get(shot.id, ()) if shot else (),
    )


async def plan_consistency(
    session: TenantSession,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    request: GenerationRequest,
    plan: Plan,
    *,
    now: datetime,
) -> EnforcementPlan | None:
    """Check what the request says of consistency, when it does. Raises Invalid."""
    if request.consistency is None:
        return None
    enforced = Enforced(
        production_id=request.production_id,
        shot_id=request.shot_id,
        kind=request.kind,
        card=plan.card,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        search_prompt=request.search_prompt,
        controls=request.controls,
        inputs=plan.inputs,
        strict=request.strict,
        takes=request.takes,
        spent=plan.quote.total,
    )
    return await plan_enforcement(
        session,
        rules,
        catalogue,
        request=request.consistency,
        enforced=enforced,
        now=now,
        place="/consistency",
    )


async def _load(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    requests: Collection[GenerationRequest],
) -> tuple[dict[UUID, Shot], dict[UUID, MediaFile]]:
    shot_ids = sorted({each.shot_id for each in requests if each.shot_id is not None})
    media_ids = sorted({media_id for each in requests for media_id in each.inputs.values()})
    shots: dict[UUID, Shot] = {}
    if shot_ids:
        rows = await session.scalars(
            select(Shot).where(
                Shot.tenant_id == tenant_id,
                is_one_of(Shot.id, shot_ids),
                Shot.production_id == production_id,
            )
        )
        shots = {shot.id: shot for shot in rows}
    media: dict[UUID, MediaFile] = {}
    if media_ids:
        files = await session.scalars(
            select(MediaFile)
            .where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.production_id == production_id,
                is_one_of(MediaFile.id, media_ids),
            )
            .order_by(MediaFile.id)
            .with_for_update(read=True)
        )
        media = {file.id: file for file in files}
    return shots, media


def _context_violations(
    request: GenerationRequest, production: Production | None, shot: Shot | None
) -> list[Violation]:
    if production is None:
        return [Violation("/production_id", "unknown_production", "There is no such production.")]
    if request.shot_id is not None and shot is None:
        return [Violation("/shot_id", "unknown_shot", "There is no such shot in this production.")]
    if request.shot_id is None and RULES[request.kind].needs_shot:
        return [Violation("/shot_id", "shot_required", f"{request.kind} belongs to a shot: give its id.")]
    return []


def _text_violations(request: GenerationRequest, now: datetime) -> list[Violation]:
    found = _prompt_violations(request)
    if not 1 <= request.takes <= MAX_TAKES:
        found.append(Violation("/takes", "out_of_range", f"Ask for 1 to {MAX_TAKES} takes."))
    if request.seed is not None and not SEED_MIN <= request.seed <= SEED_MAX:
        found.append(Violation("/seed", "out_of_range", f"Use a seed from {SEED_MIN} to {SEED_MAX}."))
    if request.deadline_at is not None and request.deadline_at <= now:
        found.append(Violation("/deadline", "deadline_past", "The deadline is in the past."))
    if request.metadata is not None and len(json.dumps(dict(request.metadata))) > MAX_METADATA_BYTES:
        found.append(
            Violation("/metadata", "too_large", f"Keep metadata below {MAX_METADATA_BYTES} bytes of JSON.")
        )
    return found


def _prompt_violations(request: GenerationRequest) -> list[Violation]:
    found = []
    rule = RULES[request.kind]
    if rule.prompt == "required" and not (request.prompt or "").strip():
        found.append(Violation("/prompt", "prompt_required", f"{request.kind} needs a prompt."))
    if rule.prompt == "refused" and request.prompt is not None:
        found.append(Violation("/prompt", "prompt_refused", f"{request.kind} takes no prompt: leave it out."))
    if rule.search == "required" and not (request.search_prompt or "").strip():
        message = f"{request.kind} needs a search_prompt: say what to find in the plate."
        found.append(Violation("/search_prompt", "search_prompt_required", message))
    if rule.search == "refused" and request.search_prompt is not None:
        message = f"{request.kind} takes no search_prompt: leave it out."
        found.append(Violation("/search_prompt", "search_prompt_refused", message))
    texts = {
        "/prompt": request.prompt,
        "/negative_prompt": request.negative_prompt,
        "/search_prompt": request.search_prompt,
    }
    for pointer, value in texts.items():
        if value is not None and "\0" in value:
            found.append(Violation(pointer, "nul_character", "Remove the NUL character from the text."))
    return found


def _input_violations(request: GenerationRequest, media: Mapping[UUID, MediaFile]) -> list[Violation]:
    rule = RULES[request.kind]
    found = [
        Violation(f"/inputs/{slot}", "input_required", f"{request.kind} needs a {slot}: give its id.")
        for slot in sorted(rule.required - request.inputs.keys())
    ]
    for slot, media_id in request.inputs.items():
        pointer = f"/inputs/{slot}"
        if slot not in rule.required | rule.optional:
            found.append(
                Violation(pointer, "input_unexpected", f"{request.kind} takes no {slot}: leave it out.")
            )
            continue
        file = media.get(media_id)
        if file is None:
            found.append(
                Violation(pointer, "unknown_media", "There is no such media file in this production.")
            )
        else:
            found += _file_violations(pointer, slot, file)
    plate, matte = (media.get(request.inputs[s]) if s in request.inputs else None for s in _PLATE_AND_MATTE)
    if plate and matte and (plate.width, plate.height) != (matte.width, matte.height):
        found.append(
            Violation(
                "/inputs/matte",
                "matte_size",
                f"The matte is {matte.width}x{matte.height}, the plate {plate.width}x{plate.height}:"
                " upload a matte of the plate's size.",
            )
        )
    return found


_PLATE_AND_MATTE = (InputSlot.PLATE, InputSlot.MATTE)


def _file_violations(pointer: str, slot: InputSlot, file: MediaFile) -> list[Violation]:
    if file.role not in SLOT_ROLES[slot]:
        allowed = ", ".join(sorted(SLOT_ROLES[slot]))
        return [
            Violation(pointer, "wrong_role", f"This file's role is {file.role}; a {slot} must be: {allowed}.")
        ]
    if file.state != "ready":
        return [
            Violation(
                pointer, "media_not_ready", f"This file is {file.state}; only a ready file can be used."
            )
        ]
    if not file.media_type.startswith("image/"):
        return [Violation(pointer, "not_a_picture", f"A {slot} must be a picture, not {file.media_type}.")]
    return []


def _shape(file: MediaFile) -> InputShape:
    return InputShape(file.media_type, file.width or 0, file.height or 0)
