"""What the stories that run on a worker are given: the ports, wired once per process."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from circletake.domain.choice.choices import PATIENCE, Patience
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.tenants import TenantStorage
from circletake.ports import (
    CutReader,
    Evaluator,
    ManifestSigner,
    ModelCatalogue,
    ModelRunner,
    ObjectStore,
    PictureDesk,
    Seal,
    StoryboardDesk,
    TimelineWriter,
    Vault,
    WebhookSender,
)
from circletake.ports.policies import PolicyShelf
from circletake.records.session import Database
from circletake.records.tenancy import Tenant

_KNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class TenantAtWork:
    """A tenant's bucket and its seal, the key already unwrapped."""

    storage: TenantStorage
    seal: Seal


@dataclass(slots=True)
class Tools:
    database: Database
    catalogue: ModelCatalogue
    vault: Vault
    store: ObjectStore
    runner: ModelRunner
    desk: PictureDesk
    signer: ManifestSigner
    sender: WebhookSender
    evaluator: Evaluator
    rules: JudgingRules
    cuts: CutReader
    storyboards: StoryboardDesk
    timelines: TimelineWriter
    packs: PolicyShelf
    scratch: Path
    webhook_timeout_seconds: float = 20.0
    webhook_disable_after_hours: float = 120.0
    poll_seconds: float = 5.0  # between two looks at an asynchronous invocation
    patience: Patience = PATIENCE  # with a model that is busy, before another one is asked
    public_url: str = ""
    _tenants: dict[UUID, tuple[float, TenantStorage, bytes]] = field(default_factory=dict)

    async def tenant(self, tenant_id: UUID) -> TenantAtWork:
        """Look a tenant up (kept for a minute) and unwrap its data key. No transaction may be open."""
        known = self._tenants.get(tenant_id)
        if known is None or known[0] < time.monotonic():
            async with self.database.tenant(tenant_id) as session:
                row = (await session.scalars(select(Tenant).where(Tenant.id == tenant_id))).one()
            known = (time.monotonic() + _KNOWN_SECONDS, row.storage, row.wrapped_data_key or b"")
            self._tenants[tenant_id] = known
        _, storage, wrapped = known
        return TenantAtWork(storage, await self.vault.seal(storage, wrapped))
