"""What it costs to ask again about a whole season when one shot is new: 350 shots, ten characters in each.

What was judged before is put into the database as it would be found there, real features and all; the question, the
new shot's judging and the end of the check up to its verdicts run here, in this process, without gateway and bells.
Counted is their processor time, this process's and its evaluator's, beside a check of a new shot alone. The continuity
sheet comes after the verdicts and isn't counted.
"""

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import cv2
import numpy as np
from skimage import data
from sqlalchemy import insert

from benchmarks.report import Measure, spread
from benchmarks.studio import Studio
from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.kms.seal import AesSeal
from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.domain.people import PLATFORM
from circletake.kit.children import ChildPool
from circletake.kit.ids import new_id
from circletake.ports import FrameSeen
from circletake.records.characters import Character, Look, Reference, ReferenceSet
from circletake.records.context import Production, Shot
from circletake.records.context import Sequence as SequenceRecord
from circletake.records.media import MediaFile
from circletake.records.session import Database
from circletake.settings import WorkerSettings
from circletake.usecases.call_model import PaidCall
from circletake.usecases.conclude_check import judge_together
from circletake.usecases.idempotency import Answer
from circletake.usecases.judge_material import judge_material
from circletake.usecases.judgement_keys import cast_digest, judgement_keys
from circletake.usecases.observe_media import keep_seen
from circletake.usecases.plan_check import SubjectAsked, plan_check
from circletake.usecases.request_check import CheckRequest, freeze_rules, request_check
from circletake.usecases.resolve_material import MaterialAsked
from circletake.usecases.steps import claim_step
from circletake.usecases.tools import Tools

AIM = 1.2
SHOTS = 350
CHARACTERS = 10
REFERENCES = 3
FRAMES = 3  # looked at in every shot
ROUNDS = 3
_ALIKE = {
    "face": 0.998,
    "hair": 0.99,
    "wardrobe": 0.98,
    "palette": 0.97,
}  # of two shots, as it was compared once


async def measure(studio: Studio) -> list[Measure]:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - as the worker's composition root does
    pool = ChildPool(1)
    database = Database(studio.stack.database_url("app"))
    with tempfile.TemporaryDirectory(prefix="circletake-bench-") as folder:
        try:
            evaluator = LikenessEvaluator(pool, WorkerSettings().weights_dir)
            season = await _Season.open(studio, database, evaluator, pool, Path(folder))
            return await season.measured()
        finally:
            pool.close()
            await database.close()


