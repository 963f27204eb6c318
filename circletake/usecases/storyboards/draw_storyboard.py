"""A storyboard on pages: stills and a PDF, all of it signed."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from circletake.domain.storyboards.disclosure import disclosure, made_by_ai
from circletake.domain.storyboards.panels import document_name
from circletake.domain.storyboards.timing import seconds_text
from circletake.kit.ids import new_id
from circletake.ports import BoardHeading, BoardPanel, SignedFile, SigningFault, SignRequest
from circletake.usecases.finish_take import RIGHTS
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.storyboards.make_stills import (
    Still,
    as_ingredients,
    make_stills,
    remarks_of,
    shown,
    stills_type,
)
from circletake.usecases.storyboards.plans import BoardPlan
from circletake.usecases.storyboards.work import BoardWork, begin, not_signed, publish, signed_as
from circletake.usecases.tools import Tools

PDF = "application/pdf"
_LABELS = (("caption", ""), ("action", "ACTION"), ("dialogue", "DIALOGUE"), ("camera", "CAMERA"))


async def draw_storyboard(tools: Tools, step: ClaimedStep) -> None:
    """Run a `storyboard` step: `subject_id` is the drawing. Ends without a word when it is made already."""
    work = await begin(tools, step)
    if work is None:
        return
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        try:
            stills = await make_stills(tools, work, folder)
            drawn = folder / "drawn.pdf"
            pages = await tools.storyboards.document(
                heading_of(work, stills), [board_panel(work.plan, each) for each in stills], drawn
            )
            signed = await _sign(tools, work, stills, drawn, folder)
        except SigningFault as fault:
            await not_signed(tools, step, fault)
            return
        document = signed_as(
            signed,
            part="document",
            name=document_name(work.plan.board, work.plan.version),
            media_type=PDF,
            source_type=stills_type(stills),
            media_id=new_id(),
            row={"probe": {"pages": pages}},
        )
        files = [*(each.made for each in stills), document]
        await publish(tools, work, files, remarks=remarks_of(stills), pages=pages)


def disclosure_of(stills: Sequence[Still]) -> str:
    """What the storyboard says of where its pictures and words come from."""
    return disclosure(
        [(each.panel.number, each.made.source_type) for each in stills if not each.remark],
        [each.panel.number for each in stills if each.panel.ai_generated_text],
    )


def heading_of(work: BoardWork, stills: Sequence[Still]) -> BoardHeading:
    plan = work.plan
    count = "1 panel" if len(plan.panels) == 1 else f"{len(plan.panels)} panels"
    parts = [
        plan.production_title,
        plan.sequence_code,
        f"scene {plan.words['scene']}" if "scene" in plan.words else None,
        plan.words.get("script_ref"),
        f"{count}, {seconds_text(plan.frames, plan.rate)} at {plan.rate} frames per second",
    ]
    return BoardHeading(
        board=plan.board,
        title=plan.words.get("title", ""),
        subtitle=" · ".join(part for part in parts if part),
        foot=f"{disclosure_of(stills)}. Signed with C2PA: this file and each still say where they come from.",
        aside=f"v{plan.version:03d} · {work.output.asked_at:%Y-%m-%d}",
    )


def board_panel(plan: BoardPlan, still: Still) -> BoardPanel:
    panel = still.panel
    return BoardPanel(
        name=panel.name,
        shot=panel.shot_code or "",
        length=f"{panel.frames} f · {seconds_text(panel.frames, plan.rate)}",
        tag="AI" if made_by_ai(still.made.source_type) and not still.remark else "",
        still=still.made.path,
        words=[(label, panel.words[name]) for name, label in _LABELS if name in panel.words],
        card=bool(still.remark),
    )


async def _sign(
    tools: Tools, work: BoardWork, stills: Sequence[Still], drawn: Path, folder: Path
) -> SignedFile:
    output = work.output
    return await tools.signer.sign(
        SignRequest(
            source=drawn,
            target=folder / "storyboard.pdf",
            media_type=PDF,
            title="storyboard",
            digital_source_type=stills_type(stills),
            ai_system="",  # lettering and layout are ours; the models stand in the pictures' own manifests
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=as_ingredients(stills),
            generation={
                "production": str(output.production_id),
                "storyboard": str(output.storyboard_id),
                "storyboard_version": output.storyboard_version,
                "ledger_entry": str(output.ledger_entry_id),
                "disclosure": disclosure_of(stills),
                "shows": shown(stills),
            },
        )
    )
