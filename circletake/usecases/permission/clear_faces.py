"""Faces that a person cleared: remembered for that picture, matte and production, until somebody takes it back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, tuple_

from circletake.domain.errors import Forbidden, Invalid, NotFound
from circletake.domain.media import expiry_of
from circletake.domain.people import Actor
from circletake.domain.permission.likeness import ClearedAs
from circletake.domain.pictures import Violation
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ObjectStore, Seal
from circletake.records.characters import Character
from circletake.records.generations import Generation
from circletake.records.holds import Hold
from circletake.records.media import Grant
from circletake.records.rights import ClearedFace
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_media import find_file
from circletake.usecases.grant_upload import GRANT_SECONDS
from circletake.usecases.ledger import record_entry


@dataclass(frozen=True, slots=True)
class FaceDecision:
    """What a person says of one face of a hold. `face`: its place in the hold's `details.faces`, from 0."""

    face: int
    decision: ClearedAs
    character_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClearedView:
    cleared: ClearedFace
    note: str | None = field(repr=False)


async def clear_faces(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    hold: Hold,
    *,
    by: Actor,
    note: str | None,
    said: Sequence[FaceDecision] = (),
) -> None:
    """Remember every face of a hold that is released. Of a face that nothing was said of: that it has no likeness.

    A face that is said to be a character makes the generation depict that character, so that the gate asks for its
    consents. The caller holds the generation's lock. Raises Invalid, Forbidden.
    """
    if by.person_id is None:
        raise Forbidden("A person has to clear a face: sign in.", code="person_required")
    faces: list[dict[str, Any]] = list(hold.details.get("faces", []))
    decisions = await _decisions(session, hold, faces, said)
    rows = []
    for place, face in enumerate(faces):
        decision = decisions.get(place) or FaceDecision(place, ClearedAs.NO_LIKENESS)
        identifier = new_id()
        rows.append(
            {
                "id": identifier,
                "tenant_id": hold.tenant_id,
                "production_id": hold.production_id,
                "media_id": UUID(face["media_id"]),
                "matte_id": UUID(face["matte_id"]) if face.get("matte_id") else None,
                "box": face.get("box"),
                "decision": decision.decision.value,
                "character_id": decision.character_id,
                "note": seal.close(note, place=f"cleared_faces.note:{identifier}") if note else None,
                "hold_id": hold.id,
                "cleared_by": by.person_id,
            }
        )
    if not rows:
        return
    await session.execute(insert(ClearedFace), rows)
    _depict(generation, [each.character_id for each in decisions.values() if each.character_id])
    await record_entry(
        session,
        seal,
        tenant_id=hold.tenant_id,
        kind="faces.cleared",
        subject_id=hold.id,
        body={
            "generation": str(generation.id),
            "faces": [
                {
                    "clearing": str(row["id"]),
                    "media": str(row["media_id"]),
                    "matte": str(row["matte_id"]) if row["matte_id"] else None,
                    "decision": row["decision"],
                    "character": str(row["character_id"]) if row["character_id"] else None,
                }
                for row in rows
            ],
            "note_hash": seal.keyed_hash(note.encode()) if note else None,
            **by.for_ledger(),
        },
    )


async def _decisions(
    session: TenantSession, hold: Hold, faces: Sequence[dict[str, Any]], said: Sequence[FaceDecision]
) -> dict[int, FaceDecision]:
    """Raise Invalid for what names no face of this hold, or no character of its production."""
    named = {each.character_id for each in said if each.character_id is not None}
    known = set(
        await session.scalars(
            select(Character.id).where(
                Character.tenant_id == hold.tenant_id,
                Character.production_id == hold.production_id,
                Character.deleted_at.is_(None),
                Character.id.in_(named),
            )
        )
    )
    found: list[Violation] = []
    for place, each in enumerate(said):
        needs = each.decision is ClearedAs.DEPICTED_CHARACTER
        if not 0 <= each.face < len(faces):
            found.append(Violation(f"/faces/{place}/face", "unknown_face", "This hold has no such face."))
        if needs and each.character_id not in known:
            message = "Say which character of this production it is."
            found.append(Violation(f"/faces/{place}/character_id", "unknown_character", message))
        if not needs and each.character_id is not None:
            message = "A character is named with depicted_character only."
            found.append(Violation(f"/faces/{place}/character_id", "not_expected", message))
        if needs and 0 <= each.face < len(faces) and not faces[each.face].get("box"):
            message = "No face was found here: say that it shows nobody's likeness, or decline."
            found.append(Violation(f"/faces/{place}/decision", "no_face", message))
    if found:
        raise Invalid(found)
    return {each.face: each for each in said}


