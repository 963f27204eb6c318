"""Look at a picture that is to define how somebody looks, and say what is wrong with it.

It is judged by itself (is there a face, whose, how large, how sharp) and against the other pictures of its set. Those
may change while it is looked at, so what was compared is checked again when it is recorded.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.references import (
    Finding,
    choose_face,
    face_findings,
    finding,
    is_open,
    picture_findings,
    unreadable,
)
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import CharacterKind, EvaluatorId, ReferenceFinding
from circletake.kit import clock
from circletake.kit.backoff import exponential
from circletake.ports import (
    CastMember,
    EvaluatorDown,
    Figure,
    FrameSeen,
    Match,
    PictureRefused,
    StorageFault,
)
from circletake.records.characters import Character, Look, Reference, ReferenceSet
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_dispatcher, wake_waiters
from circletake.usecases.find_characters import hold_set, references_of
from circletake.usecases.forget_character import forget_unneeded
from circletake.usecases.observe_media import PEOPLE, SCENE, known_observations, part_of, see_file
from circletake.usecases.plan_check import approved_cast
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5.0, 300.0
_SET = "set"


@dataclass(frozen=True, slots=True)
class _Subject:
    """A reference as it is, with what is known of it and of the pictures beside it. Nothing is locked any more."""

    reference: Reference
    file: MediaFile
    kind: CharacterKind
    identity: str
    seen: FrameSeen | None
    others: Mapping[UUID, bytes] = field(repr=False)  # features of the set's other references, by their ids
    cast: Sequence[CastMember] = field(repr=False)
    unseen: Sequence[MediaFile] = ()  # files of other references that have to be looked at first
    compared: frozenset[tuple[UUID, int | None]] = frozenset()

    @property
    def person(self) -> bool:
        return self.kind is CharacterKind.HUMAN

    @property
    def chosen(self) -> int | None:
        """The face that a person chose; one that the inspection picked may be picked anew."""
        picked = any(
            each["code"] == ReferenceFinding.SEVERAL_FACES and is_open(each)
            for each in self.reference.findings
        )
        return None if picked else self.reference.figure


@dataclass(frozen=True, slots=True)
class _Outcome:
    findings: Sequence[Finding]
    figure: int | None = None
    seen: Figure | None = field(repr=False, default=None)

    @property
    def state(self) -> str:
        return "unusable" if any(each["blocking"] for each in self.findings) else "ready"


async def inspect_reference(tools: Tools, step: ClaimedStep) -> None:
    """Run a `reference` step: `subject_id` is the reference. An evaluator that is down puts the step off."""
    tenant = await tools.tenant(step.tenant_id)
    gone: set[UUID] = set()  # other pictures of the set that can't be looked at
    while True:
        subject = await _subject(tools, tenant, step, gone)
        if subject is None:
            await _leave(tools, step)
            return
        try:
            outcome = await _inspect(tools, tenant, subject, gone)
        except EvaluatorDown as down:
            await _wait(tools, step, down)
            return
        if outcome is not None and await _record(tools, step, subject, outcome):
            return


async def _subject(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, gone: Collection[UUID]
) -> _Subject | None:
    """None: it was taken out, its character was deleted, or it has been inspected."""
    async with tools.database.tenant(step.tenant_id) as session:
        row = (
            await session.execute(
                select(Reference, Character, MediaFile)
                .join(ReferenceSet, ReferenceSet.id == Reference.reference_set_id)
                .join(Look, Look.id == ReferenceSet.look_id)
                .join(Character, Character.id == Look.character_id)
                .join(MediaFile, MediaFile.id == Reference.media_id)
                .where(Reference.tenant_id == step.tenant_id, Reference.id == step.subject_id)
            )
        ).one_or_none()
        if row is None:
            return None
        reference, character, file = row
        if reference.state not in {"inspecting", "waiting"}:
            return None
        kind = CharacterKind(character.kind)
        beside = _comparable(
            await references_of(session, step.tenant_id, reference.reference_set_id), reference, kind
        )
        known = await known_observations(
            session,
            tenant.seal,
            str(tools.evaluator.id),
            [file.id, *(each.media_id for each in beside)],
            [part_of(kind)],
        )
        missing = {each.media_id for each in beside if 0 not in known.get(each.media_id, {})}
        unseen = await session.scalars(
            select(MediaFile).where(
                MediaFile.tenant_id == step.tenant_id, MediaFile.id.in_(missing.difference(gone))
            )
        )
        return _Subject(
            reference=reference,
            file=file,
            kind=kind,
            identity=str(character.id),
            seen=known.get(file.id, {}).get(0),
            others=_features(known, beside, kind),
            cast=await _cast(session, tools, tenant, character),
            unseen=list(unseen),
            compared=frozenset((each.id, each.figure) for each in beside),
        )


def _comparable(references: Sequence[Reference], own: Reference, kind: CharacterKind) -> Sequence[Reference]:
    """The set's other pictures that say how the character looks."""
    return [
        each
        for each in references
        if each.id != own.id
        and each.state == "ready"
        and (kind is not CharacterKind.HUMAN or each.figure is not None)
    ]


