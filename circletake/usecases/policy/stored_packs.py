"""Versions of packs as a studio has them: its own, and shipped ones from their first signature on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select

from circletake.domain.errors import Invalid, NotFound
from circletake.domain.people import Actor
from circletake.domain.pictures import Violation
from circletake.domain.policy.packs import Pack, PackReference, PackRefused
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.policies import PackSignature, PolicyPack
from circletake.records.session import TenantSession

OWN, SHIPPED = "own", "shipped"


@dataclass(frozen=True, slots=True)
class SignatureView:
    """A signature with its content opened."""

    signature: PackSignature
    reference: str | None = field(repr=False)
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of a pack, and the signature that stands on it. `row` is None for a shipped one that nobody signed."""

    pack: PackReference
    origin: str
    row: PolicyPack | None
    signature: PackSignature | None

    @property
    def active(self) -> bool:
        return is_active(self.pack.sha256, self.signature)


def is_active(sha256: str, signature: PackSignature | None) -> bool:
    """A version is active while a signature on this very text stands."""
    return signature is not None and signature.withdrawn_at is None and signature.sha256 == sha256


def text_place(row_id: UUID) -> str:
    return f"policy_packs.text:{row_id}"


def title_place(row_id: UUID) -> str:
    return f"policy_packs.title:{row_id}"


def new_row(seal: Seal, *, tenant_id: UUID, pack: Pack, origin: str, actor: Actor) -> PolicyPack:
    row_id = new_id()
    return PolicyPack(
        id=row_id,
        tenant_id=tenant_id,
        pack_id=pack.id,
        version=pack.version,
        sha256=pack.sha256,
        origin=origin,
        dated=pack.dated,
        rules=len(pack.rules),
        title=seal.close(pack.title, place=title_place(row_id)),
        text=seal.close(pack.text, place=text_place(row_id)),
        created_by=actor.api_key_id,
        created_by_person=actor.person_id,
        created_at=clock.now(),
    )


def pack_of(shelf: PolicyShelf, seal: Seal, row: PolicyPack) -> Pack:
    """Return what a row's text makes, reading it at most once while it is in use."""
    return shelf.known(row.sha256) or shelf.keep(seal.open(row.text, place=text_place(row.id)))


def standing() -> Any:
    """The condition that joins a pack to the signature that stands on it."""
    return and_(
        PackSignature.tenant_id == PolicyPack.tenant_id,
        PackSignature.policy_pack_id == PolicyPack.id,
        PackSignature.withdrawn_at.is_(None),
    )


def versions_of(tenant_id: UUID) -> Select[PolicyPack, PackSignature]:
    """Every stored version of every pack, with the signature that stands on it."""
    return (
        select(PolicyPack, PackSignature)
        .outerjoin(PackSignature, standing())
        .where(PolicyPack.tenant_id == tenant_id)
        .order_by(PolicyPack.pack_id, PolicyPack.version.desc())
    )


async def find_versions(
    session: TenantSession, shelf: PolicyShelf, tenant_id: UUID, pack_id: str
) -> list[StoredVersion]:
    """Return every version of a pack, newest first. Raises NotFound when there is none."""
    rows = await session.execute(versions_of(tenant_id).where(PolicyPack.pack_id == pack_id))
    found = merged(shelf, [(row, signature) for row, signature in rows], only=pack_id)
    if not found:
        raise NotFound("policy pack")
    return found


def merged(
    shelf: PolicyShelf, rows: Sequence[tuple[PolicyPack, PackSignature | None]], *, only: str | None = None
) -> list[StoredVersion]:
    """Return the stored versions and the shipped ones that aren't stored yet, by id, newest version first."""
    found = [
        StoredVersion(PackReference(row.pack_id, row.version, row.sha256), row.origin, row, signature)
        for row, signature in rows
    ]
    stored = {(each.pack.id, each.pack.version) for each in found}
    found += [
        StoredVersion(pack.reference, SHIPPED, None, None)
        for pack in shelf.shipped
        if (pack.id, pack.version) not in stored and only in {None, pack.id}
    ]
    return sorted(found, key=lambda each: (each.pack.id, -each.pack.version))


def refused_text(refused: PackRefused) -> Invalid:
    """A text that makes no pack, as violations: the pointer is the line and the column."""
    return Invalid(
        [
            Violation(
                f"line {fault.line}, column {fault.column}", fault.code, f"{fault.key}: {fault.reason}."
            )
            for fault in refused.faults
        ],
        code="invalid_pack",
    )
