"""A studio's policy packs: putting a version on record, and reading what there is. A version never changes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor
from circletake.domain.policy.packs import Pack, PackRefused
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.policies import PackSignature, PolicyPack
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.stored_packs import (
    OWN,
    SignatureView,
    StoredVersion,
    find_versions,
    merged,
    new_row,
    pack_of,
    refused_text,
    title_place,
    versions_of,
)
from circletake.usecases.sealed_text import open_text

MAX_VERSIONS = 500  # of a studio, of all its packs


@dataclass(frozen=True, slots=True)
class PackSummary:
    """A version as lists show it."""

    version: StoredVersion
    title: str = field(repr=False)
    dated: str
    rules: int


@dataclass(frozen=True, slots=True)
class PackView:
    """A version with its rules, every version of its pack, and every signature that was ever given to them."""

    pack: Pack
    origin: str
    active: bool
    versions: Sequence[StoredVersion]
    signatures: Sequence[SignatureView]


async def upload_pack(
    database: Database,
    seal: Seal,
    shelf: PolicyShelf,
    *,
    tenant_id: UUID,
    actor: Actor,
    text: bytes,
    claim: IdempotencyClaim | None,
    answer: Callable[[Pack, bool], Answer],
) -> Answer:
    """Put a version of a studio's own pack on record. It isn't active until counsel signs it.

    `answer` is given the pack and whether it is active. Raises Invalid with line and column of everything that is wrong, Conflict for a version that is there with
    another text and for the id of a shipped pack.
    """
    try:
        # a large one takes a while to read: in a thread, so that other requests are answered meanwhile
        pack = await asyncio.to_thread(shelf.read, text)
    except PackRefused as refused:
        raise refused_text(refused) from None
    if any(each.id == pack.id for each in shelf.shipped):
        raise Conflict(
            f"{pack.id} is the id of a shipped pack: give yours another one.", code="shipped_pack_id"
        )
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        there = await _there(session, tenant_id, pack)
        if there is None:
            row = new_row(seal, tenant_id=tenant_id, pack=pack, origin=OWN, actor=actor)
            session.add(row)
            await session.flush()
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="policy_pack.uploaded",
                subject_id=row.id,
                body={**pack.reference.stored(), **actor.for_ledger()},
            )
        reply = answer(pack, there is not None and there.active)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _there(session: TenantSession, tenant_id: UUID, pack: Pack) -> StoredVersion | None:
    """Return this version as it is on record, None for a new one. Raises Conflict when it has another text."""
    # two uploads of one studio wait for each other, so that the second one sees the first
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"packs:{tenant_id}", 0))))
    found = (
        await session.execute(
            versions_of(tenant_id).where(PolicyPack.pack_id == pack.id, PolicyPack.version == pack.version)
        )
    ).one_or_none()
    if found is not None:
        row, signature = found
        if row.sha256 != pack.sha256:
            raise Conflict(
                f"Version {pack.version} of {pack.id} is on record with another text, and a version never"
                " changes: give it the next number.",
                code="pack_version_exists",
            )
        return StoredVersion(pack.reference, row.origin, row, signature)
    count = await session.scalar(
        select(func.count()).select_from(PolicyPack).where(PolicyPack.tenant_id == tenant_id)
    )
    if (count or 0) >= MAX_VERSIONS:
        raise Conflict(
            f"There are {MAX_VERSIONS} versions of packs already: ask the operator.", code="too_many_packs"
        )
    return None


async def list_packs(
    database: Database, seal: Seal, shelf: PolicyShelf, tenant_id: UUID
) -> Sequence[PackSummary]:
    """Return every version of every pack, shipped ones and the studio's own, by id, newest version first."""
    async with database.tenant(tenant_id) as session:
        rows = [(row, signature) for row, signature in await session.execute(versions_of(tenant_id))]
    shipped = {(pack.id, pack.version): pack for pack in shelf.shipped}
    found = []
    for each in merged(shelf, rows):
        if each.row is None:
            pack = shipped[each.pack.id, each.pack.version]
            found.append(PackSummary(each, pack.title, pack.dated.isoformat(), len(pack.rules)))
        else:
            title = seal.open(each.row.title, place=title_place(each.row.id)).decode()
            found.append(PackSummary(each, title, each.row.dated.isoformat(), each.row.rules))
    return found


async def get_pack(
    database: Database,
    seal: Seal,
    shelf: PolicyShelf,
    tenant_id: UUID,
    pack_id: str,
    version: int | None = None,
) -> PackView:
    """Return a version of a pack, the newest one unless another is asked for. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        versions = await find_versions(session, shelf, tenant_id, pack_id)
        found = next((each for each in versions if version in {None, each.pack.version}), None)
        if found is None:
            raise NotFound("version of this policy pack")
        rows = [each.row.id for each in versions if each.row is not None]
        signatures = await session.scalars(
            select(PackSignature)
            .where(PackSignature.tenant_id == tenant_id, PackSignature.policy_pack_id.in_(rows))
            .order_by(PackSignature.created_at.desc(), PackSignature.id.desc())
        )
        opened = [view_of(seal, each) for each in signatures]
    return PackView(_pack(shelf, seal, found), found.origin, found.active, versions, opened)


def _pack(shelf: PolicyShelf, seal: Seal, found: StoredVersion) -> Pack:
    if found.row is not None:
        return pack_of(shelf, seal, found.row)
    pack = shelf.known(found.pack.sha256)
    if pack is None:
        raise NotFound("version of this policy pack")
    return pack


def view_of(seal: Seal, signature: PackSignature) -> SignatureView:
    return SignatureView(
        signature,
        open_text(seal, signature.reference, reference_place(signature.id)),
        open_text(seal, signature.reason, reason_place(signature.id)),
    )


def reference_place(signature_id: UUID) -> str:
    return f"pack_signatures.reference:{signature_id}"


def reason_place(signature_id: UUID) -> str:
    return f"pack_signatures.reason:{signature_id}"
