"""A list of shots into a production: every row reported, all accepted rows written together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, cast, func, select, text

from circletake.domain.errors import NotFound, Refused
from circletake.domain.shot_files import ShotRow
from circletake.domain.shot_import import ImportPlan, RowPlan, plan_import
from circletake.domain.shots import ShotValues
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Episode, Production, Shot
from circletake.records.context import Sequence as ShotSequence
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import notes_place
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.sealed_text import open_text


class RowsRefused(Refused):
    """An atomic import with a refused row: nothing was written."""

    status = 422
    code = "rows_refused"
    title = "Some rows can't be imported"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each row, or would have become of it when nothing was written. `shot_ids` has the shots that
    exist now, by code."""

    plan: ImportPlan
    shot_ids: Mapping[str, UUID]
    written: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What a production has. The shots are those that the file names."""

    shot_ids: dict[str, UUID]
    shots: dict[str, ShotValues]
    sequence_ids: dict[str, UUID]
    sequences: dict[str, str | None]  # each with its episode's code
    episode_ids: dict[str, UUID]


async def import_shots(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    rows: Sequence[ShotRow],
    dry_run: bool,
    atomic: bool,
    claim: IdempotencyClaim | None,
    answer: Callable[[ImportReport], Answer],
    describe: Callable[[ImportReport], Mapping[str, Any]],
) -> Answer:
    """Make and change shots. A refused row leaves the others alone, unless `atomic`: then raises RowsRefused with
    the report as `describe` puts it. Raises NotFound. A dry run plans and writes nothing, not even its answer.
    """
    async with database.tenant(tenant_id) as session:
        if not dry_run:
            remembered = await replay(session, seal, tenant_id, claim)
            if remembered is not None:
                return remembered
        report = await import_rows(
            session, seal, tenant_id, production_id, rows, write=not dry_run, atomic=atomic
        )
        if dry_run:
            return answer(report)
        refused = report.plan.count("refused")
        if atomic and refused:
            raise RowsRefused(
                f"{refused} of {len(rows)} rows are refused, so nothing was imported: see `report`.",
                report=describe(report),
            )
        reply = answer(report)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def import_rows(
    session: TenantSession,
    seal: Seal,
    tenant_id: UUID,
    production_id: UUID,
    rows: Sequence[ShotRow],
    *,
    write: bool,
    atomic: bool,
    only_new: bool = False,
) -> ImportReport:
    """Plan an import in the caller's transaction, and write it: nothing where one row is refused and it is `atomic`.

    `only_new`: a shot that is there and says something else is refused, not changed. Raises NotFound.
    """
    await _hold(session, tenant_id, production_id, writes=write)
    known = await _known(session, seal, tenant_id, production_id, [row.code for row in rows])
    plan = plan_import(rows, known.shots, known.sequences, known.episode_ids, only_new=only_new)
    written = write and not (atomic and plan.count("refused"))
    if written:
        await _write(session, seal, tenant_id, production_id, plan, known)
    return ImportReport(plan, known.shot_ids, written=written)


async def _hold(session: TenantSession, tenant_id: UUID, production_id: UUID, *, writes: bool) -> None:
    """Lock the production's row: whoever makes a shot in it meanwhile waits, so the plan stays true."""
    query = select(Production.id).where(Production.tenant_id == tenant_id, Production.id == production_id)
    if await session.scalar(query.with_for_update() if writes else query) is None:
        raise NotFound("production")


async def _known(
    session: TenantSession, seal: Seal, tenant_id: UUID, production_id: UUID, codes: Sequence[str]
) -> _Known:
    episodes = await session.execute(
        select(Episode.id, Episode.code).where(
            Episode.tenant_id == tenant_id, Episode.production_id == production_id
        )
    )
    episode_codes = {row.id: row.code for row in episodes}
    found = await session.execute(
        select(ShotSequence.code, ShotSequence.id, ShotSequence.episode_id).where(
            ShotSequence.tenant_id == tenant_id, ShotSequence.production_id == production_id
        )
    )
    sequences = [(code, sequence_id, episode_id) for code, sequence_id, episode_id in found]
    sequence_codes = {sequence_id: code for code, sequence_id, _ in sequences}
    shots = await session.scalars(
        select(Shot)
        .where(
            Shot.tenant_id == tenant_id,
            Shot.production_id == production_id,
            Shot.code == func.any(cast(list(codes), ARRAY(Text))),
        )
        .order_by(Shot.code)
    )
    known = _Known(
        shot_ids={},
        shots={},
        sequence_ids={code: sequence_id for code, sequence_id, _ in sequences},
        sequences={
            code: None if episode_id is None else episode_codes[episode_id]
            for code, _, episode_id in sequences
        },
        episode_ids={code: episode_id for episode_id, code in episode_codes.items()},
    )
    for shot in shots:
        known.shot_ids[shot.code] = shot.id
        known.shots[shot.code] = ShotValues(
            sequence=None if shot.sequence_id is None else sequence_codes[shot.sequence_id],
            frame_in=shot.frame_in,
            frame_out=shot.frame_out,
            external_ref=shot.external_ref,
            notes=open_text(seal, shot.notes, notes_place(shot.id)),
            conventional_bid_usd=shot.conventional_bid_usd,
        )
    return known


