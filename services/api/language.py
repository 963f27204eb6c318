"""Waiting for what was asked of a language model, whichever the task."""

from uuid import UUID

from circletake.domain.language.words import OPEN_STATES, LanguageTask
from circletake.usecases.language import find_language
from circletake.usecases.language.values import LanguageView
from services.api.auth import seal_of
from services.api.keys import Principal
from services.api.requests import until
from services.api.wiring import Gateway


async def ended_request(
    desk: Gateway, who: Principal, task: LanguageTask, request_id: UUID, wait: float
) -> LanguageView | None:
    """Return the request once it has ended; None when the seconds are over first."""
    seal = await seal_of(desk, who)

    async def ended() -> LanguageView | None:
        view = await find_language.get_request(desk.database, seal, who.tenant_id, task, request_id)
        return None if view.row.state in OPEN_STATES else view

    return await until(desk.live, str(request_id), wait, ended)
