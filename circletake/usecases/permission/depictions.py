"""Whom a request depicts, declared or not.

What is read here is ids: only `read_depictable` opens sealed text, the names of performers, and only when a prompt could
name one.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from circletake.domain.errors import Invalid
from circletake.domain.pictures import Violation
from circletake.ports import Seal
from circletake.records.characters import Character, Look, Reference, ReferenceSet
from circletake.records.generations import Generation
from circletake.records.media import MediaFile
from circletake.records.performers import Performer, Portrayal
from circletake.records.session import TenantSession
from circletake.usecases.permission.find_performers import name_of
from circletake.usecases.resolve_material import is_one_of

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Depiction:
    """A character that a request depicts. `how`: declared, consistency, reference_set, photograph, take or
    named_in_prompt."""

    character_id: UUID
    look_id: UUID | None
    how: str


@dataclass(frozen=True, slots=True)
class Portrayed:
    """A portrayal as requests are compared with it. `said`: what both are called, as it would be said."""

    character_id: UUID
    media_id: UUID | None  # the performer's photograph
    said: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Depictable:
    """What is on record of whom requests of one production may depict, read once for all of them."""

    characters: Collection[UUID]  # of those that requests declare, the ones that are there
    portrayed: Sequence[Portrayed] = ()
    references: Mapping[UUID, Sequence[tuple[UUID, UUID]]] = field(
        default_factory=dict
    )  # by picture: (who, look)
    takes: Mapping[UUID, Collection[UUID]] = field(
        default_factory=dict
    )  # by picture: whom its generation depicted


async def depictions(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    declared: Sequence[UUID],
    consistency: Sequence[UUID],
    media_ids: Collection[UUID],
    prompt: str | None,
) -> list[Depiction]:
    """Return whom a request depicts, declared or not, each way it is known once: see `depicted_by`."""
    depictable = await read_depictable(
        session,
        seal,
        tenant_id=tenant_id,
        production_id=production_id,
        declared=declared,
        media_ids=media_ids,
        named=bool(prompt),
    )
    return depicted_by(
        depictable, declared=declared, consistency=consistency, media_ids=media_ids, prompt=prompt
    )


async def read_depictable(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    declared: Collection[UUID],
    media_ids: Collection[UUID],
    named: bool,
) -> Depictable:
    """Read what says whom requests depict. `declared` and `media_ids`: of all of them; `named`: one has a prompt, so
    that names are opened."""
    known = await _characters(session, tenant_id, production_id, declared) if declared else frozenset()
    rows = await _portrayed(session, tenant_id, production_id)
    portrayed = [_portrayed_as(seal, row, named=named) for row in rows]
    if not portrayed or not media_ids:
        return Depictable(known, portrayed)
    references, takes = await _shown(session, tenant_id, {row.character_id for row in rows}, media_ids)
    return Depictable(known, portrayed, references, takes)


def depicted_by(
    depictable: Depictable,
    *,
    declared: Sequence[UUID],
    consistency: Sequence[UUID],
    media_ids: Collection[UUID],
    prompt: str | None,
) -> list[Depiction]:
    """Return whom one request depicts, declared or not, each way it is known once.

    `declared`: characters of the body's `depicts`; one that isn't in the production raises Invalid. `consistency`:
    characters of an enforcement. `media_ids`: the request's inputs; a picture of a reference set of a portrayed
    character depicts it, one that is on record as somebody's photograph, and a take of a generation that depicted it.
    A prompt that has a portrayed character's script name or its performer's full name in it depicts that character.
    """
    found = [Depiction(each, None, "declared") for each in dict.fromkeys(declared)]
    found += [Depiction(each, None, "consistency") for each in dict.fromkeys(consistency)]
    _refuse_unknown(depictable.characters, declared)
    found += [
        Depiction(each.character_id, None, "photograph")
        for each in depictable.portrayed
        if each.media_id is not None and each.media_id in media_ids
    ]
    looks = {pair for media_id in media_ids for pair in depictable.references.get(media_id, ())}
    found += [Depiction(character_id, look_id, "reference_set") for character_id, look_id in sorted(looks)]
    shown = {who for media_id in media_ids for who in depictable.takes.get(media_id, ())}
    found += [Depiction(each, None, "take") for each in sorted(shown)]
    if prompt:
        found += _named(depictable.portrayed, prompt)
    return list(dict.fromkeys(found))


async def _characters(
    session: TenantSession, tenant_id: UUID, production_id: UUID, declared: Collection[UUID]
) -> frozenset[UUID]:
    return frozenset(
        await session.scalars(
            select(Character.id).where(
                Character.tenant_id == tenant_id,
                Character.production_id == production_id,
                is_one_of(Character.id, list(declared)),
                Character.deleted_at.is_(None),
            )
        )
    )


def _refuse_unknown(known: Collection[UUID], declared: Sequence[UUID]) -> None:
    unknown = [
        Violation(f"/depicts/{index}", "unknown_character", "There is no such character in this production.")
        for index, character_id in enumerate(declared)
        if character_id not in known
    ]
    if unknown:
        raise Invalid(unknown)


async def _portrayed(session: TenantSession, tenant_id: UUID, production_id: UUID) -> Sequence[Any]:
    """The portrayals of the production, with what they are called by. A character that was deleted has no name any
    more; its performer has, and their likeness is theirs whatever became of the character."""
    rows = await session.execute(
        select(
            Portrayal.character_id,
            Portrayal.performer_id,
            Portrayal.media_id,
            Character.script_name,
            Performer.name,
        )
        .join(
            Character,
            and_(Character.tenant_id == Portrayal.tenant_id, Character.id == Portrayal.character_id),
        )
        .join(
            Performer,
            and_(Performer.tenant_id == Portrayal.tenant_id, Performer.id == Portrayal.performer_id),
        )
        .where(
            Portrayal.tenant_id == tenant_id,
            Portrayal.production_id == production_id,
            Portrayal.ended_at.is_(None),
        )
        .order_by(Portrayal.character_id, Portrayal.id)
    )
    return rows.all()


def _portrayed_as(seal: Seal, row: Any, *, named: bool) -> Portrayed:
    names: tuple[str | None, ...] = ()
    if named:
        names = (row.script_name, name_of(seal, row.performer_id, row.name))
    said = tuple(f" {' '.join(words)} " for words in map(_words, names) if words)
    return Portrayed(row.character_id, row.media_id, said)


async def _shown(
    session: TenantSession, tenant_id: UUID, characters: Collection[UUID], media_ids: Collection[UUID]
) -> tuple[dict[UUID, list[tuple[UUID, UUID]]], dict[UUID, set[UUID]]]:
    """The portrayed characters that these pictures show, as far as it is on record: by picture."""
    # whatever version of a reference set they were taken for
    rows = await session.execute(
        select(Reference.media_id, Look.character_id, Look.id)
        .distinct()
        .join(ReferenceSet, and_(ReferenceSet.tenant_id == Look.tenant_id, ReferenceSet.look_id == Look.id))
        .join(
            Reference,
            and_(Reference.tenant_id == Look.tenant_id, Reference.reference_set_id == ReferenceSet.id),
        )
        .where(
            Look.tenant_id == tenant_id,
            is_one_of(Reference.media_id, list(media_ids)),
            is_one_of(Look.character_id, list(characters)),
        )
    )
    references: dict[UUID, list[tuple[UUID, UUID]]] = {}
    for media_id, character_id, look_id in rows:
        references.setdefault(media_id, []).append((character_id, look_id))
    of_takes = await session.execute(
        select(MediaFile.id, Generation.depicts)
        .join(
            MediaFile,
            and_(MediaFile.tenant_id == Generation.tenant_id, MediaFile.generation_id == Generation.id),
        )
        .where(Generation.tenant_id == tenant_id, is_one_of(MediaFile.id, list(media_ids)))
    )
    takes: dict[UUID, set[UUID]] = {}
    for media_id, depicts in of_takes:
        shown = {UUID(each["character"]) for each in depicts} & set(characters)
        takes.setdefault(media_id, set()).update(shown)
    return references, takes


def _named(portrayed: Iterable[Portrayed], prompt: str) -> list[Depiction]:
    said = f" {' '.join(_words(prompt))} "
    return [
        Depiction(each.character_id, None, "named_in_prompt")
        for each in portrayed
        if any(name in said for name in each.said)
    ]


def _words(text: str | None) -> list[str]:
    """Read a text as it would be said: without case, accents' spellings, punctuation or spacing."""
    return _WORD.findall(unicodedata.normalize("NFKC", text or "").casefold())
