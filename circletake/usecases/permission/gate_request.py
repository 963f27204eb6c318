"""The gate at the request: rights, consents, policies, exposure and labour action, before anything is written.

What is forbidden is refused here; what needs a person is accepted and held.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from circletake.domain.errors import Invalid, Refused
from circletake.domain.kinds import on_screen
from circletake.domain.permission.consents import Permission, Use
from circletake.domain.permission.holds import NewHold
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.evaluate import Evaluation
from circletake.domain.policy.facts import Facts
from circletake.domain.policy.packs import Outcome
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.session import TenantSession
from circletake.usecases.exposure.limits import ExposureAnswer, exposure_of, read_exposure
from circletake.usecases.permission.consent_gate import permission_in, read_standing
from circletake.usecases.permission.depictions import Depiction, depicted_by, read_depictable
from circletake.usecases.permission.gate import LABOUR, relied_on, use_in
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.permission.rights import rights_records, rights_violations
from circletake.usecases.permission.screening import (
    ScreenAsked,
    Screening,
    read_screened,
    screen_asked,
    screening_of,
)
from circletake.usecases.plan_generation import GenerationRequest, Plan
from circletake.usecases.policy.evaluate import prohibited, read_packs
from circletake.usecases.policy.facts_of import Around, facts_from, read_around


@dataclass(frozen=True, slots=True)
class Policy:
    """What the production's packs say of the request, and what they looked at."""

    evaluation: Evaluation
    facts: Facts


@dataclass(frozen=True, slots=True)
class Permit:
    """What a request that isn't refused is given: whom it depicts, what it relies on, what it waits for."""

    depicts: Sequence[Depiction]
    relied_on: Mapping[str, Any]
    policy: Policy | None  # None: the production goes by no packs
    holds: Sequence[NewHold] = ()
    screen: bool = False  # its pictures have to be looked at before its takes begin
    events: Sequence[tuple[str, dict[str, Any]]] = ()  # to be recorded when it is accepted, beside its own

    @property
    def depicted(self) -> list[dict[str, Any]]:
        """What the generation's row keeps of whom it depicts."""
        return [
            {
                "character": str(each.character_id),
                "look": str(each.look_id) if each.look_id else None,
                "how": each.how,
            }
            for each in self.depicts
        ]


@dataclass(frozen=True, slots=True)
class GateAsked:
    """A planned request at the gate. `judged`: the characters that an enforcement compares its takes with; `climbs_to`:
    the models that it may ask."""

    request: GenerationRequest
    plan: Plan
    judged: Sequence[UUID] = ()
    climbs_to: Sequence[ModelCard] = ()

    @property
    def words(self) -> str | None:
        """What may name somebody: what is to be made, and what is looked for in the plate."""
        return "\n".join(filter(None, (self.request.prompt, self.request.search_prompt))) or None

    @property
    def media(self) -> list[UUID]:
        return [file.id for file in self.plan.inputs.values()]


async def gate_request(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    tenant_id: UUID,
    asked: GateAsked,
    now: datetime,
) -> Permit:
    """Say what a planned request may do.

    Raises Invalid for inputs without the rights for it and for what it names wrongly; Conflict `consent_required`,
    `policy_prohibited` or `exposure_limit`.
    """
    [said] = await gate_requests(session, seal, packs, tenant_id=tenant_id, asked=[asked], now=now)
    if isinstance(said, Refused):
        raise said
    return said


async def gate_requests(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    tenant_id: UUID,
    asked: Sequence[GateAsked],
    now: datetime,
) -> list[Permit | Refused]:
    """Say of each planned request of one production what it may do, or why it is refused. What is read is read once
    for all of them."""
    if not asked:
        return []
    gate = _Gate(session, seal, packs, tenant_id, asked[0].plan.production, now, asked)
    await gate.look_at_people()
    await gate.ask_packs()
    await gate.look_at_pictures()
    return [said if (said := gate.refused.get(place)) else gate.permit(place) for place in range(len(asked))]


