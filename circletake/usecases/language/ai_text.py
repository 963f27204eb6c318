"""Generations whose prompts a language model wrote: they say so, whatever is declared of them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from circletake.domain.language.words import normal_text
from circletake.ports import Seal
from circletake.records.language import AiText
from circletake.records.session import TenantSession
from circletake.usecases.language.written_text import SHORTEST, text_hash
from circletake.usecases.plan_generation import GenerationRequest


async def with_ai_text(
    session: TenantSession, seal: Seal, tenant_id: UUID, requests: Sequence[GenerationRequest]
) -> list[GenerationRequest]:
    """Return the requests, with `use.ai_text` said of those whose prompts a language model wrote, whatever they
    declare: one look for all of them."""
    prompts = {each.prompt for each in requests if each.prompt and len(each.prompt) >= SHORTEST}
    if not prompts:
        return list(requests)
    hashes = {text_hash(seal, each): each for each in prompts}
    known = await session.scalars(
        select(AiText.text_hash).where(
            AiText.tenant_id == tenant_id,
            AiText.text_hash == any_(bindparam(None, list(hashes), type_=ARRAY(Text()))),
        )
    )
    written = {normal_text(hashes[each]) for each in known}
    return [
        replace(each, use=replace(each.use, ai_text=True))
        if each.prompt and written and normal_text(each.prompt) in written
        else each
        for each in requests
    ]
