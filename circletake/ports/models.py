"""Models and their catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from circletake.domain.drafts import Draft
from circletake.domain.pictures import ModelCard
from circletake.domain.tenants import TenantStorage


@dataclass(frozen=True, slots=True)
class InvokeAnswer:
    body: bytes = field(repr=False)
    request_id: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class AsyncStatus:
    state: Literal["in_progress", "completed", "failed"]
    failure_message: str | None  # content: seal it, never log it
    client_request_token: str | None
    s3_uri: str | None


class ModelRunner(Protocol):
    """Calls a model under the tenant's own session. Every failure is a `circletake.domain.pictures.ModelFault`."""

    async def invoke(self, tenant: TenantStorage, card: ModelCard, body: bytes) -> InvokeAnswer: ...

    async def converse(self, tenant: TenantStorage, card: ModelCard, body: Mapping[str, Any]) -> InvokeAnswer:
        """Converse: `body` are the operation's members without the model's id, pictures as bytes.

        The answer's `body` is JSON: `output`, `stopReason`, `usage`, `metrics`. Sent once, as `invoke` is.
        """
        ...

    async def start_async(
        self, tenant: TenantStorage, card: ModelCard, body: Mapping[str, Any], *, token: str, s3_uri: str
    ) -> str:
        """Return the invocation ARN. The same token and body find the same invocation again."""
        ...

    async def poll_async(
        self, tenant: TenantStorage, card: ModelCard, invocation_arn: str
    ) -> AsyncStatus: ...


class ModelCatalogue(Protocol):
    def all(self) -> Sequence[ModelCard]: ...
    def get(self, model_id: str) -> ModelCard | None: ...
    def default_for(self, kind: str) -> ModelCard: ...
    def draft_for(self, kind: str) -> Draft: ...