class _Gate:
    """Requests on their way through the gate, by their place. One that is refused isn't looked at any further."""

    def __init__(
        self,
        session: TenantSession,
        seal: Seal,
        packs: PolicyShelf,
        tenant_id: UUID,
        production: Production,
        now: datetime,
        asked: Sequence[GateAsked],
    ) -> None:
        self.session, self.seal, self.packs = session, seal, packs
        self.tenant_id, self.production, self.now = tenant_id, production, now
        self.asked = asked
        self.refused: dict[int, Refused] = {}
        self.depicts: dict[int, Sequence[Depiction]] = {}
        self.permissions: dict[int, Permission] = {}
        self.policies: dict[int, Policy] = {}
        self.exposures: dict[int, ExposureAnswer] = {}
        self.screenings: dict[int, Screening] = {}

    @property
    def left(self) -> list[int]:
        return [place for place in range(len(self.asked)) if place not in self.refused]

    async def each(self, look: Callable[[int, GateAsked], None]) -> None:
        """Look at every request that is left; many in a thread, so that other requests go on meanwhile."""
        if len(self.asked) == 1:
            self._each(look)
        else:
            await asyncio.to_thread(self._each, look)

    def _each(self, look: Callable[[int, GateAsked], None]) -> None:
        for place in self.left:
            try:
                look(place, self.asked[place])
            except Refused as refused:
                self.refused[place] = refused

    async def look_at_people(self) -> None:
        """The rights of inputs, whom the requests depict, and their consents."""
        media = list(dict.fromkeys(media_id for each in self.asked for media_id in each.media))
        records = await rights_records(self.session, self.tenant_id, media)
        today = self.now.astimezone(ZoneInfo(self.production.time_zone)).date()

        def rights(_: int, asked: GateAsked) -> None:
            found = rights_violations(self.production, asked.request.kind, asked.plan.inputs, records, today)
            if found:
                raise Invalid(found)

        await self.each(rights)
        await self._depictions(media)
        await self._permissions()

    async def _depictions(self, media: Collection[UUID]) -> None:
        if not self.left:
            return
        requests = [each.request for each in self.asked]
        depictable = await read_depictable(
            self.session,
            self.seal,
            tenant_id=self.tenant_id,
            production_id=self.production.id,
            declared={who for each in requests for who in each.depicts},
            media_ids=media,
            named=any(each.words for each in self.asked),
        )

        def depicts(place: int, asked: GateAsked) -> None:
            self.depicts[place] = depicted_by(
                depictable,
                declared=asked.request.depicts,
                consistency=asked.judged,
                media_ids=asked.media,
                prompt=asked.words,
            )

        await self.each(depicts)

    def _characters(self, place: int) -> set[UUID]:
        return {each.character_id for each in self.depicts[place]}

    async def _permissions(self) -> None:
        left = self.left
        uses = {place: self._use(self.asked[place]) for place in left}
        standing = await read_standing(
            self.session,
            tenant_id=self.tenant_id,
            production_id=self.production.id,
            characters={who for place in left for who in self._characters(place)},
            altered=any(use.alters_recording for use in uses.values()),
        )

        def permit(place: int, _: GateAsked) -> None:
            permission = permission_in(standing, uses[place], self._characters(place))
            if permission.missing:
                raise consent_required(permission)
            self.permissions[place] = permission

        await self.each(permit)

    def _use(self, asked: GateAsked) -> Use:
        declared = asked.request.use.stored()
        return use_in(declared, self.production, asked.plan.shot, asked.request.kind, self.now)

    async def ask_packs(self) -> None:
        """The production's packs, each of them asked of every request."""
        of_production = {"tenant": self.tenant_id, "production": self.production.id}
        if not self.left or not await self.session.scalar(_HAS_PACKS, of_production):
            return
        around = await read_around(
            self.session,
            tenant_id=self.tenant_id,
            production=self.production,
            places=[self._around(place) for place in self.left],
        )
        consulted = await read_packs(
            self.session, self.seal, self.packs, tenant_id=self.tenant_id, production=self.production
        )

        def ask(place: int, asked: GateAsked) -> None:
            facts = facts_from(
                around[self._around(place)],
                production=self.production,
                shot=asked.plan.shot,
                kind=asked.request.kind,
                card=asked.plan.card,
                climbs_to=asked.climbs_to,
                takes=asked.request.takes,
                prompt_given=asked.request.prompt is not None,
                inputs=asked.plan.inputs,
                use=asked.request.use,
                characters=self._characters(place),
            )
            evaluation = consulted.say(facts)
            if evaluation.outcome is Outcome.PROHIBITED:
                raise prohibited(evaluation)
            self.policies[place] = Policy(evaluation, facts)

        await self.each(ask)

    def _around(self, place: int) -> Around:
        shot = self.asked[place].plan.shot
        return (shot.id if shot else None, frozenset(self._characters(place)))

    async def look_at_pictures(self) -> None:
        """The limits on exposure, and the people whom nobody declared."""
        seen = [self.asked[place] for place in self.left if on_screen(self.asked[place].request.kind)]
        shots = {each.plan.shot.id: each.plan.shot for each in seen if each.plan.shot is not None}
        exposure = await read_exposure(self.session, production=self.production, shots=[*shots.values()])

        def limit(place: int, asked: GateAsked) -> None:
            self.exposures[place] = exposure_of(
                exposure, production=self.production, shot=asked.plan.shot, kind=asked.request.kind
            )

        await self.each(limit)
        asked = {place: self._screen_asked(place) for place in self.left}
        record = await read_screened(self.session, self.tenant_id, list(asked.values()))

        def screen(place: int, _: GateAsked) -> None:
            self.screenings[place] = screening_of(record, asked[place])

        await self.each(screen)

    def _screen_asked(self, place: int) -> ScreenAsked:
        asked = self.asked[place]
        return screen_asked(
            asked.request.kind, asked.plan.inputs, self._characters(place), asked.request.controls
        )

    def permit(self, place: int) -> Permit:
        policy, exposure, screening = (
            self.policies.get(place),
            self.exposures[place],
            self.screenings[place],
        )
        holds = [] if policy is None else [*policy.evaluation.new_holds()]
        holds += exposure.holds
        if screening.hold is not None:
            holds.append(screening.hold)
        if self.production.labour_action_since is not None:
            holds.append(LABOUR)
        return Permit(
            self.depicts[place],
            relied_on(self.permissions[place]),
            policy,
            holds,
            screen=screening.outcome == "needed",
            events=exposure.events,
        )


_HAS_PACKS = text(
    """
    select exists (select from production_packs
                   where tenant_id = :tenant and production_id = :production and dropped_at is null)
    """
)
