"""A person lets a draft define a look; a file that is withdrawn ends what was approved with it."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.references import finding
from circletake.domain.consistency.words import ReferenceFinding
from circletake.domain.errors import Conflict
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.characters import Look, Reference, ReferenceSet
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_waiters
from circletake.usecases.find_characters import SetView, hold_set, references_of
from circletake.usecases.forget_character import forget_file, refuse_enforced
from circletake.usecases.keep_references import open_findings, refuse_settled
from circletake.usecases.ledger import record_entry


async def approve_set(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    set_id: UUID,
    accept_findings: bool,
) -> SetView:
    """Make a draft the look's reference set, in place of the one before; an approved set is returned as it is.

    Raises NotFound, or Conflict that lists what stands in the way: nothing in it, pictures that are still being
    inspected or can't be used, findings that nobody accepted.
    """
    async with database.tenant(tenant_id) as session:
        lineage = await hold_set(session, tenant_id, set_id)
        draft = lineage.set
        references = await references_of(session, tenant_id, set_id)
        if draft.state == "approved":
            return SetView(draft, references)
        refuse_settled(draft)
        _refuse_unready(references, accept_findings=accept_findings)
        before = await _approved(session, lineage.look)
        if before is not None:
            before.state = "superseded"
            await session.flush()  # one approved set per look, at every moment
        draft.state, draft.approved_by_person, draft.approved_at = "approved", actor.person_id, clock.now()
        draft.ledger_entry_id = await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="reference_set.approved",
            subject_id=draft.id,
            body={
                "character": str(lineage.character.id),
                "look": str(lineage.look.id),
                "version": draft.version,
                "supersedes": str(before.id) if before else None,
                "references": await _as_approved(session, references),
                **actor.for_ledger(),
            },
        )
        return SetView(draft, references)


async def withdraw_references(session: TenantSession, seal: Seal, file: MediaFile, *, actor: Actor) -> None:
    """A file is withdrawn: whoever holds the rights in it may insist, so what was made of it gives way.

    Every approved set with it is superseded, drafts can't be approved until it is taken out, and what was seen in it
    is forgotten. The file's row is locked. Raises Conflict `enforcement_running`.
    """
    set_ids = await session.scalars(
        select(Reference.reference_set_id)
        .where(Reference.tenant_id == file.tenant_id, Reference.media_id == file.id)
        .order_by(Reference.reference_set_id)
    )
    for set_id in list(set_ids):
        lineage = await hold_set(session, file.tenant_id, set_id)
        if lineage.set.state == "approved":
            await refuse_enforced(session, file.tenant_id, [lineage.character.id], look_id=lineage.look.id)
            lineage.set.state = "superseded"
            await record_entry(
                session,
                seal,
                tenant_id=file.tenant_id,
                kind="reference_set.superseded",
                subject_id=set_id,
                body={
                    "character": str(lineage.character.id),
                    "look": str(lineage.look.id),
                    "withdrawn_file": str(file.id),
                    **actor.for_ledger(),
                },
            )
        for reference in await references_of(session, file.tenant_id, set_id):
            if reference.media_id == file.id:
                reference.state = "unusable"
                reference.findings = [
                    finding(ReferenceFinding.WITHDRAWN, "The file was withdrawn.", blocking=True)
                ]
                reference.figure = reference.box = reference.face_px = None
                await wake_waiters(session, reference.id)
    await session.flush()
    await forget_file(session, file.tenant_id, file.id)


def _refuse_unready(references: Sequence[Reference], *, accept_findings: bool) -> None:
    if not references:
        raise Conflict("There is no picture in this set: add at least one.", code="reference_set_empty")
    unsettled = [each for each in references if each.state in {"inspecting", "waiting"}]
    unusable = [each for each in references if each.state == "unusable"]
    if unsettled or unusable:
        text = (
            "Some pictures are still being looked at: wait for them."
            if not unusable
            else ("Some pictures can't be used: take them out, or choose the face that is meant.")
        )
        raise Conflict(text, code="reference_set_not_ready", references=_listed([*unusable, *unsettled]))
    doubtful = [each for each in references if open_findings(each)]
    if doubtful and not accept_findings:
        raise Conflict(
            "Something is wrong with some pictures: take them out, or approve with accept_findings.",
            code="findings_not_accepted",
            references=_listed(doubtful),
        )


def _listed(references: Iterable[Reference]) -> list[dict[str, Any]]:
    return [
        {
            "reference_id": str(each.id),
            "state": each.state,
            "findings": sorted(found["code"] for found in open_findings(each)),
        }
        for each in references
    ]


async def _approved(session: TenantSession, look: Look) -> ReferenceSet | None:
    found: ReferenceSet | None = await session.scalar(
        select(ReferenceSet)
        .where(
            ReferenceSet.tenant_id == look.tenant_id,
            ReferenceSet.look_id == look.id,
            ReferenceSet.state == "approved",
        )
        .with_for_update()
    )
    return found


async def _as_approved(session: TenantSession, references: Sequence[Reference]) -> list[dict[str, Any]]:
    """What the ledger says of the pictures: which bytes, which face, and what the approver was told of them."""
    hashes = dict(
        (
            await session.execute(
                select(MediaFile.id, MediaFile.sha256).where(
                    MediaFile.tenant_id == references[0].tenant_id,
                    MediaFile.id.in_([each.media_id for each in references]),
                )
            )
        )
        .tuples()
        .all()
    )
    return [
        {
            "media": str(each.media_id),
            "sha256": hashes[each.media_id],
            "figure": each.figure,
            "findings": sorted(found["code"] for found in open_findings(each)),
        }
        for each in references
    ]
