"""Texts that AI wrote, known again wherever they are used: by a keyed hash of their words."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Text, any_, bindparam, exists, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.language.words import normal_text
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.language import AiText
from circletake.records.session import TenantSession

SHORTEST = 20  # characters: a shorter text can be anybody's


def text_hash(seal: Seal, text: str) -> str:
    return seal.keyed_hash(b"ai text\0" + normal_text(text).encode())


async def keep_ai_texts(
    session: TenantSession, seal: Seal, tenant_id: UUID, request_id: UUID, texts: Iterable[str | None]
) -> None:
    """Remember texts of a language request's answer."""
    hashes = sorted({text_hash(seal, each) for each in texts if each and len(each) >= SHORTEST})
    if not hashes:
        return
    rows = [
        {"id": new_id(), "tenant_id": tenant_id, "text_hash": each, "request_id": request_id}
        for each in hashes
    ]
    await session.execute(
        upsert(AiText).values(rows).on_conflict_do_nothing(index_elements=["tenant_id", "text_hash"])
    )


async def ai_text_used(session: TenantSession, seal: Seal, tenant_id: UUID, *texts: str | None) -> bool:
    """Say whether one of these texts is, word for word, one that a language model wrote for this tenant."""
    hashes = [text_hash(seal, each) for each in texts if each and len(each) >= SHORTEST]
    if not hashes:
        return False
    known = exists().where(
        AiText.tenant_id == tenant_id,
        AiText.text_hash == any_(bindparam(None, hashes, type_=ARRAY(Text()))),
    )
    return bool(await session.scalar(select(known)))
