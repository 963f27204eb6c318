"""How the drawing of a storyboard ends when something happens to it: nothing is left open, nothing withdrawn is
published."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from circletake.adapters.vision.storyboards.desk import VisionStoryboardDesk
from circletake.domain.people import PLATFORM
from circletake.domain.storyboards.panels import PanelDraft
from circletake.ports import BoardHeading, BoardPanel
from circletake.usecases.bury_step import bury_step
from circletake.usecases.idempotency import Answer
from circletake.usecases.steps import add_step
from circletake.usecases.storyboards.draw_storyboard import draw_storyboard
from circletake.usecases.storyboards.edit_panels import put_panels
from circletake.usecases.storyboards.edit_storyboards import create_storyboard
from circletake.usecases.storyboards.find_storyboards import OutputView, get_output
from circletake.usecases.storyboards.request_output import request_output
from circletake.usecases.withdraw_media import withdraw_media
from services.embedded.stack import Stack
from tests.cast import backdrop, png
from tests.integration.media_bench import Bench, Instruments, bench, instruments
from tests.stack import Database


class Interrupted(VisionStoryboardDesk):
    """The desk itself, with a picture being withdrawn while its first page is drawn."""

    house: Bench
    picture: UUID | None = None

    async def document(self, heading: BoardHeading, panels: Sequence[BoardPanel], target: Path) -> int:
        gone, self.picture = self.picture, None
        if gone is not None:
            await withdraw_media(
                self.house.database,
                self.house.seal,
                tenant_id=self.house.tenant.tenant_id,
                actor=PLATFORM,
                media_id=gone,
            )
        return await super().document(heading, panels, target)


@pytest.fixture(scope="module")
async def things(stack: Stack) -> AsyncIterator[Instruments]:
    async with instruments(stack) as made:
        yield made


@pytest.fixture
async def desk() -> AsyncIterator[Interrupted]:
    made = Interrupted()
    yield made
    made.close()


@pytest.fixture
async def house(
    things: Instruments, database: Database, tmp_path: Path, desk: Interrupted
) -> AsyncIterator[Bench]:
    async with bench(things, database, tmp_path, storyboards=desk) as made:
        desk.house = made
        yield made


async def board_of(house: Bench, *panels: PanelDraft) -> UUID:
    tenant_id = house.tenant.tenant_id
    made: list[UUID] = []

    def answer(view: Any) -> Answer:
        made.append(view.board.id)
        return Answer(201, b"{}")

    await create_storyboard(
        house.database,
        house.seal,
        tenant_id=tenant_id,
        production_id=house.production_id,
        values={"title": "The valley"},
        claim=None,
        answer=answer,
    )
    await put_panels(
        house.database,
        house.seal,
        tenant_id=tenant_id,
        storyboard_id=made[0],
        drafts=panels,
        expect=lambda version: None,
    )
    return made[0]


async def asked(house: Bench, board_id: UUID) -> OutputView:
    return await request_output(
        house.database,
        house.seal,
        tenant_id=house.tenant.tenant_id,
        actor=PLATFORM,
        storyboard_id=board_id,
        kind="drawing",
        settings={},
    )


async def test_a_picture_withdrawn_while_it_is_drawn_is_not_published(
    house: Bench, desk: Interrupted
) -> None:
    """The drawing is begun again, with a card in the picture's place, and nothing of it is left in the bucket."""
    file = await house.ready(png(backdrop()))
    board_id = await board_of(house, PanelDraft(media_id=file.id))
    output = (await asked(house, board_id)).output
    desk.picture = file.id
    await draw_storyboard(house.tools, await house.claim(output.id))
    tenant_id = house.tenant.tenant_id
    view = await get_output(house.database, tenant_id, board_id, output.id, "drawing")
    assert (view.output.state, view.files) == ("queued", [])
    await draw_storyboard(house.tools, await house.claim(output.id))
    view = await get_output(house.database, tenant_id, board_id, output.id, "drawing")
    assert view.output.remarks == [{"panel": 1, "code": "picture_withdrawn"}]
    published = {str(each.media_id) for each in view.files}
    kept = [key for key in await house.stored() if key != file.object_key]  # its own purge is another step
    assert {key.split("/")[3] for key in kept} == published


async def test_a_drawing_whose_worker_is_lost_fails_and_can_be_asked_for_again(house: Bench) -> None:
    """It is told as failed, and isn't open for ever; the next request queues it anew under the same id."""
    board_id = await board_of(house, PanelDraft(texts={"caption": "no picture yet"}))
    output = (await asked(house, board_id)).output
    lost, tenant_id = await house.claim(output.id), house.tenant.tenant_id
    await house.sql("update steps set state = 'dead' where id = $1", lost.id)
    async with house.database.tenant(tenant_id) as session:
        await add_step(
            session, tenant_id, kind="bury", lane="finish", subject_id=lost.id, details={"kind": lost.kind}
        )
    await bury_step(house.tools, await house.claim(lost.id, "bury"))
    (told,) = [data for kind, data in await house.events() if kind == "storyboard.drawn"]
    assert (told["drawing_id"], told["state"], told["code"]) == (str(output.id), "failed", "dead_letter")
    again = (await asked(house, board_id)).output
    assert (again.id, again.state, again.failure_code) == (output.id, "queued", None)
