"""The rights of inputs: what is on record of them, and whether a request may use them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from circletake.domain.errors import Conflict, Forbidden, Invalid
from circletake.domain.kinds import InputSlot, Kind, RightsBasis
from circletake.domain.people import Actor, Role
from circletake.domain.permission.marks import inference_refused
from circletake.domain.permission.rights import InputRights, Licence, input_violations
from circletake.domain.pictures import Violation
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production
from circletake.records.media import MediaFile
from circletake.records.rights import RightsRecord
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_media import find_file
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.resolve_material import is_one_of


def rights_violations(
    production: Production,
    kind: Kind,
    inputs: Mapping[InputSlot, MediaFile],
    records: Mapping[UUID, RightsRecord],
    on: date,
) -> list[Violation]:
    """Return why these inputs may not be used, with pointers into the request. `on`: today in the production's zone.

    The same for every kind: one without inputs is refused in owned-source mode only.
    """
    del kind
    return input_violations(
        {slot: _rights_of(file, records.get(file.id)) for slot, file in inputs.items()},
        owned_source_only=production.owned_source_only,
        on=on,
    )


async def rights_records(
    session: TenantSession, tenant_id: UUID, media_ids: Collection[UUID]
) -> Mapping[UUID, RightsRecord]:
    """Return the record that holds now of each of these files that has one."""
    if not media_ids:
        return {}
    rows = await session.scalars(
        select(RightsRecord)
        .distinct(RightsRecord.media_id)
        .where(RightsRecord.tenant_id == tenant_id, is_one_of(RightsRecord.media_id, list(media_ids)))
        .order_by(RightsRecord.media_id, RightsRecord.number.desc())
    )
    return {row.media_id: row for row in rows}


def _rights_of(file: MediaFile, record: RightsRecord | None) -> InputRights:
    licence = None
    if record is not None:
        licence = Licence(record.licence_id, record.term_from, record.term_until, record.evidence_sha256)
    return InputRights(
        basis=RightsBasis(file.rights_basis),
        licence=licence,
        inference_refused=inference_refused(file.mining),
        overridden=record is not None and record.ai_inference_override,
        output_type=file.digital_source_type,
        is_output=file.generation_id is not None or bool((file.mining or {}).get("own_output")),
    )


@dataclass(frozen=True, slots=True)
class RightsSaid:
    """What somebody says of a file's rights. Texts are in clear here and content: never logged."""

    basis: RightsBasis
    licence_id: str | None = None
    licensor: str | None = field(default=None, repr=False)
    term_from: date | None = None
    term_until: date | None = None
    evidence_sha256: str | None = None
    evidence_note: str | None = field(default=None, repr=False)
    ai_inference_override: bool = False
    override_reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RightsView:
    """A record with its opened content. `current`: the one that holds."""

    record: RightsRecord
    licensor: str | None = field(repr=False)
    evidence_note: str | None = field(repr=False)
    override_reason: str | None = field(repr=False)
    current: bool


