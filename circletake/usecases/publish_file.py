"""Putting an output where people find it, so that no crash leaves a file that no row knows.

The key is written down in the step before the object is put and means something only once a media file holds it: a
later try of the same step takes away what an earlier one put and never recorded. Each try has a key of its own, so a
worker that lost its lease can never overwrite what another one published.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import update

from circletake.ports import StoredObject
from circletake.records.steps import Step
from circletake.usecases.steps import ClaimedStep, FenceLost
from circletake.usecases.tools import TenantAtWork, Tools

_PUTTING = "putting"


@dataclass(frozen=True, slots=True)
class Output:
    """A finished file on the local disk and the new key it is to have."""

    key: str
    path: Path
    media_type: str


async def publish_file(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    *,
    key: str,
    path: Path,
    media_type: str,
    record: Callable[[StoredObject], Awaitable[bool]],
) -> None:
    """Put one file under a new key and have it recorded; see `publish_files`."""

    async def record_one(stored: Sequence[StoredObject]) -> bool:
        return await record(stored[0])

    await publish_files(tools, tenant, step, [Output(key, path, media_type)], record=record_one)


async def publish_files(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    outputs: Sequence[Output],
    *,
    record: Callable[[Sequence[StoredObject]], Awaitable[bool]],
) -> None:
    """Put files under new keys and have them recorded, all or none. `record` ends the step in the transaction that
    records the files and returns whether it did; without a record the objects are taken away again. Raises FenceLost.
    """
    await take_away_unrecorded(tools, tenant, step.details)
    keys = [each.key for each in outputs]
    async with tools.database.tenant(step.tenant_id) as session:
        noted = await session.scalar(
            update(Step)
            .where(
                Step.tenant_id == step.tenant_id,
                Step.id == step.id,
                Step.fence == step.fence,
                Step.state == "running",
            )
            .values(details={**step.details, _PUTTING: keys})
            .returning(Step.id)
            .execution_options(synchronize_session=False)
        )
        if noted is None:
            raise FenceLost
    putting = asyncio.gather(
        *(tools.store.put_file(tenant.storage, each.key, each.path, each.media_type) for each in outputs)
    )
    try:
        stored = await asyncio.shield(putting)
    except asyncio.CancelledError:
        # the upload goes on in its thread whether it is waited for or not
        await asyncio.wait({putting})
        await tools.store.delete(tenant.storage, keys)
        raise
    try:
        recorded = await record(stored)
    except FenceLost:
        await tools.store.delete(tenant.storage, keys)
        raise
    if not recorded:
        await tools.store.delete(tenant.storage, keys)


async def take_away_unrecorded(tools: Tools, tenant: TenantAtWork, details: Mapping[str, Any]) -> None:
    """Delete what an earlier try of a step put. Only for a step that isn't done: a done one has recorded it."""
    if details.get(_PUTTING):
        await tools.store.delete(tenant.storage, details[_PUTTING])
