"""Making and editing characters and their looks, and saying which shots a look holds for.

An edit names the version it was made from. Names are unique: a script name in its production, a look's name in its
character, deleted ones aside. `forget_character` deletes.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from circletake.domain.errors import Conflict, Invalid, invalid
from circletake.domain.pictures import Violation
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.characters import Character, Look, LookShot
from circletake.records.context import Sequence, Shot
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import UNIQUE_VIOLATION, Expect, Values, hold_production
from circletake.usecases.find_characters import (
    CharacterView,
    LookView,
    character_view,
    description_place,
    details_place,
    find_character,
    find_look,
    look_view,
)
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay

MAX_LOOK_SHOTS = 2_000
_SHOWN = 20  # ids named in one refusal


class NameTaken(Invalid):
    """The name is in use."""

    status = 409
    code = "name_taken"
    title = "This name is taken"

    def __init__(self, pointer: str, what: str) -> None:
        text = f"Another {what} has this name: choose another one."
        super().__init__([Violation(pointer, "name_taken", text)])


def refuse_deleted(record: Character | Look) -> None:
    """Raise Conflict for a tombstone: nothing is written to it any more."""
    if record.deleted_at is not None:
        what = "character" if isinstance(record, Character) else "look"
        raise Conflict(f"This {what} was deleted.", code=f"{what}_deleted")


async def create_character(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[CharacterView], Answer],
) -> Answer:
    """Make a character of a production; `values["description"]` in clear. Raises NotFound or NameTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await hold_production(session, tenant_id, production_id)
        character = Character(id=new_id(), tenant_id=tenant_id, production_id=production_id)
        _assign(character, _sealed_description(seal, character.id, values))
        session.add(character)
        await _write_character(session)
        reply = answer(character_view(seal, character))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_character(
    database: Database, seal: Seal, *, tenant_id: UUID, character_id: UUID, values: Values, expect: Expect
) -> CharacterView:
    """Change a character; `values["description"]` in clear. Raises NotFound, NameTaken, Conflict or what `expect`
    raises. Its kind can't change once it has looks: their references were judged by it."""
    async with database.tenant(tenant_id) as session:
        character = await find_character(session, tenant_id, character_id, lock="update")
        expect(character.version)
        refuse_deleted(character)
        known = {"description": character_view(seal, character).description}
        changes = {
            name: value
            for name, value in values.items()
            if value != known.get(name, getattr(character, name))
        }
        if "kind" in changes:
            await _refuse_looks(session, character)
        if changes:
            _assign(character, _sealed_description(seal, character.id, changes))
            character.version += 1
            await _write_character(session)
        return character_view(seal, character)


async def create_look(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    character_id: UUID,
    name: str,
    details: Mapping[str, str],
    claim: IdempotencyClaim | None,
    answer: Callable[[LookView], Answer],
) -> Answer:
    """Make a look of a character. Raises NotFound, Conflict or NameTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        refuse_deleted(await find_character(session, tenant_id, character_id, lock="share"))
        look = Look(id=new_id(), tenant_id=tenant_id, character_id=character_id, name=name)
        look.details = _sealed_details(seal, look.id, details)
        session.add(look)
        await _write_look(session)
        reply = answer(look_view(seal, look))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_look(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    look_id: UUID,
    name: str | None,
    details: Mapping[str, str | None],
    expect: Expect,
) -> LookView:
    """Change a look: `name` unless None, and the details that are given; None clears one.
    Raises NotFound, NameTaken, Conflict or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        look = await find_look(session, tenant_id, look_id)
        await find_character(session, tenant_id, look.character_id, lock="share")
        look = await find_look(session, tenant_id, look_id, lock="update")
        expect(look.version)
        refuse_deleted(look)
        before = look_view(seal, look).details
        after = {key: value for key, value in {**before, **details}.items() if value is not None}
        renamed = name is not None and name != look.name
        if renamed or after != before:
            look.name = name if name is not None else look.name
            look.details = _sealed_details(seal, look.id, after)
            look.version += 1
            await _write_look(session)
        return look_view(seal, look)


async def set_look_shots(
    database: Database,
    *,
    tenant_id: UUID,
    look_id: UUID,
    shot_ids: Collection[UUID],
    sequence_ids: Collection[UUID],
    expect: Expect,
) -> Look:
    """Let the look hold for exactly these shots, and for all that these sequences have now.

    Raises NotFound, Invalid for a shot or sequence that isn't in the production, Conflict `shot_has_another_look`
    when another look of the character holds for one of them, or what `expect` raises.
    """
    async with database.tenant(tenant_id) as session:
        look = await find_look(session, tenant_id, look_id)
        found = await find_character(session, tenant_id, look.character_id)
        await hold_production(session, tenant_id, found.production_id)
        # `update`: two looks of one character are never given shots at the same time
        character = await find_character(session, tenant_id, look.character_id, lock="update")
        look = await find_look(session, tenant_id, look_id, lock="update")
        expect(look.version)
        refuse_deleted(look)
        wanted = await _shots(session, character, shot_ids, sequence_ids)
        await _refuse_taken(session, look, wanted)
        present = set(
            await session.scalars(
                select(LookShot.shot_id).where(LookShot.tenant_id == tenant_id, LookShot.look_id == look_id)
            )
        )
        if wanted == present:
            return look
        await session.execute(
            delete(LookShot).where(
                LookShot.tenant_id == tenant_id,
                LookShot.look_id == look_id,
                LookShot.shot_id.in_(present - wanted),
            )
        )
        added = [
            {
                "id": new_id(),
                "tenant_id": tenant_id,
                "look_id": look_id,
                "character_id": character.id,
                "shot_id": shot_id,
            }
            for shot_id in sorted(wanted - present)
        ]
        if added:
            await session.execute(insert(LookShot), added)
        look.version += 1
        return look


