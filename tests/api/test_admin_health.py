"""Health, readiness, metrics and support ids."""

import asyncio
import re
from dataclasses import replace

import aiohttp

from circletake.adapters.aws import AwsClients
from circletake.records.session import Database
from services.api.readiness import Dependency, Readiness
from services.embedded.s3 import REGION
from services.embedded.stack import Stack
from tests.gateway import Client, Studio
from tests.logs import in_the_log
from tests.stack import Database as Migrated

NOWHERE = "http://127.0.0.1:9"


async def look(stack: Stack, app_url: str, operator_url: str, **endpoints: str) -> dict[str, Dependency]:
    app, operator = Database(app_url, pool_size=1), Database(operator_url, pool_size=1)
    aws = AwsClients(threads=2)
    endpoint = stack.s3_endpoint
    places = {"s3": endpoint, "kms": endpoint, "sts": stack.bedrock_url, **endpoints}
    try:
        readiness = Readiness(app, operator, aws, region=REGION, endpoints=places)
        return dict((await readiness.report()).dependencies)
    finally:
        aws.close()
        await app.close()
        await operator.close()


async def test_the_process_answers(operator: Client) -> None:
    """Liveness needs no key and looks at nothing else."""
    nobody = Client(operator.http, operator.base, "")
    assert (await nobody.get("/healthz")).json == {"status": "alive"}


async def test_a_running_stack_becomes_ready_and_names_what_it_rests_on(operator: Client) -> None:
    """Once every worker has started the answer is 200, dependency by dependency."""
    async with asyncio.timeout(60):
        while (ready := await operator.get("/readyz")).status != 200:  # noqa: ASYNC110 - a prober can only ask again
            await asyncio.sleep(0.5)
    assert ready.json["status"] == "ready"
    assert {"postgres", "s3", "sts", "kms", "dispatcher", "workers_generate"} <= ready.json[
        "dependencies"
    ].keys()


async def test_what_is_down_is_told_and_what_is_up_stays_up(stack: Stack, database: Migrated) -> None:
    """S3 is gone and nobody works this database's queue: just that is said, as codes."""
    seen = await look(stack, database.url("app"), database.url("operator"), s3=NOWHERE)
    assert (seen["postgres"].ok, seen["sts"].ok, seen["kms"].ok) == (True, True, True)
    assert (seen["s3"].ok, seen["s3"].detail) == (False, "unreachable")
    assert (seen["dispatcher"].ok, seen["dispatcher"].detail) == (False, "not_seen")
    assert seen["workers_generate"].detail == "no_workers"


async def test_without_its_database_nothing_is_claimed_to_live(stack: Stack, database: Migrated) -> None:
    """Who can't read the workers' beats doesn't know that they live."""
    gone = re.sub(r":\d+/", ":9/", database.url("operator"))
    seen = await look(stack, gone, gone)
    down = {name for name, each in seen.items() if not each.ok}
    assert {"postgres", "postgres_operator", "dispatcher", "workers_generate"} <= down
    assert seen["s3"].ok


async def test_readiness_tells_no_secret(stack: Stack, database: Migrated) -> None:
    """Anybody may ask: there is no address, no password and no message in the answer."""
    gone = re.sub(r":\d+/", ":9/", database.url("operator"))
    shown = str(await look(stack, gone, gone, s3=NOWHERE))
    for secret in ("127.0.0.1", "circletake_operator", "Error", stack.facts.role_passwords["operator"]):
        assert secret not in shown


async def test_metrics_show_the_queue_to_the_machine_itself(operator: Client) -> None:
    """Prometheus on the same machine scrapes without a key; labels never name a tenant."""
    nobody = Client(operator.http, operator.base, "")
    scraped = await nobody.get("/metrics")
    assert scraped.status == 200
    text = scraped.body.decode()
    assert re.search(r'circletake_queue_steps\{lane="generate",state="ready"\} \d', text)
    assert "circletake_queue_read 1.0" in text
    assert "circletake_http_requests_total" in text
    assert "tenant" not in re.sub(r'route="[^"]*"', "", text)


async def test_metrics_asked_for_through_a_proxy_need_the_operators_key(
    operator: Client, studio: Studio
) -> None:
    """A proxy on this machine must not make everybody a neighbour."""
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    for client, status in ((replace(operator, key=""), 401), (studio, 401), (operator, 200)):
        assert (await client.get("/metrics", headers=forwarded)).status == status


async def test_a_problems_support_id_finds_its_log_lines(operator: Client, running: Stack) -> None:
    """What a caller quotes to support is in the log of the request, on both sides of the gateway."""
    for path in ("/v1/takes/unknown", "/admin/v1/tenants/unknown"):
        refused = await operator.get(path)
        support_id = refused.json["support_id"]
        assert support_id == refused.headers["X-Support-Id"]
        assert await in_the_log(running, f"support_id={support_id}")


async def test_a_callers_own_trace_id_is_taken_when_it_is_harmless(
    operator: Client, http: aiohttp.ClientSession
) -> None:
    """A pipeline can give its own id; what could break a log line is replaced."""
    given = await operator.get("/healthz", headers={"X-Support-Id": "render-farm-0042"})
    assert given.headers["X-Support-Id"] == "render-farm-0042"
    odd = await operator.get("/healthz", headers={"X-Support-Id": "a b=c; state=ok"})
    assert re.fullmatch("[0-9a-f]{16}", odd.headers["X-Support-Id"])
