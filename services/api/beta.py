"""The doors of the beta programme, before every call of a studio: its invitation, and the features closed for it."""

import json
import time
from uuid import UUID

from fastapi import Request

from circletake.domain.beta.programme import (
    ALWAYS_OPEN,
    GENERATIONS,
    REFUSALS,
    Feature,
    Standing,
    closed_in_body,
    feature_of,
)
from circletake.domain.errors import Forbidden
from circletake.kit import clock
from circletake.records.session import Database
from circletake.usecases.beta.standing import standing_of

# What the operator changes is so within this time, as with keys.
CACHE_SECONDS = 3.0
_MOST = 10_000  # a bound on memory


class BetaDoor:
    """Lets a studio in or says why not, remembering how it stands for a few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[UUID, tuple[float, Standing]] = {}

    async def admit(self, request: Request, tenant_id: UUID) -> None:
        """Raise Forbidden (nda_required, invitation_expired, invitation_revoked, not_enabled)."""
        path = request.scope["route"].path
        if path in ALWAYS_OPEN:
            return
        standing = await self._standing(tenant_id)
        if standing.invitation is not None and standing.invitation in REFUSALS:
            code, says = REFUSALS[standing.invitation]
            raise Forbidden(says, code=code)
        if not standing.closed:
            return
        asked = feature_of(path)
        if asked in standing.closed:
            raise _not_enabled(asked)
        if path == GENERATIONS and request.method == "POST":
            await _admit_body(request, standing)

    def forget(self, tenant_id: UUID) -> None:
        """Look again at the next call."""
        self._known.pop(tenant_id, None)

    async def _standing(self, tenant_id: UUID) -> Standing:
        known = self._known.get(tenant_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        standing = await standing_of(self._database, tenant_id, now=clock.now())
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[tenant_id] = (time.monotonic() + CACHE_SECONDS, standing)
        return standing


async def _admit_body(request: Request, standing: Standing) -> None:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return  # the route says what is wrong with it
    asked = closed_in_body(body, standing.closed)
    if asked is not None:
        raise _not_enabled(asked)


def _not_enabled(feature: Feature | None) -> Forbidden:
    return Forbidden(
        "This feature isn't enabled for your studio: nothing about the request is wrong, and retrying won't change the"
        " answer. Ask the operator.",
        code="not_enabled",
        feature=feature,
    )