def _depict(generation: Generation, characters: Sequence[UUID]) -> None:
    depicted = {each["character"] for each in generation.depicts}
    more = [str(each) for each in dict.fromkeys(characters) if str(each) not in depicted]
    if more:
        lines = [{"character": each, "look": None, "how": "declared"} for each in more]
        generation.depicts = [*generation.depicts, *lines]


async def list_cleared(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    media_id: UUID,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> list[ClearedView]:
    """Return what was cleared in a picture, newest first, revoked ones too. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_file(session, tenant_id, media_id)
        query = select(ClearedFace).where(
            ClearedFace.tenant_id == tenant_id, ClearedFace.media_id == media_id
        )
        if before is not None:
            query = query.where(tuple_(ClearedFace.created_at, ClearedFace.id) < before)
        rows = await session.scalars(
            query.order_by(ClearedFace.created_at.desc(), ClearedFace.id.desc()).limit(limit)
        )
        return [_view(seal, row) for row in rows]


async def revoke_clearing(
    database: Database, seal: Seal, *, tenant_id: UUID, by: Actor, clearing_id: UUID
) -> ClearedView:
    """Take a clearing back: the face is asked about again by the next request. Revoked already: as it is.

    Raises NotFound.
    """
    async with database.tenant(tenant_id) as session:
        row = await session.scalar(
            select(ClearedFace)
            .where(ClearedFace.tenant_id == tenant_id, ClearedFace.id == clearing_id)
            .with_for_update()
        )
        if row is None:
            raise NotFound("cleared face")
        if row.revoked_at is None:
            row.revoked_at, row.revoked_by = clock.now(), by.person_id
            await session.flush()
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="face_clearing.revoked",
                subject_id=row.id,
                body={"media": str(row.media_id), **by.for_ledger()},
            )
        return _view(seal, row)


def _view(seal: Seal, row: ClearedFace) -> ClearedView:
    note = None
    if row.note is not None:
        note = seal.open(row.note, place=f"cleared_faces.note:{row.id}").decode()
    return ClearedView(row, note)


async def present_faces(
    database: Database,
    store: ObjectStore,
    storage: TenantStorage,
    *,
    by: Actor,
    hold: Hold,
    urls: bool,
) -> list[dict[str, Any]]:
    """Return a hold's faces as `details.faces` has them and, with `urls`, a URL of each crop and when it ends: for the
    person who decides. The grants are recorded, the URLs kept nowhere. No transaction may be open."""
    shown: list[dict[str, Any]] = []
    grants: list[dict[str, Any]] = []
    for face in hold.details.get("faces", []):
        url, expires_at = None, None
        if urls and face.get("crop_key"):
            url = await store.presign_get(storage, face["crop_key"], seconds=GRANT_SECONDS)
            expires_at = expiry_of(url)
            grants.append(
                {
                    "id": new_id(),
                    "tenant_id": storage.tenant_id,
                    "media_id": UUID(face["media_id"]),
                    "purpose": "crop",
                    "api_key_id": by.api_key_id,
                    "person_id": by.person_id,
                    "expires_at": expires_at,
                }
            )
        shown.append({**face, "url": url, "expires_at": expires_at})
    if grants:
        async with database.tenant(storage.tenant_id) as session:
            await session.execute(insert(Grant), grants)
    return shown
