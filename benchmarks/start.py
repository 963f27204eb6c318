"""Start latency: from T1's commit to the first bytes at the model server, with nothing else to do.

T1's time is Postgres' own commit timestamp of the ledger entry that T1 wrote; Postgres takes it just before it flushes
the commit to disk, so the flush is counted. The arrival is in the model server's call log. Same machine, same clock.
"""

import asyncio
from datetime import datetime

from benchmarks.report import Measure, percentile
from benchmarks.studio import Studio

AIM_P50_MS, AIM_P99_MS = 20.0, 80.0
SAMPLES = 100
WARM = 6
REST_SECONDS = 0.05

_COMMITS = """
select i.request_id, pg_xact_commit_timestamp(l.xmin) as committed_at
from ledger_entries l
join takes t on t.generation_id = l.subject_id
join invocations i on i.take_id = t.id
where l.kind = 'generation.requested' and l.subject_id = any($1::uuid[])
"""


async def measure(studio: Studio) -> list[Measure]:
    generations = []
    for _ in range(WARM + SAMPLES):
        generations.append(await studio.request(1))
        await asyncio.sleep(0.15)
        await studio.finished(generations[-1:])
        await asyncio.sleep(REST_SECONDS)
    arrived = await _arrivals(studio)
    rows = await studio.rows.fetch(_COMMITS, generations[WARM:])
    waits = [(arrived[row["request_id"]] - row["committed_at"]).total_seconds() * 1000 for row in rows]
    if len(waits) != SAMPLES:
        raise RuntimeError(f"{len(waits)} calls for {SAMPLES} takes")
    told = f"of {SAMPLES}: min {min(waits):.1f}, p90 {percentile(waits, 0.9):.1f}, max {max(waits):.1f}"
    return [
        Measure("start_latency_ms_p50", percentile(waits, 0.5), "ms", AIM_P50_MS, "lower", told),
        Measure("start_latency_ms_p99", percentile(waits, 0.99), "ms", AIM_P99_MS, "lower", told),
    ]


async def _arrivals(studio: Studio) -> dict[str, datetime]:
    """When each model call's first bytes came in, by its request id."""
    url = f"{studio.stack.bedrock_url}/_offline/calls?limit=10000"
    headers = {"Authorization": f"Bearer {studio.stack.facts.bedrock_admin_token}"}
    async with studio.http.get(url, headers=headers) as answer:
        calls = (await answer.json())["calls"]
    return {call["request_id"]: datetime.fromisoformat(call["at"]) for call in calls}
