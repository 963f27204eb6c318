"""The step with which the work on a take begins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from circletake.domain.kinds import InputSlot
from circletake.kit.ids import new_id
from circletake.records.generations import Generation


def step_for_take(
    tenant_id: UUID,
    generation_id: UUID,
    take_id: UUID,
    model_id: str,
    mode: str,
    deadline_at: datetime | None,
) -> dict[str, Any]:
    """The first step of a take: one call, or the submission of an asynchronous one."""
    synchronous = mode == "sync"
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "generate" if synchronous else "submit",
        "lane": "generate" if synchronous else "async",
        "capped_by": model_id,
        "deadline_at": deadline_at,
        "generation_id": generation_id,
        "take_id": take_id,
    }


def first_step(
    generation: Generation,
    take_id: UUID,
    changes: Mapping[str, Any] | None,
    model_id: str,
    mode: str,
    deadline_at: datetime | None,
) -> dict[str, Any]:
    """The first step of a take: its matte when only a region is made anew and there is none yet, else the call."""
    needs_matte = "region" in (changes or {}) and InputSlot.MATTE.value not in (changes or {})["inputs"]
    if not needs_matte:
        return step_for_take(generation.tenant_id, generation.id, take_id, model_id, mode, deadline_at)
    return {
        "id": new_id(),
        "tenant_id": generation.tenant_id,
        "kind": "matte",
        "lane": "finish",
        "capped_by": "",
        "deadline_at": deadline_at,
        "generation_id": generation.id,
        "take_id": take_id,
    }


def screen_step(tenant_id: UUID, generation_id: UUID) -> dict[str, Any]:
    """Look at a generation's pictures for people nobody declared; its takes begin when that is done."""
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "screen",
        "lane": "judge",
        "capped_by": "",
        "deadline_at": None,
        "generation_id": generation_id,
        "take_id": None,
        "priority": 1,
    }


def expiry_step(tenant_id: UUID, generation_id: UUID, deadline_at: datetime) -> dict[str, Any]:
    """What is held has no step of its own that its deadline could end: this one looks when it has come."""
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "expire",
        "lane": "notify",
        "capped_by": "",
        "run_at": deadline_at,
        "generation_id": generation_id,
    }
