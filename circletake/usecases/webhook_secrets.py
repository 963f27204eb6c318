"""The signing secrets of webhook endpoints: made here, sealed at rest, opened only to sign.

An endpoint has two kinds at once, and both sign every message: `whsec_`, which its owner shares with us, and the
ed25519 key `whsk_`, of which the owner has only the public half and which therefore proves that it was us.
"""

import base64
import secrets as random
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, insert, or_, select, update

from circletake.kit.ids import new_id
from circletake.ports import Seal, SigningSecret
from circletake.records.events import WebhookSecret
from circletake.records.session import TenantSession

_HMAC_BYTES = 32  # the specification asks for 24 to 64


def new_hmac_secret() -> str:
    """Return a new `whsec_` secret of 32 random bytes, shared with the receiver."""
    return "whsec_" + base64.b64encode(random.token_bytes(_HMAC_BYTES)).decode()


def new_ed25519_pair() -> tuple[str, str]:
    """Return a new (`whsk_` private, `whpk_` public) pair; only the public half is for the receiver."""
    key = Ed25519PrivateKey.generate()
    private = base64.b64encode(key.private_bytes_raw()).decode()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return "whsk_" + private, "whpk_" + public


@dataclass(frozen=True, slots=True)
class NewSecrets:
    """What an endpoint's owner is shown once (`secret`) and may look up again (`public_key`)."""

    secret: str = field(repr=False)
    public_key: str


def _place(secret_id: UUID) -> str:
    return f"webhook_secrets.value:{secret_id}"


async def add_secrets(session: TenantSession, seal: Seal, tenant_id: UUID, endpoint_id: UUID) -> NewSecrets:
    """Make and store a new secret of each kind; they sign from the next message on."""
    shared = new_hmac_secret()
    private, public = new_ed25519_pair()
    for value, public_key in ((shared, None), (private, public)):
        secret_id = new_id()
        await session.execute(
            insert(WebhookSecret).values(
                id=secret_id,
                tenant_id=tenant_id,
                endpoint_id=endpoint_id,
                value=seal.close(value, place=_place(secret_id)),
                public_key=public_key,
            )
        )
    return NewSecrets(shared, public)


async def retire_secrets(
    session: TenantSession, tenant_id: UUID, endpoint_id: UUID, *, expires_at: datetime
) -> None:
    """Let the present secrets sign until then, and remove what was on its way out already: two live at most."""
    await remove_secrets(session, tenant_id, endpoint_id, retired_only=True)
    await session.execute(
        update(WebhookSecret)
        .where(WebhookSecret.tenant_id == tenant_id, WebhookSecret.endpoint_id == endpoint_id)
        .values(expires_at=expires_at)
    )


async def remove_secrets(
    session: TenantSession, tenant_id: UUID, endpoint_id: UUID, *, retired_only: bool = False
) -> None:
    query = delete(WebhookSecret).where(
        WebhookSecret.tenant_id == tenant_id, WebhookSecret.endpoint_id == endpoint_id
    )
    if retired_only:
        query = query.where(WebhookSecret.expires_at.is_not(None))
    await session.execute(query)


async def live_secrets(
    session: TenantSession, seal: Seal, tenant_id: UUID, endpoint_id: UUID
) -> list[SigningSecret]:
    """The endpoint's secrets, opened, the newest first."""
    rows = await session.scalars(
        select(WebhookSecret)
        .where(
            WebhookSecret.tenant_id == tenant_id,
            WebhookSecret.endpoint_id == endpoint_id,
            or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.now()),
        )
        .order_by(WebhookSecret.id.desc())
    )
    return [SigningSecret(seal.open(row.value, place=_place(row.id)).decode()) for row in rows]