async def _shots(
    session: TenantSession,
    character: Character,
    shot_ids: Collection[UUID],
    sequence_ids: Collection[UUID],
) -> set[UUID]:
    """Return the ids of the shots that are meant. Raises Invalid for what isn't in the production."""
    in_production = (Shot.tenant_id == character.tenant_id, Shot.production_id == character.production_id)
    named = set(await session.scalars(select(Shot.id).where(*in_production, Shot.id.in_(shot_ids))))
    known = set(
        await session.scalars(
            select(Sequence.id).where(
                Sequence.tenant_id == character.tenant_id,
                Sequence.production_id == character.production_id,
                Sequence.id.in_(sequence_ids),
            )
        )
    )
    violations = [
        Violation(f"/shot_ids/{index}", "unknown_shot", "There is no such shot in this production.")
        for index, shot_id in enumerate(shot_ids)
        if shot_id not in named
    ] + [
        Violation(
            f"/sequence_ids/{index}", "unknown_sequence", "There is no such sequence in this production."
        )
        for index, sequence_id in enumerate(sequence_ids)
        if sequence_id not in known
    ]
    if violations:
        raise Invalid(violations[:_SHOWN])
    of_sequences = await session.scalars(select(Shot.id).where(*in_production, Shot.sequence_id.in_(known)))
    wanted = named | set(of_sequences)
    if len(wanted) > MAX_LOOK_SHOTS:
        text = f"These are {len(wanted)} shots; a look holds for at most {MAX_LOOK_SHOTS}."
        raise invalid("/sequence_ids", "too_many_shots", text)
    return wanted


async def _refuse_taken(session: TenantSession, look: Look, wanted: Collection[UUID]) -> None:
    rows = await session.execute(
        select(Shot.code, LookShot.shot_id, LookShot.look_id, Look.name)
        .join(Shot, (Shot.tenant_id == LookShot.tenant_id) & (Shot.id == LookShot.shot_id))
        .join(Look, (Look.tenant_id == LookShot.tenant_id) & (Look.id == LookShot.look_id))
        .where(
            LookShot.tenant_id == look.tenant_id,
            LookShot.character_id == look.character_id,
            LookShot.look_id != look.id,
            LookShot.shot_id.in_(wanted),
        )
        .order_by(Shot.code)
        .limit(_SHOWN)
    )
    taken = [
        {"shot_id": str(shot_id), "shot_code": code, "look_id": str(other_id), "look_name": other_name}
        for code, shot_id, other_id, other_name in rows
    ]
    if taken:
        first = taken[0]
        raise Conflict(
            f'In {first["shot_code"]} this character is in the look "{first["look_name"]}": '
            "take the shot from that look first.",
            code="shot_has_another_look",
            shots=taken,
        )


async def _refuse_looks(session: TenantSession, character: Character) -> None:
    has_looks = await session.scalar(
        select(Look.id)
        .where(Look.tenant_id == character.tenant_id, Look.character_id == character.id)
        .limit(1)
    )
    if has_looks is not None:
        raise Conflict(
            "Its looks and their references were judged as this kind: make a new character instead.",
            code="character_has_looks",
        )


def _assign(record: Character, values: Values) -> None:
    for name, value in values.items():
        setattr(record, name, value)


def _sealed_description(seal: Seal, character_id: UUID, values: Values) -> dict[str, Any]:
    described = values.get("description")
    if described is None:
        return dict(values)
    return {**values, "description": seal.close(described, place=description_place(character_id))}


def _sealed_details(seal: Seal, look_id: UUID, details: Mapping[str, str]) -> bytes | None:
    if not details:
        return None
    return seal.close(json.dumps(dict(details), ensure_ascii=False), place=details_place(look_id))


async def _write_character(session: TenantSession) -> None:
    await _write(session, NameTaken("/script_name", "character of this production"))


async def _write_look(session: TenantSession) -> None:
    await _write(session, NameTaken("/name", "look of this character"))


async def _write(session: TenantSession, taken: NameTaken) -> None:
    """Send the rows to the database; the only unique value that a caller chooses is the name."""
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise taken from None
        raise
