"""Takes a second with an instant model, and the processor time of a take outside the model.

A batch is requests of `TAKES` takes each, from the first POST until the last contact sheet is drawn. Counted is the
processor time of gateway, dispatcher and workers with everything they started; not the model server, the databases,
the object store or the timestamp authority. Beside it, in turn, a bare process signs and puts as many pictures and
contact sheets.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.bare_take import Setting
from benchmarks.report import Measure, spread
from benchmarks.studio import Studio, cpu_seconds, product_pids
from circletake import __version__
from circletake.adapters.aws import AwsClients, LongLivedCredentials
from circletake.adapters.c2pa.manifests import CREATED_ASSERTION_LABELS, plan
from circletake.adapters.c2pa.trust import OWN_SIGNERS, OWN_TIMESTAMPS, TrustAnchor, library_settings
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.sheet import write_sheet
from circletake.domain.tenants import TenantStorage
from circletake.ports import Ingredient, SheetTake, SignRequest

AIM = 2.0
TAKES = 4  # in one request
REQUESTS = 10  # in one batch
ROUNDS = 4
_REPOSITORY = Path(__file__).resolve().parents[1]

_STORAGE = (
    "select slug, region, bucket, kms_key_arn, work_role_arn, grant_role_arn from tenants where id = $1"
)
_RESULT = "select result_key from invocations where result_key is not null order by id limit 1"


async def measure(studio: Studio) -> list[Measure]:
    await _batch(studio)
    async with _bare(studio) as bare:
        await _bare_batch(bare, 5)
        rounds = []
        for _ in range(ROUNDS):
            ours, speed, shares = await _batch(studio)
            theirs = await _bare_batch(bare, REQUESTS)
            rounds.append((ours, theirs, speed, shares))
    ratios = [ours / theirs for ours, theirs, _, _ in rounds]
    speeds = [speed for _, _, speed, _ in rounds]
    parts = {name: statistics.median(shares[name] for *_, shares in rounds) for name in rounds[0][3]}
    told = (
        f"{spread(ratios)}; ms {1000 * statistics.median(ours for ours, *_ in rounds):.1f}"
        f" ({', '.join(f'{name} {1000 * part:.1f}' for name, part in parts.items())})"
        f" against {1000 * statistics.median(theirs for _, theirs, *_ in rounds):.1f}"
    )
    return [
        Measure("takes_per_second", statistics.median(speeds), "takes/s", None, "higher", spread(speeds)),
        Measure("cpu_per_take_ratio", statistics.median(ratios), "ratio", AIM, "lower", told),
    ]


async def _batch(studio: Studio) -> tuple[float, float, dict[str, float]]:
    """Return processor seconds per take, takes a second, and the seconds by part of the product."""
    pids = product_pids(studio.stack)
    before = {name: cpu_seconds([pid]) for name, pid in pids.items()}
    begun = time.monotonic()
    generations = await asyncio.gather(*(studio.request(TAKES) for _ in range(REQUESTS)))
    await studio.finished(generations)
    elapsed = time.monotonic() - begun
    count = TAKES * REQUESTS
    shares: dict[str, float] = {}
    for name, pid in pids.items():
        part = name.partition("-")[0]
        shares[part] = shares.get(part, 0.0) + (cpu_seconds([pid]) - before[name]) / count
    return sum(shares.values()), count / elapsed, shares


# --- the bare work --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _bare(studio: Studio) -> AsyncIterator[Process]:
    with tempfile.TemporaryDirectory(prefix="circletake-bench-") as folder:
        setting = await _setting(studio, Path(folder))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.bare_take", stdin=PIPE, stdout=PIPE, cwd=_REPOSITORY
        )
        try:
            await _write(child, json.dumps(asdict(setting)))
            yield child
        finally:
            child.terminate()
            await child.wait()


async def _bare_batch(child: Process, requests: int) -> float:
    """Return processor seconds per take."""
    await _write(child, str(requests))
    if child.stdout is None:
        raise RuntimeError("the bare process has no output")
    spent: dict[str, Any] = json.loads(await child.stdout.readline())
    return float(spent["cpu_seconds"] / (requests * TAKES))


async def _write(child: Process, line: str) -> None:
    if child.stdin is None:
        raise RuntimeError("the bare process has no input")
    child.stdin.write(line.encode() + b"\n")
    await child.stdin.drain()


async def _setting(studio: Studio, folder: Path) -> Setting:
    """Give the bare process what the product works with: the tenant's session, a picture, its manifest."""
    stack = studio.stack
    row = await studio.rows.fetchrow(_STORAGE, studio.tenant_id)
    storage = TenantStorage(tenant_id=UUID(studio.tenant_id), **dict(row))
    pair = stack.key_pair("worker")
    clients = AwsClients(threads=1)
    place = StsPlace(
        storage.region,
        stack.bedrock_url,
        LongLivedCredentials(pair.access_key_id, pair.secret_access_key),
    )
    sessions = StsTenantSessions(clients, place, role="work")
    picture = folder / "picture.jpg"
    store = S3ObjectStore(clients, sessions, S3Place(stack.s3_endpoint))
    await store.get_file(storage, await studio.rows.fetchval(_RESULT), picture)
    session = await sessions.credentials(storage)
    clients.close()
    sheet, sheet_plan = (
        folder / "sheet.jpg",
        plan(_sheet_request(picture), version=__version__, signed_ingredients=range(TAKES)),
    )
    on_sheet = [SheetTake(number, "succeeded", number, "0.08", "", picture) for number in range(1, TAKES + 1)]
    write_sheet("Concept  concept art", "stability.sd3-5-large-v1:0", on_sheet, None, sheet, Bounds())
    anchors = (
        TrustAnchor("manifest", OWN_SIGNERS, stack.pki.roots.read_text()),
        TrustAnchor("tsa", OWN_TIMESTAMPS, stack.pki.tsa_roots.read_text()),
    )
    return Setting(
        picture=str(picture),
        manifest=dict(plan(_sign_request(picture), version=__version__).definition),
        sheet=str(sheet),
        sheet_manifest=dict(sheet_plan.definition),
        ingredients=[dict(one) for one in sheet_plan.ingredients],
        library=library_settings(anchors, CREATED_ASSERTION_LABELS),
        chain=str(stack.pki.chain),
        key=str(stack.pki.key),
        tsa_url=stack.tsa_url,
        endpoint=stack.s3_endpoint,
        region=storage.region,
        bucket=storage.bucket,
        kms_key_arn=storage.kms_key_arn,
        access_key_id=session.access_key_id,
        secret_access_key=session.secret_access_key,
        session_token=session.session_token,
    )