def _features(
    known: Mapping[UUID, Mapping[int, FrameSeen]], references: Sequence[Reference], kind: CharacterKind
) -> dict[UUID, bytes]:
    found = {}
    for each in references:
        seen = known.get(each.media_id, {}).get(0)
        features = None if seen is None else _of(seen, kind, each.figure)
        if features:
            found[each.id] = features
    return found


def _of(seen: FrameSeen, kind: CharacterKind, figure: int | None) -> bytes | None:
    if kind is not CharacterKind.HUMAN:
        return seen.scene
    return seen.figures[figure].features if figure is not None and figure < len(seen.figures) else None


async def _cast(
    session: TenantSession, tools: Tools, tenant: TenantAtWork, character: Character
) -> Sequence[CastMember]:
    """The production's other looks, as far as they have been seen: how alike they are says what likeness means."""
    looks = await approved_cast(session, character.production_id)
    wanted: dict[str, list[UUID]] = {PEOPLE: [], SCENE: []}
    for look in looks:
        wanted[part_of(look.kind)] += [media_id for media_id, _ in look.references]
    known = {
        part: await known_observations(session, tenant.seal, str(tools.evaluator.id), media_ids, [part])
        for part, media_ids in wanted.items()
    }
    members = []
    for look in looks:
        of_part = known[part_of(look.kind)]
        features = [
            one
            for media_id, figure in look.references
            if (seen := of_part.get(media_id, {}).get(0)) and (one := _of(seen, look.kind, figure))
        ]
        if features and look.character_id != character.id:
            members.append(CastMember(look.key, look.kind, features, identity=str(look.character_id)))
    return members


async def _inspect(tools: Tools, tenant: TenantAtWork, subject: _Subject, gone: set[UUID]) -> _Outcome | None:
    """Return what is to be said, or None when something was looked at first and the rest has to be read again."""
    if subject.seen is not None and not subject.unseen:
        return await _judge(tools, subject, subject.seen)
    for file in subject.unseen:
        try:
            there = await _see(tools, tenant, subject, file)
        except PictureRefused:
            there = False
        if not there:
            gone.add(file.id)
    if subject.seen is None:
        try:
            if not await _see(tools, tenant, subject, subject.file):
                return _Outcome([unreadable("The file isn't in the bucket any more.")])
        except PictureRefused as refused:
            return _Outcome([unreadable(str(refused))])
    return None


async def _see(tools: Tools, tenant: TenantAtWork, subject: _Subject, file: MediaFile) -> bool:
    """Have a picture looked at; say whether anything was seen. Raises PictureRefused, EvaluatorDown."""
    try:
        seen = await see_file(
            tools, tenant, file, frames=[0], people=subject.person, scene=not subject.person
        )
    except StorageFault as fault:
        if fault.kind == "missing":
            return False
        raise
    return 0 in seen


async def _judge(tools: Tools, subject: _Subject, seen: FrameSeen) -> _Outcome:
    if not subject.person:
        found = picture_findings(seen.width, seen.height)
        return _Outcome([*found, *await _compared(tools, subject, seen)])
    choice = choose_face(seen.figures, subject.chosen)
    if choice.figure is None:
        return _Outcome(choice.findings)
    face = seen.figures[choice.figure]
    compared = await _compared(tools, subject, replace(seen, figures=(face,)))
    return _Outcome([*choice.findings, *face_findings(face), *compared], choice.figure, face)


async def _compared(tools: Tools, subject: _Subject, seen: FrameSeen) -> list[Finding]:
    """What the set's other pictures say of this one. Raises EvaluatorDown."""
    if not subject.others:
        return []
    features = list(subject.others.values())
    cast = [
        CastMember(_SET, subject.kind, features, identity=subject.identity),
        *(
            CastMember(str(reference_id), subject.kind, [one], identity=subject.identity)
            for reference_id, one in subject.others.items()
        ),
        *subject.cast,
    ]
    (matches,) = await tools.evaluator.compare(cast, [seen])
    found = _duplicate(matches, subject, tools.rules.default_profile.copy_ceiling)
    return found + _mismatch(matches, subject, tools.rules, tools.evaluator.id)


def _duplicate(matches: Sequence[Match], subject: _Subject, ceiling: float) -> list[Finding]:
    copies = {
        reference_id: max((each.copy for each in matches if each.key == str(reference_id)), default=0.0)
        for reference_id in subject.others
    }
    nearest = max(copies, key=lambda each: copies[each])
    if copies[nearest] < ceiling:
        return []
    detail = "It is nearly the same picture as another one of this set: another view would teach more."
    return [finding(ReferenceFinding.NEAR_DUPLICATE, detail, blocking=False, reference_id=str(nearest))]


