"""Which packs a production goes by. Only signed versions can be chosen; what was chosen before is kept on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, select

from circletake.domain.errors import Conflict, NotFound, invalid
from circletake.domain.people import Actor, Person
from circletake.domain.policy.packs import PackReference
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.policies import PackSignature, PolicyPack, ProductionPack
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_production
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.stored_packs import StoredVersion, is_active, standing, versions_of

MAX_CHOSEN = 20


@dataclass(frozen=True, slots=True)
class ChosenPack:
    """A version that a production goes by."""

    choice: ProductionPack
    pack: PackReference
    active: bool


async def choose_packs(
    database: Database,
    seal: Seal,
    shelf: PolicyShelf,
    *,
    tenant_id: UUID,
    person: Person,
    production_id: UUID,
    wanted: Sequence[tuple[str, int]],
) -> Sequence[ChosenPack]:
    """Let a production go by these versions, and by no others. Raises NotFound, Invalid for packs that there aren't
    and for two versions of one, Conflict `pack_not_signed`."""
    if len({pack_id for pack_id, _ in wanted}) < len(wanted):
        raise invalid("/packs", "two_versions", "Choose one version of each pack.")
    async with database.tenant(tenant_id) as session:
        # two that choose for the same production wait for each other
        production = await session.scalar(
            select(Production.id)
            .where(Production.tenant_id == tenant_id, Production.id == production_id)
            .with_for_update(key_share=True)
        )
        if production is None:
            raise NotFound("production")
        versions = await _versions(session, shelf, tenant_id, wanted)
        before = await _chosen(session, tenant_id, production_id)
        rows = [each.row for each in versions if each.row is not None]
        kept = {row.id for row in rows}
        now = clock.now()
        for each in before:
            if each.choice.policy_pack_id not in kept:
                each.choice.dropped_at, each.choice.dropped_by = now, person.id
        there = {each.choice.policy_pack_id for each in before}
        for row in rows:
            if row.id not in there:
                session.add(
                    ProductionPack(
                        id=new_id(),
                        tenant_id=tenant_id,
                        production_id=production_id,
                        policy_pack_id=row.id,
                        chosen_by=person.id,
                        created_at=now,
                    )
                )
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="policy_packs.chosen",
            subject_id=production_id,
            body={
                "packs": [each.pack.stored() for each in versions],
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        return await _chosen(session, tenant_id, production_id)


async def _versions(
    session: TenantSession, shelf: PolicyShelf, tenant_id: UUID, wanted: Sequence[tuple[str, int]]
) -> list[StoredVersion]:
    """Return the wanted versions in their order, all of them signed."""
    ids = [pack_id for pack_id, _ in wanted]
    rows = await session.execute(versions_of(tenant_id).where(PolicyPack.pack_id.in_(ids)))
    stored = {
        (row.pack_id, row.version): StoredVersion(
            PackReference(row.pack_id, row.version, row.sha256), row.origin, row, signature
        )
        for row, signature in rows
    }
    shipped = {(pack.id, pack.version) for pack in shelf.shipped}
    found = []
    for index, key in enumerate(wanted):
        version = stored.get(key)
        if version is None and key not in shipped:
            raise invalid(f"/packs/{index}", "unknown_pack", "There is no such version of such a pack.")
        if version is None or not version.active:
            raise Conflict(
                f"Version {key[1]} of {key[0]} isn't signed: the studio's counsel signs it first, with"
                f" POST /v1/policy-packs/{key[0]}/signatures.",
                code="pack_not_signed",
            )
        found.append(version)
    return found


async def list_chosen(database: Database, tenant_id: UUID, production_id: UUID) -> Sequence[ChosenPack]:
    """Return the packs that a production goes by. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return await _chosen(session, tenant_id, production_id)


async def _chosen(session: TenantSession, tenant_id: UUID, production_id: UUID) -> list[ChosenPack]:
    rows = await session.execute(
        select(ProductionPack, PolicyPack.pack_id, PolicyPack.version, PolicyPack.sha256, PackSignature)
        .join(
            PolicyPack,
            and_(
                PolicyPack.tenant_id == ProductionPack.tenant_id,
                PolicyPack.id == ProductionPack.policy_pack_id,
            ),
        )
        .outerjoin(PackSignature, standing())
        .where(
            ProductionPack.tenant_id == tenant_id,
            ProductionPack.production_id == production_id,
            ProductionPack.dropped_at.is_(None),
        )
        .order_by(PolicyPack.pack_id)
    )
    return [
        ChosenPack(choice, PackReference(pack_id, version, sha256), is_active(sha256, signature))
        for choice, pack_id, version, sha256, signature in rows
    ]