def _sheet_request(picture: Path) -> SignRequest:
    take = Ingredient(picture, "image/jpeg", "take 1", "0" * 64, "componentOf", "algorithmicMedia")
    an_id = str(UUID(int=0))
    return SignRequest(
        source=picture,
        target=picture,
        media_type="image/jpeg",
        title="contact sheet",
        digital_source_type="compositeSynthetic",
        ai_system="",
        ai_system_version="",
        model_type="",
        rights="",
        ingredients=[take] * TAKES,
        generation={"production": an_id, "generation": an_id, "contact_sheet": True, "ledger_entry": an_id},
    )


def _sign_request(picture: Path) -> SignRequest:
    """What a take's manifest says, in fields of the same length."""
    an_id = str(UUID(int=0))
    return SignRequest(
        source=picture,
        target=picture,
        media_type="image/jpeg",
        title="concept_concept_art_000000_t01.jpg",
        digital_source_type="algorithmicMedia",
        ai_system="Stable Diffusion 3.5 Large",
        ai_system_version="stability.sd3-5-large-v1:0",
        model_type="c2pa.types.model",
        rights="Rights are on record with the production.",
        ingredients=[],
        generation={
            "production": an_id,
            "shot": None,
            "generation": an_id,
            "take": an_id,
            "take_number": 1,
            "kind": "concept_art",
            "model": "stability.sd3-5-large-v1:0",
            "seed": 1234567890,
            "prompt_hash": "0" * 64,
            "ledger_entry": an_id,
            "inputs": {},
        },
    )
