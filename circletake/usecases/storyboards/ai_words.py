"""Which panels' words a language model wrote: known by a keyed hash of the words, whatever the caller declares."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from circletake.domain.storyboards.panels import PanelDraft
from circletake.ports import Seal
from circletake.records.language import AiText
from circletake.records.session import TenantSession
from circletake.usecases.language.written_text import SHORTEST, text_hash


async def with_ai_words(
    session: TenantSession, seal: Seal, tenant_id: UUID, drafts: Sequence[PanelDraft]
) -> list[PanelDraft]:
    """Return the drafts, those marked whose words are AI text word for word; one query for all of them."""
    hashes = [
        {text_hash(seal, text) for text in draft.texts.values() if text and len(text) >= SHORTEST}
        for draft in drafts
    ]
    every = set[str]().union(*hashes)
    if not every:
        return list(drafts)
    known = set(
        await session.scalars(
            select(AiText.text_hash).where(AiText.tenant_id == tenant_id, AiText.text_hash.in_(every))
        )
    )
    return [
        replace(draft, ai_generated_text=True) if own & known else draft
        for draft, own in zip(drafts, hashes, strict=True)
    ]