def _mismatch(
    matches: Sequence[Match], subject: _Subject, rules: JudgingRules, evaluator: EvaluatorId
) -> list[Finding]:
    profile = rules.default_profile
    aspects = []
    for aspect in profile.counted(subject.kind):
        calibration = rules.calibrations.get(evaluator, aspect)
        threshold = profile.threshold(aspect)
        values = next(
            (each.values[aspect] for each in matches if each.key == _SET and aspect in each.values), None
        )
        if calibration is None or threshold is None or values is None:
            continue
        if probability(calibration, values, prior=profile.prior) < threshold.fail_below:
            aspects.append(aspect.value)
    if not aspects:
        return []
    detail = f"It doesn't match the set's other pictures: {', '.join(aspects)}."
    return [finding(ReferenceFinding.DOES_NOT_MATCH, detail, blocking=False, aspects=aspects)]


async def _record(tools: Tools, step: ClaimedStep, subject: _Subject, outcome: _Outcome) -> bool:
    """Commit what was found and tell it. False: it was compared with what isn't so any more."""
    async with tools.database.tenant(step.tenant_id) as session:
        lineage = await hold_set(session, step.tenant_id, subject.reference.reference_set_id)
        reference = await session.scalar(
            select(Reference)
            .where(Reference.tenant_id == step.tenant_id, Reference.id == step.subject_id)
            .with_for_update()
        )
        if reference is None or reference.state not in {"inspecting", "waiting"}:
            return False
        beside = _comparable(
            await references_of(session, step.tenant_id, lineage.set.id), reference, subject.kind
        )
        now = frozenset((each.id, each.figure) for each in beside)
        before = subject.reference
        if now != subject.compared or (reference.figure, reference.findings) != (
            before.figure,
            before.findings,
        ):
            return False
        await hold_fence(session, step)
        reference.state = outcome.state
        reference.findings = list(outcome.findings)
        reference.figure = outcome.figure
        reference.box = asdict(outcome.seen.box) if outcome.seen else None
        reference.face_px = round(outcome.seen.face_px, 1) if outcome.seen else None
        reference.inspected_at = clock.now()
        await session.flush()
        await announce_reference(session, reference, lineage.look, lineage.character)
        await end_step(session, step)
        await wake_dispatcher(session)
    return True


async def announce_reference(
    session: TenantSession, reference: Reference, look: Look, character: Character
) -> None:
    """Record `reference.inspected`, and wake who waits for it. It carries codes, nothing of what was seen."""
    await record_event(
        session,
        reference.tenant_id,
        "reference.inspected",
        {
            "production_id": str(character.production_id),
            "character_id": str(character.id),
            "look_id": str(look.id),
            "reference_set_id": str(reference.reference_set_id),
            "reference_id": str(reference.id),
            "media_id": str(reference.media_id),
            "external_ref": character.external_ref,
            "state": reference.state,
            "findings": [each["code"] for each in reference.findings],
        },
    )
    await wake_waiters(session, reference.id)


async def give_up_reference(session: TenantSession, tenant_id: UUID, reference_id: UUID) -> None:
    """Looking at it ended its worker again and again: nobody goes on waiting for it."""
    found = await session.scalar(
        select(Reference).where(Reference.tenant_id == tenant_id, Reference.id == reference_id)
    )
    if found is None:
        return
    lineage = await hold_set(session, tenant_id, found.reference_set_id)
    reference = await session.scalar(
        select(Reference)
        .where(Reference.tenant_id == tenant_id, Reference.id == reference_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if reference is None or reference.state not in {"inspecting", "waiting"}:
        return
    reference.state, reference.inspected_at = "unusable", clock.now()
    reference.findings = [unreadable("Looking at this picture ended its inspector again and again.")]
    await session.flush()
    await announce_reference(session, reference, lineage.look, lineage.character)


async def _leave(tools: Tools, step: ClaimedStep) -> None:
    """Nobody asks any more. What was seen meanwhile goes too, unless somebody else needs it."""
    async with tools.database.tenant(step.tenant_id) as session:
        await forget_unneeded(session, step.tenant_id, [UUID(step.details["media_id"])])
        await end_step(session, step)
        await wake_dispatcher(session)


async def _wait(tools: Tools, step: ClaimedStep, down: EvaluatorDown) -> None:
    """The reference says that it waits; it is tried again, later every time."""
    first = _FIRST_WAIT_SECONDS if down.retryable else _LONGEST_WAIT_SECONDS
    async with tools.database.tenant(step.tenant_id) as session:
        reference = await session.scalar(
            select(Reference)
            .where(Reference.tenant_id == step.tenant_id, Reference.id == step.subject_id)
            .with_for_update()
        )
        if reference is not None and reference.state == "inspecting":
            reference.state = "waiting"
            await wake_waiters(session, reference.id)
        seconds = exponential(step.attempt, first=first, most=_LONGEST_WAIT_SECONDS, jitter=random.random())  # noqa: S311 - spreads retries
        await put_off(session, step, seconds=seconds, trouble="evaluator_down")
