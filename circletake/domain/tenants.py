"""What it takes to act for one tenant and nobody else."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TenantStorage:
    """A tenant's own bucket, key and roles. Adapters act only inside this."""

    tenant_id: UUID
    slug: str
    region: str
    bucket: str
    kms_key_arn: str
    work_role_arn: str  # assumed by workers: models, bucket, key
    grant_role_arn: str  # assumed by the gateway to presign: bucket and key only, no models