async def record_rights(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    roles: frozenset[Role],
    media_id: UUID,
    said: RightsSaid,
    claim: IdempotencyClaim | None,
    answer: Callable[[RightsView], Answer],
) -> Answer:
    """Append what is said now; the file's basis follows it. An override holds as long as no later record drops it.

    Raises NotFound, Invalid, Conflict for a file that is gone, Forbidden when an override is said by anybody but a
    rights clearance manager.
    """
    found = said_violations(said)
    if found:
        raise Invalid(found)
    if said.ai_inference_override:
        _require_manager(actor, roles)
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        file = await find_file(session, tenant_id, media_id, lock=True)
        if file.state in {"withdrawn", "refused"}:
            raise Conflict(f"This file is {file.state}: there is nothing to use.", code="media_gone")
        last = await session.scalar(
            select(func.max(RightsRecord.number)).where(
                RightsRecord.tenant_id == tenant_id, RightsRecord.media_id == media_id
            )
        )
        record = _record(seal, tenant_id, actor, media_id, said, (last or 0) + 1)
        session.add(record)
        before, file.rights_basis = file.rights_basis, said.basis.value
        await session.flush()
        await session.refresh(record, ["created_at"])
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="rights.recorded",
            subject_id=record.id,
            body=_ledger_body(seal, file, record, said, before, actor),
        )
        reply = answer(
            RightsView(record, said.licensor, said.evidence_note, said.override_reason, current=True)
        )
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def rights_history(
    database: Database, seal: Seal, *, tenant_id: UUID, media_id: UUID
) -> list[RightsView]:
    """Everything that was ever said of a file's rights, the newest first. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_file(session, tenant_id, media_id)
        rows = await session.scalars(
            select(RightsRecord)
            .where(RightsRecord.tenant_id == tenant_id, RightsRecord.media_id == media_id)
            .order_by(RightsRecord.number.desc())
            .limit(MAX_HISTORY)
        )
        records = list(rows)
    return [_view(seal, record, current=place == 0) for place, record in enumerate(records)]


MAX_HISTORY = 1000


def said_violations(said: RightsSaid) -> list[Violation]:
    """Return what is wrong with a statement by itself."""
    found = []
    if said.basis is RightsBasis.UNKNOWN:
        found.append(
            Violation(
                "/basis", "rights_unknown", "Say what the basis is: nothing is recorded of an unknown one."
            )
        )
    if said.basis is RightsBasis.LICENSED:
        wanted = {
            "licence_id": said.licence_id,
            "term_from": said.term_from,
            "evidence_sha256": said.evidence_sha256,
        }
        found += [
            Violation(f"/{name}", "licence_incomplete", f"A licence needs its {name}.")
            for name, value in wanted.items()
            if not value
        ]
    if said.term_from and said.term_until and said.term_until < said.term_from:
        found.append(Violation("/term_until", "bad_term", "The term ends before it begins."))
    if said.ai_inference_override != bool((said.override_reason or "").strip()):
        found.append(
            Violation(
                "/override_reason",
                "override_reason",
                "An override needs its reason in writing, and a reason is given with an override only.",
            )
        )
    return found


def _require_manager(actor: Actor, roles: frozenset[Role]) -> None:
    if actor.person_id is None:
        raise Forbidden(
            "To override a mark of the file's maker is an act of a person, and a key is none: sign in.",
            code="person_required",
        )
    if Role.RIGHTS_CLEARANCE_MANAGER not in roles:
        raise Forbidden(
            "Only a rights clearance manager may override a mark of the file's maker.",
            code="missing_role",
            roles=[Role.RIGHTS_CLEARANCE_MANAGER.value],
        )


def _record(
    seal: Seal, tenant_id: UUID, actor: Actor, media_id: UUID, said: RightsSaid, number: int
) -> RightsRecord:
    identifier = new_id()

    def sealed(text: str | None, column: str) -> bytes | None:
        return None if text is None else seal.close(text, place=f"rights_records.{column}:{identifier}")

    return RightsRecord(
        id=identifier,
        tenant_id=tenant_id,
        media_id=media_id,
        number=number,
        basis=said.basis.value,
        licence_id=said.licence_id,
        licensor=sealed(said.licensor, "licensor"),
        term_from=said.term_from,
        term_until=said.term_until,
        evidence_sha256=said.evidence_sha256,
        evidence_note=sealed(said.evidence_note, "evidence_note"),
        ai_inference_override=said.ai_inference_override,
        override_reason=sealed(said.override_reason, "override_reason"),
        by_key=actor.api_key_id,
        by_person=actor.person_id,
    )


def _view(seal: Seal, record: RightsRecord, *, current: bool) -> RightsView:
    def opened(sealed: bytes | None, column: str) -> str | None:
        if sealed is None:
            return None
        return seal.open(sealed, place=f"rights_records.{column}:{record.id}").decode()

    return RightsView(
        record,
        opened(record.licensor, "licensor"),
        opened(record.evidence_note, "evidence_note"),
        opened(record.override_reason, "override_reason"),
        current,
    )


def _ledger_body(
    seal: Seal, file: MediaFile, record: RightsRecord, said: RightsSaid, before: str, actor: Actor
) -> dict[str, Any]:
    def hashed(text: str | None) -> str | None:
        return seal.keyed_hash(text.encode()) if text else None

    return {
        "media": str(file.id),
        "sha256": file.sha256,
        "number": record.number,
        "basis": record.basis,
        "basis_before": before,
        "licence_hash": hashed(said.licence_id),
        "licensor_hash": hashed(said.licensor),
        "term_from": str(record.term_from) if record.term_from else None,
        "term_until": str(record.term_until) if record.term_until else None,
        "evidence_sha256": record.evidence_sha256,
        "ai_inference_override": record.ai_inference_override,
        "override_reason_hash": hashed(said.override_reason),
        **actor.for_ledger(),
    }
