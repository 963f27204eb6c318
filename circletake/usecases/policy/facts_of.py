"""Gathering the facts of a request: what is known anyway, and one query for the people and records around it."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from circletake.domain.kinds import InputSlot, Kind, MediaRole
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.declaration import UseDeclaration
from circletake.domain.policy.facts import Facts, every, is_creative, weakest_notice, works_on_plate, worst
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession

_PERFORMED = """p.tenant_id = :tenant and p.ended_at is null and p.character_id = any(asked.characters)"""

# what the production has on record, and who stands behind the characters, for each shot and its characters
_AROUND = text(
    f"""
    select asked.number,
      array(select distinct c.role from consultations c
            where c.tenant_id = :tenant and c.production_id = :production and c.version_id is null
              and (c.shot_id is null or c.shot_id = asked.shot)) as consulted,
      array(select distinct d.role from disclosures d
            where d.tenant_id = :tenant and d.production_id = :production) as told,
      (select v.state from versions v where v.tenant_id = :tenant and v.shot_id = asked.shot
       order by v.number desc limit 1) as shot_state,
      (select max(e.generated_fraction) from generations g
       join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id and t.circled
       join exposures e on e.tenant_id = t.tenant_id and e.take_id = t.id
       where g.tenant_id = :tenant and g.shot_id = asked.shot) as shot_exposure,
      exists (select from portrayals p where {_PERFORMED} and p.kind <> 'voice') as performed,
      exists (select from portrayals p
              join performers a on a.tenant_id = p.tenant_id and a.id = p.performer_id
              where {_PERFORMED} and a.is_minor) as minor,
      array(select distinct k.replica_type from consents k
            where k.tenant_id = :tenant and k.state = 'granted' and (k.ends_at is null or k.ends_at > now())
              and :production = any(k.production_ids)
              and k.performer_id in (select p.performer_id from portrayals p where {_PERFORMED})) as replicas,
      array(select coalesce(n.bargaining_status, 'none')
            from characters c
            left join lateral (
                select s.bargaining_status from synthetic_performer_notices s
                where s.tenant_id = c.tenant_id and s.character_id = c.id
                order by s.created_at desc, s.id desc limit 1) n on true
            where c.tenant_id = :tenant and c.id = any(asked.characters) and c.kind = 'human'
              and not exists (select from portrayals p
                              where p.tenant_id = c.tenant_id and p.ended_at is null and p.character_id = c.id)
           ) as synthetic
    from jsonb_to_recordset(cast(:asked as jsonb)) as asked(number integer, shot uuid, characters uuid[])
    """  # noqa: S608 - a constant
)


Around = tuple[UUID | None, frozenset[UUID]]  # a shot, and whom a request for it depicts


async def facts_of(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production: Production,
    shot: Shot | None,
    kind: Kind,
    card: ModelCard | None,
    climbs_to: Collection[ModelCard] = (),
    takes: int | None = None,
    prompt_given: bool,
    inputs: Mapping[InputSlot, MediaFile],
    use: UseDeclaration,
    characters: Collection[UUID],
) -> Facts:
    """Return everything that rules may look at. `characters`: whoever the request depicts, however that is known.
    `climbs_to`: models that its enforcement may ask beside `card`."""
    place = (shot.id if shot else None, frozenset(characters))
    around = await read_around(session, tenant_id=tenant_id, production=production, places=[place])
    return facts_from(
        around[place],
        production=production,
        shot=shot,
        kind=kind,
        card=card,
        climbs_to=climbs_to,
        takes=takes,
        prompt_given=prompt_given,
        inputs=inputs,
        use=use,
        characters=characters,
    )


async def read_around(
    session: TenantSession, *, tenant_id: UUID, production: Production, places: Collection[Around]
) -> Mapping[Around, Row[Any]]:
    """Read the people and records around requests of one production, in one query."""
    numbered = list(dict.fromkeys(places))
    asked = [
        {"number": number, "shot": str(shot) if shot else None, "characters": [str(each) for each in who]}
        for number, (shot, who) in enumerate(numbered)
    ]
    rows = await session.execute(
        _AROUND, {"tenant": tenant_id, "production": production.id, "asked": json.dumps(asked)}
    )
    return {numbered[row.number]: row for row in rows}


def facts_from(
    around: Row[Any],
    *,
    production: Production,
    shot: Shot | None,
    kind: Kind,
    card: ModelCard | None,
    climbs_to: Collection[ModelCard] = (),
    takes: int | None = None,
    prompt_given: bool,
    inputs: Mapping[InputSlot, MediaFile],
    use: UseDeclaration,
    characters: Collection[UUID],
) -> Facts:
    """Return everything that rules may look at, with what was read around the request."""
    on_plate = works_on_plate(kind, frozenset(inputs))
    return Facts(
        **_declared(use),
        **_of_files(list(inputs.values())),
        **of_models([card, *climbs_to] if card else []),
        **_of_people(around, depicted=bool(characters), on_plate=on_plate),
        kind=kind.value,
        has_shot=shot is not None,
        takes=None if takes is None else float(takes),
        prompt_given=prompt_given,
        has_plate=InputSlot.PLATE in inputs,
        creative_element=is_creative(kind, story_critical=use.story_critical),
        labour_action=production.labour_action_since is not None,
        owned_source_only=production.owned_source_only,
        shot_state=around.shot_state,
        shot_exposure=around.shot_exposure,
        consultations=frozenset(around.consulted),
        disclosed_to=frozenset(around.told),
    )


async def facts_of_text(
    session: TenantSession, *, production: Production, shot: Shot | None, card: ModelCard, use: UseDeclaration
) -> Facts:
    """Return what rules may look at of a text that goes to a language model: it makes no picture and depicts nobody,
    so what only pictures and people have is not said."""
    place: Around = (shot.id if shot else None, frozenset())
    around = await read_around(session, tenant_id=production.tenant_id, production=production, places=[place])
    return Facts(
        **_declared(use),
        **of_models([card]),
        has_shot=shot is not None,
        prompt_given=True,
        labour_action=production.labour_action_since is not None,
        owned_source_only=production.owned_source_only,
        consultations=frozenset(around[place].consulted),
        disclosed_to=frozenset(around[place].told),
    )


def _declared(use: UseDeclaration) -> dict[str, Any]:
    said = use.stored()
    return {name: frozenset(value) if isinstance(value, list) else value for name, value in said.items()}


def _of_files(files: Sequence[MediaFile]) -> dict[str, Any]:
    return {
        "input_roles": frozenset(file.role for file in files),
        "rights_bases": frozenset(file.rights_basis for file in files),
        "generated_input": any(file.role == MediaRole.TAKE or file.take_id is not None for file in files),
    }


def of_models(cards: Collection[ModelCard]) -> dict[str, Any]:
    """The facts of every model that may be asked."""
    if not cards:
        return {}
    terms = [card.terms for card in cards]
    return {
        "models": frozenset(card.id for card in cards),
        "providers": frozenset(card.provider for card in cards),
        "model_lifecycles": frozenset(card.lifecycle for card in cards),
        "model_trains_on_inputs": worst([_answer(each.get("training_on_inputs")) for each in terms]),
        "model_shares_inputs": worst([_answer(each.get("shared_with_provider")) for each in terms]),
        "model_indemnity": every([_answer(each.get("indemnity")) for each in terms]),
    }


def _answer(term: Any) -> bool | None:
    """The catalogue's terms begin with yes or no, where they answer at all."""
    begins = str(term or "").strip().lower()
    if begins.startswith("yes"):
        return True
    return False if begins.split(":")[0] == "no" else None


def _of_people(around: Row[Any], *, depicted: bool, on_plate: bool) -> dict[str, Any]:
    return {
        "depicts_character": depicted,
        "depicts_performer": around.performed,
        "synthetic_performer": bool(around.synthetic),
        "synthetic_notice": weakest_notice(around.synthetic),
        "minor_involved": around.minor,
        "replica_types": frozenset(around.replicas),
        "alters_recording": around.performed and on_plate,
    }