@dataclass(slots=True)
class _Season:
    studio: Studio
    tools: Tools
    pool: ChildPool
    tenant_id: UUID
    production_id: UUID
    characters: Sequence[UUID]
    media: list[UUID]
    seen: Sequence[FrameSeen]
    sample: Path  # a shot's pixels

    @classmethod
    async def open(
        cls, studio: Studio, database: Database, evaluator: LikenessEvaluator, pool: ChildPool, folder: Path
    ) -> "_Season":
        tenant_id, sample = new_id(), folder / "shot.mp4"
        _clip(sample)
        seal = AesSeal(bytes(32), tenant_id)

        async def get_file(_tenant: Any, _key: str, path: Path) -> None:
            await asyncio.to_thread(shutil.copyfile, sample, path)

        async def its_seal(*_: Any) -> AesSeal:
            return seal

        tools = Tools(
            database=database,
            catalogue=load_catalogue(None, offline=True),
            vault=cast(Any, SimpleNamespace(seal=its_seal)),
            store=cast(Any, SimpleNamespace(get_file=get_file)),
            runner=cast(Any, None),
            desk=cast(Any, None),
            signer=cast(Any, None),
            sender=cast(Any, None),
            evaluator=evaluator,
            rules=load_rules(),
            cuts=cast(Any, None),
            storyboards=cast(Any, None),
            timelines=cast(Any, None),
            packs=cast(Any, None),
            scratch=folder,
        )
        # nothing of this tenant is picked by the dispatcher: what it costs is spent here
        await studio.rows.execute(
            "insert into tenants (id, slug, name, state, region, bucket, kms_key_arn, work_role_arn, grant_role_arn,"
            " wrapped_data_key, weight, max_running)"
            " values ($1, $2, 'A season', 'suspended', 'eu-west-1', $2, 'k', 'w', 'g', '', 1, 40)",
            tenant_id,
            f"season-{tenant_id.hex[-8:]}",
        )
        seen = await evaluator.see(
            sample, "video/mp4", frames=range(FRAMES), people=True, scene=False, expected=CHARACTERS
        )
        made = cls(
            studio, tools, pool, tenant_id, new_id(), [new_id() for _ in range(CHARACTERS)], [], seen, sample
        )
        await made._fill()
        return made

    async def measured(self) -> list[Measure]:
        """Have every shot judged as the first one was, then ask again with one that is new."""
        first = await self._file()
        await self._ask([first])
        await self._judged_like(first)
        ratios, alone, again, planned = [], [], [], []
        for _ in range(ROUNDS):
            one, _, _ = await self._ask([await self._file()])
            self.media = [*self.media[1:], await self._file()]
            changed, accepting, _ = await self._ask(self.media)
            alone.append(one)
            again.append(changed)
            planned.append(accepting)
            ratios.append(changed / one)
        told = f"{spread(ratios)}; s {statistics.median(again):.2f} against {statistics.median(alone):.2f}"
        size = f"{SHOTS} shots x {CHARACTERS} characters; {spread(planned)}"
        return [
            Measure("season_recheck_cpu_ratio", statistics.median(ratios), "ratio", AIM, "lower", told),
            Measure("season_accept_cpu", statistics.median(planned), "s", None, "lower", size),
        ]

    async def _ask(self, media: Sequence[UUID]) -> tuple[float, float, float]:
        """Ask, judge what is new, conclude; return the processor seconds in all, of accepting and of concluding."""
        request = CheckRequest(
            production_id=self.production_id,
            subjects=[SubjectAsked(each) for each in self.characters],
            materials=[MaterialAsked(media_id=each, expected=self.characters) for each in media],
            sampling={"mode": "every", "every": 1, "max_frames": FRAMES},
        )
        begun = await self._cpu()
        await request_check(
            self.tools.database,
            self.tools.rules,
            self.tools.catalogue,
            AesSeal(bytes(32), self.tenant_id),
            tenant_id=self.tenant_id,
            actor=PLATFORM,
            request=request,
            claim=None,
            answer=lambda check: Answer(202, b"{}", str(check.id)),
        )
        accepted = await self._cpu()
        await self._work("judge")
        judged = await self._cpu()
        await self._work("conclude")
        ended = await self._cpu()
        return ended - begun, accepted - begun, ended - judged

    async def _work(self, kind: str) -> None:
        for row in await self.studio.rows.fetch(
            "update steps set state = 'rung', ring_no = ring_no + 1"
            " where tenant_id = $1 and kind = $2 and state = 'ready' returning id, ring_no",
            self.tenant_id,
            kind,
        ):
            step = await claim_step(
                self.tools.database,
                tenant_id=self.tenant_id,
                step_id=row["id"],
                ring_no=row["ring_no"],
                worker="bench",
                lease_seconds=600,
            )
            if step is None:
                raise RuntimeError("somebody else runs the benchmark's steps")
            if kind == "judge":
                await judge_material(self.tools, step, PaidCall())
            elif await judge_together(self.tools, step) is None:
                raise RuntimeError("the check didn't come to an end")

    async def _cpu(self) -> float:
        return time.process_time() + await self.pool.run(time.process_time)

    # --- what is there before -----------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """The cast with its references, looked at; the shots are added by `_judged_like`."""
        own = {"tenant_id": self.tenant_id}
        async with self.tools.database.tenant(self.tenant_id) as session:
            session.add(Production(id=self.production_id, code="SEASON", title="A season", **own))
            await session.flush()
            references = []
            for number, character_id in enumerate(self.characters):
                look, of_look = new_id(), new_id()
                session.add(
                    Character(
                        id=character_id,
                        production_id=self.production_id,
                        kind="human",
                        script_name=f"C{number}",
                        **own,
                    )
                )
                await session.flush()
                session.add(Look(id=look, character_id=character_id, name="suit", **own))
                await session.flush()
                session.add(ReferenceSet(id=of_look, look_id=look, version=1, state="approved", **own))
                await session.flush()
                for _ in range(REFERENCES):
                    media = self._media_row("reference")
                    await session.execute(insert(MediaFile).values(media))
                    session.add(
                        Reference(
                            reference_set_id=of_look,
                            media_id=media["id"],
                            state="ready",
                            figure=0,
                            **own,
                        )
                    )
                    references.append(media["id"])
            await session.flush()
            files = [await session.get_one(MediaFile, each) for each in references]
        for at, file in enumerate(files):
            one = replace(self.seen[0], frame=0, figures=[self.seen[0].figures[at // REFERENCES]])
            await self._looked_at(file, [one])

    async def _looked_at(self, file: MediaFile, seen: Sequence[FrameSeen]) -> None:
        seal = AesSeal(bytes(32), self.tenant_id)
        await keep_seen(self.tools, seal, file, seen, ["people"], evaluator=str(self.tools.evaluator.id))

    def _media_row(self, role: str, shot_id: UUID | None = None) -> dict[str, Any]:
        return {
            "id": new_id(),
            "tenant_id": self.tenant_id,
            "production_id": self.production_id,
            "shot_id": shot_id,
            "role": role,
            "name": "shot.mp4",
            "media_type": "video/mp4",
            "size": 1,
            "sha256": "0" * 64,
            "rights_basis": "owned",
            "state": "ready",
            "object_key": "media/shot",
            "probe": {"frames": FRAMES},
        }

    async def _file(self) -> UUID:
        row = self._media_row("plate")
        async with self.tools.database.tenant(self.tenant_id) as session:
            await session.execute(insert(MediaFile).values(row))
        return UUID(str(row["id"]))

    async def _judged_like(self, first: UUID) -> None:
        """Give every shot of the season what was seen and judged of the first: the same rows under its own keys."""
        sequence = new_id()
        own = {"tenant_id": self.tenant_id}
        shots: list[dict[str, Any]] = [
            {
                "id": new_id(),
                "production_id": self.production_id,
                "sequence_id": sequence,
                "code": f"S_{at:04d}",
                **own,
            }
            for at in range(SHOTS)
        ]
        files = [self._media_row("plate", shot["id"]) for shot in shots]
        async with self.tools.database.tenant(self.tenant_id) as session:
            session.add(SequenceRecord(id=sequence, production_id=self.production_id, code="S", **own))
            await session.flush()
            await session.execute(insert(Shot), shots)
            await session.execute(insert(MediaFile), files)
            rows = [await session.get_one(MediaFile, each["id"]) for each in files]
        for file in rows:
            await self._looked_at(file, self.seen)
        self.media = [row.id for row in rows]
        await self._copy_judgements(first)

    async def _copy_judgements(self, first: UUID) -> None:
        subjects = [SubjectAsked(each) for each in self.characters]
        request = CheckRequest(
            production_id=self.production_id,
            subjects=subjects,
            materials=[MaterialAsked(media_id=each, expected=self.characters) for each in self.media],
            sampling={"mode": "every", "every": 1, "max_frames": FRAMES},
        )
        async with self.tools.database.tenant(self.tenant_id) as session:
            plan = await plan_check(
                session, production_id=self.production_id, subjects=subjects, materials=request.materials
            )
            rules = await freeze_rules(session, self.tools.rules, self.tools.catalogue, request)
        cast_of = cast_digest(plan.cast)
        made = {
            row["character_id"]: dict(row)
            for row in await self.studio.rows.fetch("select * from judgements where media_id = $1", first)
        }
        columns = [name for name in next(iter(made.values())) if name not in {"created_at", "crop"}]
        values = []
        before: dict[int, UUID] = {}
        for material in plan.materials:
            for position, key in judgement_keys(material, cast=cast_of, rules=rules.digest).items():
                row = {**made[self.characters[position]], "id": new_id(), "key": key}
                row |= {
                    "media_id": material.file.id,
                    "beside": json.dumps({str(before.get(position)): _ALIKE}),
                }
                before[position] = row["id"]
                values.append(tuple(row[name] for name in columns))
        await self.studio.rows.copy_records_to_table("judgements", records=values, columns=columns)


def _clip(path: Path) -> None:
    """Ten people side by side, for a moment."""
    portrait = np.asarray(data.astronaut())  # type: ignore[no-untyped-call]
    person = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    frame = np.concatenate([np.concatenate([person] * 5, axis=1)] * 2, axis=0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 24, (frame.shape[1], frame.shape[0]))
    for gain in (1.0, 0.97, 0.94):
        writer.write(np.ascontiguousarray((frame * gain).astype(np.uint8)[..., ::-1]))
    writer.release()
