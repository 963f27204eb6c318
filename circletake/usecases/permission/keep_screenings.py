"""What screening saw, kept per picture and matte. The faces' features are biometric data and sealed."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.permission.likeness import SCREENER, FaceFound
from circletake.kit.ids import new_id
from circletake.records.rights import Screening as ScreeningRow
from circletake.usecases.permission.screening import Subject
from circletake.usecases.tools import TenantAtWork, Tools


@dataclass(frozen=True, slots=True)
class SeenFaces:
    """The faces of one subject with their features, before they are kept."""

    width: int
    height: int
    faces: Sequence[FaceFound]
    features: Sequence[bytes] = field(repr=False)


async def keep_seen_faces(
    tools: Tools,
    tenant: TenantAtWork,
    tenant_id: UUID,
    subject: Subject,
    identifier: UUID,
    look: SeenFaces,
    compared: Sequence[str],
) -> None:
    """Keep what was seen; of two looks at the same picture the later comparison stays."""
    features = json.dumps([base64.b64encode(each).decode() for each in look.features])
    faces = [face.as_json() for face in look.faces]
    values = {
        "id": identifier,
        "tenant_id": tenant_id,
        "media_id": subject[0],
        "matte_id": subject[1],
        "evaluator": SCREENER,
        "state": "seen",
        "width": look.width,
        "height": look.height,
        "faces": faces,
        "compared": list(compared),
        "body": tenant.seal.close(features, place=f"screenings.body:{identifier}"),
    }
    async with tools.database.tenant(tenant_id) as session:
        written = await session.scalar(
            upsert(ScreeningRow).values(values).on_conflict_do_nothing().returning(ScreeningRow.id)
        )
        if written is None:
            await session.execute(
                update(ScreeningRow)
                .where(ScreeningRow.tenant_id == tenant_id, ScreeningRow.id == identifier)
                .values(faces=faces, compared=list(compared))
                .execution_options(synchronize_session=False)
            )


async def keep_unreadable(tools: Tools, tenant_id: UUID, subject: Subject, code: str) -> None:
    async with tools.database.tenant(tenant_id) as session:
        await session.execute(
            upsert(ScreeningRow)
            .values(
                id=new_id(),
                tenant_id=tenant_id,
                media_id=subject[0],
                matte_id=subject[1],
                evaluator=SCREENER,
                state="unreadable",
                problem_code=code,
                faces=[],
                compared=[],
            )
            .on_conflict_do_nothing()
        )


def opened(tenant: TenantAtWork, row: ScreeningRow) -> SeenFaces:
    features: list[Any] = []
    if row.body is not None:
        features = json.loads(tenant.seal.open(row.body, place=f"screenings.body:{row.id}"))
    return SeenFaces(
        row.width or 0,
        row.height or 0,
        [FaceFound.from_json(each) for each in row.faces],
        [base64.b64decode(each) for each in features],
    )
