"""The lines of a batch on their way in: what each asks for, what it names, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from circletake.domain.exposure.matching import shot_in
from circletake.domain.kinds import InputSlot
from circletake.domain.pictures import Violation
from circletake.records.characters import Character
from circletake.records.context import Shot
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.plan_generation import GenerationRequest

NOBODY = UUID(int=0)  # no id of ours: what a name that nothing has stands for


@dataclass(frozen=True, slots=True)
class Named:
    """What a line names by the studio's own names instead of our ids. `clip`: what a timeline calls it."""

    shot: str | None = None
    clip: tuple[str, ...] = ()
    inputs: Mapping[InputSlot, str] = field(default_factory=dict)  # external references
    depicts: Mapping[int, str] = field(
        default_factory=dict
    )  # by place: an external reference or a script name


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One line. `request` is None where it can't be understood at all; names aren't in it yet."""

    line: int
    shot: str  # as a report names it
    request: GenerationRequest | None
    named: Named = field(default_factory=Named)
    violations: Sequence[Violation] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of a batch stand for in its production. A name that several have is None."""

    shots: Mapping[str, UUID]
    shot_codes: Mapping[UUID, str]
    media: Mapping[str, UUID | None]
    characters: Mapping[str, UUID | None]

    def resolve(self, line: BatchLine, request: GenerationRequest) -> BatchLine:
        """Put ids where the line has names."""
        found: list[Violation] = []
        shot_id = request.shot_id
        if line.named.shot is not None:
            shot_id = self.shots.get(line.named.shot) or self._in_clip(line.named.clip)
            if shot_id is None:
                found.append(
                    Violation("/shot", "unknown_shot", "There is no shot with this code in this production.")
                )
                shot_id = NOBODY
        inputs = dict(request.inputs)
        for slot, name in line.named.inputs.items():
            inputs[slot] = self._one(self.media, name, f"/inputs/{slot}", found)
        depicts = list(request.depicts)
        for place, name in sorted(line.named.depicts.items()):
            depicts.insert(place, self._one(self.characters, name, f"/depicts/{place}", found))
        shot = self.shot_codes.get(shot_id, line.shot) if shot_id is not None else line.shot
        return replace(
            line,
            shot=shot,
            request=replace(request, shot_id=shot_id, inputs=inputs, depicts=depicts),
            violations=[*line.violations, *found],
        )

    def _in_clip(self, names: tuple[str, ...]) -> UUID | None:
        return shot_in(names, {code.lower(): shot_id for code, shot_id in self.shots.items()})

    @staticmethod
    def _one(known: Mapping[str, UUID | None], name: str, pointer: str, found: list[Violation]) -> UUID:
        one = known.get(name, NOBODY)
        if one is None:
            found.append(Violation(pointer, "ambiguous_name", "Several have this name: give the id."))
        elif one == NOBODY and pointer.startswith("/depicts"):
            message = "There is no such character in this production."
            found.append(Violation(pointer, "unknown_character", message))
        return one or NOBODY


async def read_names(
    session: TenantSession, tenant_id: UUID, production_id: UUID, lines: Sequence[BatchLine]
) -> Names:
    """Find what the lines name: a query each for shots, files and characters, where any is named."""
    by_clip = any(line.named.clip for line in lines)
    codes = {line.named.shot for line in lines if line.named.shot is not None}
    ids = {line.request.shot_id for line in lines if line.request and line.request.shot_id}
    shots = await _shots(session, tenant_id, production_id, codes, ids, whole=by_clip)
    files = {name for line in lines for name in line.named.inputs.values()}
    people = {name for line in lines for name in line.named.depicts.values()}
    characters: dict[str, UUID | None] = {}
    for column in (Character.script_name, Character.external_ref):  # the latter wins
        characters |= await _by_name(
            session,
            Character.id,
            column,
            people,
            Character.tenant_id == tenant_id,
            Character.production_id == production_id,
            Character.deleted_at.is_(None),
        )
    return Names(
        shots={code: shot_id for shot_id, code in shots.items()},
        shot_codes=shots,
        media=await _by_name(
            session,
            MediaFile.id,
            MediaFile.external_ref,
            files,
            MediaFile.tenant_id == tenant_id,
            MediaFile.production_id == production_id,
            MediaFile.state == "ready",
        ),
        characters=characters,
    )


async def _shots(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    codes: set[str],
    ids: set[UUID],
    *,
    whole: bool,
) -> dict[UUID, str]:
    query = select(Shot.id, Shot.code).where(Shot.tenant_id == tenant_id, Shot.production_id == production_id)
    if not whole:
        query = query.where(
            (Shot.code == any_(cast(sorted(codes), ARRAY(Text)))) | Shot.id.in_(sorted(ids))
            if ids
            else Shot.code == any_(cast(sorted(codes), ARRAY(Text)))
        )
    return {row.id: row.code for row in await session.execute(query)}


async def _by_name(
    session: TenantSession,
    identifier: InstrumentedAttribute[UUID],
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    names: set[str],
    *where: object,
) -> dict[str, UUID | None]:
    if not names:
        return {}
    rows = await session.execute(
        select(column, func.min(cast(identifier, Text)), func.count())
        .where(*where, column == any_(cast(sorted(names), ARRAY(Text))))  # type: ignore[arg-type]
        .group_by(column)
    )
    return {str(name): UUID(one) if count == 1 else None for name, one, count in rows}
