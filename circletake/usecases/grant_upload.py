"""Presigned URLs for an upload under way: given, renewed, and recorded. The URLs themselves are never kept.

No transaction is open while the bucket is asked or a URL is signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update

from circletake.domain.errors import Conflict, Invalid
from circletake.domain.media import PARTS_AT_ONCE, PartPlan, expiry_of, incoming_key
from circletake.domain.people import Actor
from circletake.domain.pictures import Violation
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import ObjectStore, StorageFault
from circletake.records.media import Grant, MediaFile
from circletake.records.session import Database
from circletake.usecases.find_media import find_file, get_media

GRANT_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class PartGrant:
    number: int
    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadOffer:
    """How to send the bytes: one PUT, or parts. `restarted`: the parts sent before are gone, begin again."""

    url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    part_size: int | None = None
    part_count: int | None = None
    parts: Sequence[PartGrant] = ()
    uploaded_parts: Sequence[int] = ()
    restarted: bool = False


async def renew_upload(
    database: Database,
    store: ObjectStore,
    storage: TenantStorage,
    *,
    actor: Actor,
    media_id: UUID,
    parts: Sequence[int] | None = None,
) -> tuple[MediaFile, UploadOffer]:
    """Give new URLs for an upload that isn't completed. Raises NotFound, Conflict, Invalid for a part that it hasn't."""
    file = await get_media(database, storage.tenant_id, media_id)
    if file.state != "uploading":
        raise Conflict(
            f"This file is {file.state}: there is nothing left to upload.",
            code="not_uploading",
            state=file.state,
        )
    _check_parts(file, parts)
    return file, await offer_upload(database, store, storage, file, actor=actor, parts=parts)


def _check_parts(file: MediaFile, parts: Sequence[int] | None) -> None:
    if parts is None:
        return
    if file.part_size is None:
        raise Invalid([Violation("/parts", "no_parts", "This file is sent with one PUT: leave `parts` out.")])
    count = PartPlan(file.size, file.part_size).count
    found = [
        Violation(f"/parts/{index}", "no_such_part", f"The parts are 1 to {count}.")
        for index, number in enumerate(parts)
        if not 1 <= number <= count
    ]
    if found:
        raise Invalid(found)


async def offer_upload(
    database: Database,
    store: ObjectStore,
    storage: TenantStorage,
    file: MediaFile,
    *,
    actor: Actor,
    parts: Sequence[int] | None = None,
) -> UploadOffer:
    """Sign what is still to be sent: the parts asked for, or the next ones that haven't arrived."""
    if file.part_size is None:
        offer = await _one_put(store, storage, file)
    else:
        offer = await _in_parts(database, store, storage, file, PartPlan(file.size, file.part_size), parts)
    grants = [
        {"purpose": "part", "part_number": part.number, "expires_at": part.expires_at} for part in offer.parts
    ]
    if offer.url is not None:
        grants = [{"purpose": "upload", "part_number": None, "expires_at": offer.expires_at}]
    if grants:
        same = {
            "tenant_id": file.tenant_id,
            "media_id": file.id,
            "api_key_id": actor.api_key_id,
            "person_id": actor.person_id,
        }
        async with database.tenant(file.tenant_id) as session:
            await session.execute(insert(Grant), [{"id": new_id(), **same, **grant} for grant in grants])
    return offer


async def _one_put(store: ObjectStore, storage: TenantStorage, file: MediaFile) -> UploadOffer:
    url = await store.presign_put(
        storage, incoming_key(file.id), seconds=GRANT_SECONDS, media_type=file.media_type, size=file.size
    )
    headers = {"Content-Type": file.media_type, "Content-Length": str(file.size)}
    return UploadOffer(url=url, headers=headers, expires_at=expiry_of(url))


async def _in_parts(
    database: Database,
    store: ObjectStore,
    storage: TenantStorage,
    file: MediaFile,
    plan: PartPlan,
    asked: Sequence[int] | None,
) -> UploadOffer:
    key, arrived, restarted = incoming_key(file.id), dict[int, int](), False
    upload_id = file.upload_id
    if upload_id is None:
        upload_id = await _start(database, store, storage, file)
    else:
        try:
            arrived = {part.number: part.size for part in await store.list_parts(storage, key, upload_id)}
        except StorageFault as fault:
            if fault.kind != "no_upload":
                raise
            if await _is_whole(store, storage, file):  # joined, and nobody was there to record it
                everything = range(1, plan.count + 1)
                return UploadOffer(
                    part_size=plan.part_size, part_count=plan.count, uploaded_parts=list(everything)
                )
            upload_id, restarted = await _start(database, store, storage, file), True
    missing = plan.missing(arrived)
    wanted = missing[:PARTS_AT_ONCE] if asked is None else sorted(set(asked))
    grants = []
    for number in wanted:
        url = await store.presign_part(storage, key, upload_id, number, seconds=GRANT_SECONDS)
        grants.append(PartGrant(number, url, expiry_of(url)))
    return UploadOffer(
        part_size=plan.part_size,
        part_count=plan.count,
        parts=grants,
        uploaded_parts=sorted(set(range(1, plan.count + 1)) - set(missing)),
        restarted=restarted,
    )


async def _start(database: Database, store: ObjectStore, storage: TenantStorage, file: MediaFile) -> str:
    """Begin a multipart upload in place of the one that `file` knows. Somebody else's newer one wins."""
    key = incoming_key(file.id)
    upload_id = await store.start_multipart(storage, key, file.media_type)
    async with database.tenant(file.tenant_id) as session:
        ours = await session.scalar(
            update(MediaFile)
            .where(
                MediaFile.tenant_id == file.tenant_id,
                MediaFile.id == file.id,
                MediaFile.state == "uploading",
                MediaFile.upload_id.is_not_distinct_from(file.upload_id),
            )
            .values(upload_id=upload_id)
            .returning(MediaFile.upload_id)
        )
        now = None if ours else await find_file(session, file.tenant_id, file.id)
    if now is None:
        return upload_id
    await store.abort_multipart(storage, key, upload_id)
    if now.state != "uploading" or now.upload_id is None:
        raise Conflict(f"This file is {now.state} now.", code="not_uploading", state=now.state)
    return now.upload_id


async def _is_whole(store: ObjectStore, storage: TenantStorage, file: MediaFile) -> bool:
    try:
        return (await store.head(storage, incoming_key(file.id))).size == file.size
    except StorageFault as fault:
        if fault.kind != "missing":
            raise
        return False
