"""A partner studio becomes a tenant: a row, its KMS key, bucket, roles and data key, then its first API key.

The row is committed before anything is made outside, and each result before the next is begun, with no session
open in between: what fails half-way is taken up where it ended, by the same request again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.errors import Conflict, Unavailable
from circletake.kit import logs
from circletake.kit.ids import new_id
from circletake.ports import SealBroken, StorageFault, TenantProvisioner, Vault
from circletake.records.session import Database
from circletake.records.tenancy import Tenant
from circletake.usecases.keep_keys import KeyWish, NewKey, add_key, lock_tenant
from circletake.usecases.keep_tenants import change_tenant, get_tenant

log = logs.logger(__name__)

# A new role can't be assumed at once: IAM is eventually consistent (IAM User Guide, "Troubleshoot IAM").
ROLE_WAITS = (0.5, 1.0, 2.0, 4.0, 4.0)


@dataclass(frozen=True, slots=True)
class NewTenant:
    """`weight` is the share of the fleet against other tenants, `max_running` how many steps may be in flight."""

    slug: str
    name: str
    region: str
    weight: int = 1
    max_running: int = 40


@dataclass(frozen=True, slots=True)
class Provisioned:
    tenant: Tenant
    first_key: NewKey


async def create_tenant(
    database: Database,
    provisioner: TenantProvisioner,
    vault: Vault,
    wanted: NewTenant,
    key: KeyWish,
    *,
    now: datetime,
    role_waits: Sequence[float] = ROLE_WAITS,
) -> Provisioned:
    """Make a tenant, or go on with one of this slug that was left half-made.

    Raises Conflict `slug_taken` when it is there already, Unavailable `provisioning_incomplete` with what is done.
    """
    async with database.role() as session:
        made = await session.scalar(
            upsert(Tenant)
            .values(
                id=new_id(),
                slug=wanted.slug,
                name=wanted.name,
                state="provisioning",
                region=wanted.region,
                weight=wanted.weight,
                max_running=wanted.max_running,
            )
            .on_conflict_do_update(
                index_elements=["slug"],
                # not live yet: what the operator asks for now is what counts; the region is in the made things
                set_={
                    "name": wanted.name,
                    "weight": wanted.weight,
                    "max_running": wanted.max_running,
                    "updated_at": func.now(),
                },
                where=Tenant.state == "provisioning",
            )
            .returning(Tenant.id)
        )
    if made is None:
        raise Conflict("A tenant with this slug exists already.", code="slug_taken")
    return await finish_provisioning(database, provisioner, vault, made, key, now=now, role_waits=role_waits)


async def finish_provisioning(
    database: Database,
    provisioner: TenantProvisioner,
    vault: Vault,
    tenant_id: UUID,
    key: KeyWish,
    *,
    now: datetime,
    role_waits: Sequence[float] = ROLE_WAITS,
) -> Provisioned:
    """Make what is still missing, issue the first key and open the tenant.

    Raises NotFound, Conflict `already_provisioned`, Unavailable `provisioning_incomplete`.
    """
    tenant = await get_tenant(database, tenant_id)
    if tenant.state != "provisioning":
        raise Conflict("This tenant is provisioned already.", code="already_provisioned")
    try:
        await _make_missing(database, provisioner, vault, tenant, role_waits)
    except (StorageFault, SealBroken) as fault:
        tenant = await get_tenant(database, tenant_id)
        done, missing = progress(tenant)
        reason = fault.kind if isinstance(fault, StorageFault) else "key_unusable"
        log.failure("provisioning_incomplete", fault, tenant_id=tenant_id, reason=reason, action=missing[0])
        raise Unavailable(
            f"The {missing[0].replace('_', ' ')} could not be made: send the same request again to go on.",
            code="provisioning_incomplete",
            tenant_id=str(tenant_id),
            done=done,
            missing=missing,
            reason=reason,
        ) from fault
    async with database.role() as session:
        tenant = await lock_tenant(session, tenant_id)
        if tenant.state != "provisioning":
            raise Conflict(
                "Another request has provisioned this tenant meanwhile.", code="already_provisioned"
            )
        first_key = await add_key(session, tenant_id, key, now=now)
        opened = await change_tenant(session, tenant_id, state="active")
    log.info("tenant_opened", tenant_id=tenant_id, slug=tenant.slug)
    return Provisioned(opened, first_key)


_MADE = ("kms_key", "bucket", "roles", "data_key")


def progress(tenant: Tenant) -> tuple[list[str], list[str]]:
    """Return what of (KMS key, bucket, roles, data key) is made and what is missing."""
    have = (
        tenant.kms_key_arn is not None,
        tenant.bucket is not None,
        tenant.work_role_arn is not None and tenant.grant_role_arn is not None,
        tenant.wrapped_data_key is not None,
    )
    done = [name for name, there in zip(_MADE, have, strict=True) if there]
    missing = [name for name, there in zip(_MADE, have, strict=True) if not there]
    # everything is made and only the last commit is missing
    return done, missing or ["first_key"]


async def _make_missing(
    database: Database,
    provisioner: TenantProvisioner,
    vault: Vault,
    tenant: Tenant,
    role_waits: Sequence[float],
) -> None:
    slug, tenant_id = tenant.slug, tenant.id
    key_arn, bucket = tenant.kms_key_arn, tenant.bucket
    if key_arn is None:
        key_arn = await provisioner.ensure_key(slug, tenant_id)
        tenant = await _keep(database, tenant_id, kms_key_arn=key_arn)
    if bucket is None:
        bucket = await provisioner.ensure_bucket(slug, tenant_id, key_arn)
        tenant = await _keep(database, tenant_id, bucket=bucket)
    if tenant.work_role_arn is None or tenant.grant_role_arn is None:
        work, grants = await provisioner.ensure_roles(slug, tenant_id, bucket, key_arn)
        tenant = await _keep(database, tenant_id, work_role_arn=work, grant_role_arn=grants)
    if tenant.wrapped_data_key is None:
        wrapped = await _data_key(vault, tenant, role_waits)
        await _keep_data_key(database, tenant_id, wrapped)


async def _data_key(vault: Vault, tenant: Tenant, waits: Sequence[float]) -> bytes:
    for wait in waits:
        try:
            return await vault.create_data_key(tenant.storage)
        except StorageFault as fault:
            if fault.kind != "denied":
                raise
            log.info("new_role_not_yet_usable", tenant_id=tenant.id, seconds=wait)
            await asyncio.sleep(wait)
    return await vault.create_data_key(tenant.storage)


async def _keep(database: Database, tenant_id: UUID, **columns: Any) -> Tenant:
    async with database.role() as session:
        return await change_tenant(session, tenant_id, **columns)


async def _keep_data_key(database: Database, tenant_id: UUID, wrapped: bytes) -> None:
    """The first one stays: two requests that provision at once must not seal under different keys."""
    async with database.role() as session:
        await session.execute(
            update(Tenant)
            .where(Tenant.id == tenant_id, Tenant.wrapped_data_key.is_(None))
            .values(wrapped_data_key=wrapped)
        )
