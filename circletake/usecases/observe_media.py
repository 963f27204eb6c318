"""What an evaluator saw in a file: looked up, or seen now and kept, sealed, for every later question.

Kept per file, evaluator version, part and frame. It is biometric data: it goes when the character it shows goes.
"""

import base64
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.consistency.words import Aspect, Box, CharacterKind, Reason
from circletake.kit.ids import new_id
from circletake.ports import Figure, FrameSeen, Seal
from circletake.records.consistency import Observation
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.resolve_material import is_one_of
from circletake.usecases.tools import TenantAtWork, Tools

PEOPLE, SCENE = "people", "scene"


async def known_observations(
    session: TenantSession, seal: Seal, evaluator: str, media_ids: Sequence[UUID], parts: Sequence[str]
) -> dict[UUID, dict[int, FrameSeen]]:
    """Return what is known already, by file and frame, with every part of it that was asked for.

    A frame of which one part is missing is left out: it has to be seen again.
    """
    return await known_parts(session, seal, evaluator, dict.fromkeys(media_ids, frozenset(parts)))


async def known_parts(
    session: TenantSession,
    seal: Seal,
    evaluator: str,
    parts: Mapping[UUID, frozenset[str]],
    *,
    frames: Mapping[UUID, Collection[int]] | None = None,
) -> dict[UUID, dict[int, FrameSeen]]:
    """The same, with the parts that are asked of each file; of `frames` only, where they are given."""
    wanted = frozenset[str]().union(*parts.values())
    if not wanted:
        return {}
    query = select(
        Observation.id,
        Observation.media_id,
        Observation.part,
        Observation.frame,
        Observation.width,
        Observation.height,
        Observation.body,
    ).where(
        is_one_of(Observation.media_id, list(parts)),
        Observation.evaluator == evaluator,
        Observation.part.in_(wanted),
    )
    if frames is not None:
        query = query.where(Observation.frame.in_({at for each in frames.values() for at in each}))
    found: dict[tuple[UUID, int], dict[str, Any]] = {}  # rows, by part
    for row in await session.execute(query):
        if frames is None or row.frame in frames.get(row.media_id, ()):
            found.setdefault((row.media_id, row.frame), {})[row.part] = row
    known: dict[UUID, dict[int, FrameSeen]] = {}
    for (media_id, frame), by_part in found.items():
        own = parts[media_id]
        if own <= by_part.keys():
            known.setdefault(media_id, {})[frame] = _open(seal, {part: by_part[part] for part in own})
    return known


async def see_file(
    tools: Tools,
    tenant: TenantAtWork,
    file: MediaFile,
    *,
    frames: Sequence[int],
    people: bool,
    scene: bool,
    expected: int = 1,
    path: Path | None = None,
) -> dict[int, FrameSeen]:
    """Have the evaluator look at these frames now, and keep what it saw. No transaction may be open.

    `path` saves a download when the file is on the disk already. Raises PictureRefused, EvaluatorDown, StorageFault.
    """
    if path is not None:
        seen = await tools.evaluator.see(
            path, file.media_type, frames=frames, people=people, scene=scene, expected=expected
        )
    else:
        with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
            local = Path(folder) / f"file{Path(file.name).suffix}"
            await tools.store.get_file(tenant.storage, file.object_key or "", local)
            seen = await tools.evaluator.see(
                local, file.media_type, frames=frames, people=people, scene=scene, expected=expected
            )
    parts = [part for part, asked in ((PEOPLE, people), (SCENE, scene)) if asked]
    await keep_seen(tools, tenant.seal, file, seen, parts, evaluator=str(tools.evaluator.id))
    return {each.frame: each for each in seen}


async def keep_seen(
    tools: Tools,
    seal: Seal,
    file: MediaFile,
    seen: Sequence[FrameSeen],
    parts: Sequence[str],
    *,
    evaluator: str,
) -> None:
    """Keep what an evaluator saw. What somebody else kept meanwhile stays."""
    rows = [_row(seal, file, each, part, evaluator) for each in seen for part in parts]
    if rows:
        async with tools.database.tenant(file.tenant_id) as session:
            await session.execute(upsert(Observation).values(rows).on_conflict_do_nothing())


def part_of(kind: CharacterKind) -> str:
    """Return which part of a frame shows a character of this kind."""
    return PEOPLE if kind is CharacterKind.HUMAN else SCENE


def reference_features(seen: FrameSeen | None, kind: CharacterKind, figure: int | None) -> bytes | None:
    """Return what a reference contributes: the chosen figure, or the one with the largest face, or the scene."""
    if seen is None:
        return None
    if kind is not CharacterKind.HUMAN:
        return seen.scene or None
    chosen = chosen_figure(seen, figure)
    return None if chosen is None else seen.figures[chosen].features


def chosen_figure(seen: FrameSeen, figure: int | None) -> int | None:
    """Return the figure that a person chose, or the one with the largest face."""
    if figure is not None and figure < len(seen.figures):
        return figure
    return max(range(len(seen.figures)), key=lambda at: seen.figures[at].face_px, default=None)


def _row(seal: Seal, file: MediaFile, seen: FrameSeen, part: str, evaluator: str) -> dict[str, Any]:
    identifier = new_id()
    content = (
        json.dumps([_figure_document(figure) for figure in seen.figures]).encode()
        if part == PEOPLE
        else seen.scene
    )
    return {
        "id": identifier,
        "tenant_id": file.tenant_id,
        "media_id": file.id,
        "evaluator": evaluator,
        "part": part,
        "frame": seen.frame,
        "width": seen.width,
        "height": seen.height,
        "body": seal.close(content, place=f"observations.body:{identifier}"),
    }


def _open(seal: Seal, by_part: Mapping[str, Any]) -> FrameSeen:
    one = next(iter(by_part.values()))
    people, scene = by_part.get(PEOPLE), by_part.get(SCENE)
    figures = [] if people is None else json.loads(_opened(seal, people))
    return FrameSeen(
        frame=one.frame,
        width=one.width,
        height=one.height,
        figures=tuple(_figure(document) for document in figures),
        scene=b"" if scene is None else _opened(seal, scene),
    )


def _opened(seal: Seal, row: Any) -> bytes:
    return seal.open(row.body, place=f"observations.body:{row.id}")


def _figure_document(figure: Figure) -> dict[str, Any]:
    return {
        "box": asdict(figure.box),
        "confidence": round(figure.confidence, 4),
        "face_px": round(figure.face_px, 2),
        "sharpness": round(figure.sharpness, 4),
        "doubts": {aspect.value: reason.value for aspect, reason in figure.doubts.items()},
        "features": base64.b64encode(figure.features).decode(),
    }


def _figure(document: Mapping[str, Any]) -> Figure:
    return Figure(
        box=Box(**document["box"]),
        confidence=document["confidence"],
        face_px=document["face_px"],
        sharpness=document["sharpness"],
        features=base64.b64decode(document["features"]),
        doubts={Aspect(aspect): Reason(reason) for aspect, reason in document["doubts"].items()},
    )
