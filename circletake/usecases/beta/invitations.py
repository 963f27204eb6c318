"""Invitations to the beta programme: the operator's side, and a studio's acceptance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from circletake.domain.beta.programme import InvitationState, invitation_state
from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor, Person
from circletake.kit import logs
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.beta import Invitation, NdaAcceptance
from circletake.records.session import Database, TenantSession
from circletake.usecases.keep_keys import lock_tenant
from circletake.usecases.ledger import record_entry

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """`nda_sha256` is of the document at `nda_url`: what exactly was accepted."""

    tenant_id: UUID
    nda_version: str
    expires_at: datetime
    nda_url: str | None = None
    nda_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class InvitationView:
    invitation: Invitation
    state: InvitationState
    acceptance: NdaAcceptance | None

    @property
    def created_at(self) -> datetime:
        return self.invitation.created_at

    @property
    def id(self) -> UUID:
        return self.invitation.id


async def invite(database: Database, new: NewInvitation, *, now: datetime) -> InvitationView:
    """Invite a studio; a former invitation is revoked by it, so the NDA has to be accepted anew. From then on nobody of
    the studio is served until somebody has. Raises NotFound."""
    async with database.role() as session:
        await lock_tenant(session, new.tenant_id)
        await _revoke_standing(session, new.tenant_id, now)
        row = Invitation(
            id=new_id(),
            tenant_id=new.tenant_id,
            nda_version=new.nda_version,
            nda_url=new.nda_url,
            nda_sha256=new.nda_sha256,
            expires_at=new.expires_at,
            created_at=now,
        )
        session.add(row)
        await session.flush()
    log.info("studio_invited", tenant_id=new.tenant_id, invitation_id=row.id)
    return _view(row, None, now)


async def list_invitations(
    database: Database,
    *,
    limit: int,
    now: datetime,
    before: tuple[datetime, UUID] | None = None,
    tenant_id: UUID | None = None,
) -> Sequence[InvitationView]:
    """Return at most `limit` invitations, newest first."""
    query = select(Invitation, NdaAcceptance).outerjoin(
        NdaAcceptance, NdaAcceptance.invitation_id == Invitation.id
    )
    if tenant_id is not None:
        query = query.where(Invitation.tenant_id == tenant_id)
    if before is not None:
        query = query.where(tuple_(Invitation.created_at, Invitation.id) < before)
    async with database.role() as session:
        rows = await session.execute(
            query.order_by(Invitation.created_at.desc(), Invitation.id.desc()).limit(limit)
        )
        return [_view(row, acceptance, now) for row, acceptance in rows]


async def revoke_invitation(database: Database, invitation_id: UUID, *, now: datetime) -> InvitationView:
    """End an invitation; again is no error. Gateways remember it for a few seconds. Raises NotFound."""
    async with database.role() as session:
        row = await session.scalar(select(Invitation).where(Invitation.id == invitation_id).with_for_update())
        if row is None:
            raise NotFound("invitation")
        if row.revoked_at is None:
            row.revoked_at = now
        acceptance = await session.scalar(
            select(NdaAcceptance).where(NdaAcceptance.invitation_id == invitation_id)
        )
    log.info("invitation_revoked", tenant_id=row.tenant_id, invitation_id=row.id)
    return _view(row, acceptance, now)


async def own_invitation(database: Database, tenant_id: UUID, *, now: datetime) -> InvitationView:
    """Return the invitation that counts for a studio. Raises NotFound for one that was never invited."""
    async with database.tenant(tenant_id) as session:
        return await _own(session, tenant_id, now)


async def accept_nda(
    database: Database, seal: Seal, *, tenant_id: UUID, person: Person, nda_version: str, now: datetime
) -> InvitationView:
    """Accept the NDA for the studio; again is no error. Raises NotFound, or Conflict: another version, or an
    invitation that is over."""
    async with database.tenant(tenant_id) as session:
        view = await _own(session, tenant_id, now)
        if view.invitation.nda_version != nda_version:
            raise Conflict(
                "The invitation is under another version of the NDA: read it with `GET /v1/nda`.",
                code="other_nda_version",
                nda_version=view.invitation.nda_version,
            )
        if view.state in {InvitationState.EXPIRED, InvitationState.REVOKED}:
            raise Conflict(f"This invitation is {view.state}.", code=f"invitation_{view.state}")
        kept = await session.scalar(
            upsert(NdaAcceptance)
            .values(
                id=new_id(),
                tenant_id=tenant_id,
                invitation_id=view.invitation.id,
                nda_version=nda_version,
                person_id=person.id,
                created_at=now,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "invitation_id"])
            .returning(NdaAcceptance.id)
        )
        if kept is not None:
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="nda.accepted",
                subject_id=view.invitation.id,
                body={
                    "nda_version": nda_version,
                    "nda_sha256": view.invitation.nda_sha256,
                    **Actor(person_id=person.id).for_ledger(),
                },
            )
        return await _own(session, tenant_id, now)


async def _own(session: TenantSession, tenant_id: UUID, now: datetime) -> InvitationView:
    row = await session.scalar(
        select(Invitation)
        .where(Invitation.tenant_id == tenant_id)
        .order_by(Invitation.created_at.desc(), Invitation.id.desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("invitation")
    acceptance = await session.scalar(
        select(NdaAcceptance).where(
            NdaAcceptance.tenant_id == tenant_id, NdaAcceptance.invitation_id == row.id
        )
    )
    return _view(row, acceptance, now)


async def _revoke_standing(session: AsyncSession, tenant_id: UUID, now: datetime) -> None:
    standing = await session.scalars(
        select(Invitation).where(Invitation.tenant_id == tenant_id, Invitation.revoked_at.is_(None))
    )
    for row in standing:
        row.revoked_at = now
    await session.flush()


def _view(row: Invitation, acceptance: NdaAcceptance | None, now: datetime) -> InvitationView:
    state = invitation_state(
        accepted=acceptance is not None,
        expires_at=row.expires_at,
        revoked=row.revoked_at is not None,
        now=now,
    )
    return InvitationView(row, state, acceptance)