async def _write(
    session: TenantSession,
    seal: Seal,
    tenant_id: UUID,
    production_id: UUID,
    plan: ImportPlan,
    known: _Known,
) -> None:
    """Episodes, then sequences, then shots, each in one statement. Ids of what is new go into `known`."""
    place = {"tenant_id": tenant_id, "production_id": production_id}
    created = [row for row in plan.rows if row.outcome == "created"]
    updated = [row for row in plan.rows if row.outcome == "updated"]
    known.episode_ids.update({code: new_id() for code in plan.new_episodes})
    known.sequence_ids.update({code: new_id() for code in plan.new_sequences})
    known.shot_ids.update({row.code: new_id() for row in created})
    if plan.new_episodes:
        await session.execute(
            _INSERT_EPISODES,
            {
                **place,
                "ids": [known.episode_ids[code] for code in plan.new_episodes],
                "codes": plan.new_episodes,
            },
        )
    if plan.new_sequences:
        await session.execute(
            _INSERT_SEQUENCES,
            {
                **place,
                "ids": [known.sequence_ids[code] for code in plan.new_sequences],
                "codes": list(plan.new_sequences),
                "episode_ids": [
                    None if episode is None else known.episode_ids[episode]
                    for episode in plan.new_sequences.values()
                ],
            },
        )
    if created:
        codes = [row.code for row in created]
        await session.execute(_INSERT_SHOTS, {**place, "codes": codes, **_columns(seal, created, known)})
    if updated:
        await session.execute(_UPDATE_SHOTS, {**place, **_columns(seal, updated, known)})


def _columns(seal: Seal, rows: Sequence[RowPlan], known: _Known) -> dict[str, list[Any]]:
    """The rows' values column by column, as `unnest` takes them."""
    ids = [known.shot_ids[row.code] for row in rows]
    values = [row.values for row in rows]
    return {
        "ids": ids,
        "sequence_ids": [
            None if each.sequence is None else known.sequence_ids[each.sequence] for each in values
        ],
        "frames_in": [each.frame_in for each in values],
        "frames_out": [each.frame_out for each in values],
        "external_refs": [each.external_ref for each in values],
        "notes": [
            None if each.notes is None else seal.close(each.notes, place=notes_place(shot_id))
            for shot_id, each in zip(ids, values, strict=True)
        ],
        "bids": [each.conventional_bid_usd for each in values],
    }


_INSERT_EPISODES = text("""
    insert into episodes (id, tenant_id, production_id, code, version)
    select given.id, :tenant_id, :production_id, given.code, 1
    from unnest(cast(:ids as uuid[]), cast(:codes as text[])) as given (id, code)
""")

_INSERT_SEQUENCES = text("""
    insert into sequences (id, tenant_id, production_id, code, episode_id, version)
    select given.id, :tenant_id, :production_id, given.code, given.episode_id, 1
    from unnest(cast(:ids as uuid[]), cast(:codes as text[]), cast(:episode_ids as uuid[]))
        as given (id, code, episode_id)
""")

_GIVEN = """cast(:sequence_ids as uuid[]), cast(:frames_in as int[]), cast(:frames_out as int[]),
         cast(:external_refs as text[]), cast(:notes as bytea[]),
         cast(:bids as numeric[])"""

_INSERT_SHOTS = text(f"""
    insert into shots (id, tenant_id, production_id, code, sequence_id, frame_in, frame_out, external_ref, notes,
        conventional_bid_usd, version)
    select given.id, :tenant_id, :production_id, given.code, given.sequence_id, given.frame_in, given.frame_out,
        given.external_ref, given.notes, given.bid, 1
    from unnest(cast(:ids as uuid[]), cast(:codes as text[]), {_GIVEN})
        as given (id, code, sequence_id, frame_in, frame_out, external_ref, notes, bid)
""")  # noqa: S608 - a constant of this file

_UPDATE_SHOTS = text(f"""
    update shots
    set sequence_id = given.sequence_id, frame_in = given.frame_in, frame_out = given.frame_out,
        external_ref = given.external_ref, notes = given.notes, conventional_bid_usd = given.bid,
        version = shots.version + 1
    from unnest(cast(:ids as uuid[]), {_GIVEN})
        as given (id, sequence_id, frame_in, frame_out, external_ref, notes, bid)
    where shots.tenant_id = :tenant_id and shots.production_id = :production_id and shots.id = given.id
""")  # noqa: S608 - a constant of this file
