"""Tenants and API keys on the operator's wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.api_keys import ALL_SCOPES, Scope
from circletake.records.tenancy import ApiKey, Tenant
from circletake.usecases.keep_keys import MAX_KEY_DAYS, KeyWish, NewKey
from circletake.usecases.provision_tenant import Provisioned, progress
from services.api.schemas.common import Body, Reply, ShortText

TenantState = Literal["provisioning", "active", "suspended"]
Weight = Annotated[int, Field(ge=1, le=1000, description="Share of the fleet against other tenants")]
MaxRunning = Annotated[int, Field(ge=1, le=10_000, description="Steps in flight at once, at most")]
Slug = Annotated[
    str,
    Field(
        min_length=2,
        max_length=40,
        pattern=r"^[a-z](?:[a-z0-9-]*[a-z0-9])$",
        description="Lower-case letters, digits and -; part of the bucket's and the roles' names, for good",
    ),
]
ExpiresInDays = Annotated[int, Field(ge=1, le=MAX_KEY_DAYS)]


class KeyBody(Body):
    """A new API key."""

    name: ShortText = Field(description="What it is for, for example `pipeline`")
    scopes: list[Scope] = Field(
        default=[Scope(each) for each in ALL_SCOPES],
        min_length=1,
        max_length=len(ALL_SCOPES),
        description="What it may do. `review` is taken and allows a key nothing: circling, rejecting and approving"
        " are acts of people who sign in",
    )
    expires_in_days: ExpiresInDays = MAX_KEY_DAYS

    def to_wish(self) -> KeyWish:
        return KeyWish(self.name, [scope.value for scope in self.scopes], self.expires_in_days)


class TenantBody(Body):
    """A partner studio to be made a tenant."""

    slug: Slug
    name: ShortText
    weight: Weight = 1
    max_running: MaxRunning = 40
    key: KeyBody = Field(description="Its first API key")


class ProvisionBody(Body):
    key: KeyBody = Field(description="The first API key")


class TenantEdit(Body):
    """What is left out stays as it is."""

    name: ShortText | None = None
    weight: Weight | None = None
    max_running: MaxRunning | None = None


class TenantReply(Reply):
    id: UUID
    slug: str
    name: str
    state: TenantState
    region: str
    bucket: str | None
    kms_key_arn: str | None
    work_role_arn: str | None = Field(description="Workers assume it: models, bucket, key")
    grant_role_arn: str | None = Field(description="The gateway assumes it: bucket and key, no models")
    done: list[str] = Field(description="Of kms_key, bucket, roles, data_key: what is made")
    weight: int
    max_running: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, tenant: Tenant) -> "TenantReply":
        return cls(
            **{name: getattr(tenant, name) for name in cls.model_fields if name != "done"},
            done=progress(tenant)[0],
        )


class KeyReply(Reply):
    """An API key without its secret."""

    id: UUID
    key_id: str = Field(description="The public part, as in `ct_live_<key_id>_…`")
    name: str
    scopes: list[str]
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Within a minute")
    created_at: datetime

    @classmethod
    def of(cls, key: ApiKey) -> "KeyReply":
        return cls.model_validate(key)


class NewKeyReply(KeyReply):
    text: str = Field(description="The key itself. It is shown this once and not kept: store it now")

    @classmethod
    def of_new(cls, new: NewKey) -> "NewKeyReply":
        return cls(**KeyReply.of(new.key).model_dump(), text=new.text)


class ProvisionedReply(Reply):
    tenant: TenantReply
    key: NewKeyReply

    @classmethod
    def of(cls, made: Provisioned) -> "ProvisionedReply":
        return cls(tenant=TenantReply.of(made.tenant), key=NewKeyReply.of_new(made.first_key))


class RotateBody(Body):
    overlap_hours: int = Field(
        default=24, ge=0, le=30 * 24, description="How long the old key still works; 0 ends it at once"
    )
    expires_in_days: ExpiresInDays = MAX_KEY_DAYS
