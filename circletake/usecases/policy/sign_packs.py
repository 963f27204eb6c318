"""Signing: a studio's counsel makes one version of a pack active, by the hash of its text, and may take that back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor, Person
from circletake.domain.policy.packs import PackReference
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.policies import PackSignature, PolicyPack
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import UNIQUE_VIOLATION
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.keep_packs import reason_place, reference_place, view_of
from circletake.usecases.policy.stored_packs import (
    SHIPPED,
    SignatureView,
    StoredVersion,
    find_versions,
    new_row,
)


@dataclass(frozen=True, slots=True)
class Signing:
    """What is signed. `sha256`: of the text that was read, when the signer says it. `reference`: counsel's own."""

    pack_id: str
    version: int
    sha256: str | None = None
    reference: str | None = field(default=None, repr=False)


async def sign_pack(
    database: Database,
    seal: Seal,
    shelf: PolicyShelf,
    *,
    tenant_id: UUID,
    person: Person,
    signing: Signing,
    claim: IdempotencyClaim | None,
    answer: Callable[[PackReference, SignatureView], Answer],
) -> Answer:
    """Sign a version. A shipped one is kept as it is now, so that what was signed stays what applies.

    Raises NotFound, Conflict for a version that is signed and for a hash that isn't its text's.
    """
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        versions = await find_versions(session, shelf, tenant_id, signing.pack_id)
        found = next((each for each in versions if each.pack.version == signing.version), None)
        if found is None:
            raise NotFound("version of this policy pack")
        if signing.sha256 is not None and signing.sha256 != found.pack.sha256:
            raise Conflict(
                "The text of this version isn't the one whose hash you give: read it again before you sign.",
                code="pack_text_differs",
            )
        if found.signature is not None:
            raise _already_signed()
        row = found.row or _keep_shipped(session, seal, shelf, tenant_id, person, found)
        await _flush(session)
        signature = await _write(session, seal, tenant_id, person, row, signing.reference)
        reply = answer(found.pack, view_of(seal, signature))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


def _already_signed() -> Conflict:
    return Conflict("This version is signed: withdraw that signature first.", code="already_signed")


async def _flush(session: TenantSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise _already_signed() from None
        raise


def _keep_shipped(
    session: TenantSession,
    seal: Seal,
    shelf: PolicyShelf,
    tenant_id: UUID,
    person: Person,
    found: StoredVersion,
) -> PolicyPack:
    pack = shelf.known(found.pack.sha256)
    if pack is None:
        raise NotFound("version of this policy pack")
    actor = Actor(person_id=person.id)
    row = new_row(seal, tenant_id=tenant_id, pack=pack, origin=SHIPPED, actor=actor)
    session.add(row)
    return row


async def _write(
    session: TenantSession,
    seal: Seal,
    tenant_id: UUID,
    person: Person,
    row: PolicyPack,
    reference: str | None,
) -> PackSignature:
    signature_id = new_id()
    entry_id = await record_entry(
        session,
        seal,
        tenant_id=tenant_id,
        kind="policy_pack.signed",
        subject_id=row.id,
        body={
            "signature": str(signature_id),
            **PackReference(row.pack_id, row.version, row.sha256).stored(),
            "reference_hash": seal.keyed_hash(reference.encode()) if reference else None,
            **Actor(person_id=person.id).for_ledger(),
        },
    )
    signature = PackSignature(
        id=signature_id,
        tenant_id=tenant_id,
        policy_pack_id=row.id,
        sha256=row.sha256,
        signed_by=person.id,
        reference=seal.close(reference, place=reference_place(signature_id)) if reference else None,
        ledger_entry_id=entry_id,
        created_at=clock.now(),
    )
    session.add(signature)
    await _flush(session)
    return signature


async def withdraw_signature(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    pack_id: str,
    signature_id: UUID,
    reason: str,
) -> tuple[PackReference, SignatureView]:
    """Take a signature back: the version is no longer active, whichever production chose it. What it holds stays
    held. One that was withdrawn already is returned as it is. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        found = (
            await session.execute(
                select(PackSignature, PolicyPack)
                .join(
                    PolicyPack,
                    (PolicyPack.tenant_id == PackSignature.tenant_id)
                    & (PolicyPack.id == PackSignature.policy_pack_id),
                )
                .where(
                    PackSignature.tenant_id == tenant_id,
                    PackSignature.id == signature_id,
                    PolicyPack.pack_id == pack_id,
                )
                .with_for_update(of=PackSignature)
            )
        ).one_or_none()
        if found is None:
            raise NotFound("signature")
        signature, row = found
        pack = PackReference(row.pack_id, row.version, row.sha256)
        if signature.withdrawn_at is None:
            signature.withdrawn_at = clock.now()
            signature.withdrawn_by = person.id
            signature.reason = seal.close(reason, place=reason_place(signature.id))
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="policy_pack.signature_withdrawn",
                subject_id=row.id,
                body={
                    "signature": str(signature.id),
                    **pack.stored(),
                    "reason_hash": seal.keyed_hash(reason.encode()),
                    **Actor(person_id=person.id).for_ledger(),
                },
            )
        return pack, view_of(seal, signature)
