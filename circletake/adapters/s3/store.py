"""ObjectStore on S3 or a server that speaks S3."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from circletake.adapters.aws import AwsClients, storage_fault, under_session
from circletake.adapters.s3 import versions
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.ports import Part, SessionCredentials, StorageFault, StoredObject, TenantSessions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_MIB = 1024 * 1024
_ONE_REQUEST_COPY_LIMIT = 5 * 1024 * _MIB  # bytes, CopyObject
_AT_ONCE = 16 * _MIB  # read in one piece
_GRANT_SECONDS = 15 * 60

# 16 MiB parts: a server that holds a whole part in memory stays small. No threads beside the pool's own.
_TRANSFER = TransferConfig(multipart_threshold=64 * _MIB, multipart_chunksize=16 * _MIB, use_threads=False)


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the buckets answer. None means AWS. `public_endpoint` is the name a partner's machine reaches, for grants."""

    endpoint: str | None = None
    public_endpoint: str | None = None


class S3ObjectStore:
    """The tenant's bucket on S3. ETags are bare, without the quotes of the header."""

    def __init__(self, clients: AwsClients, sessions: TenantSessions, place: S3Place | None = None) -> None:
        self._clients = clients
        self._sessions = sessions
        self._place = place or S3Place()

    # --- whole objects -----------------------------------------------------------------------------------------

    async def put(self, tenant: TenantStorage, key: str, data: bytes, media_type: str) -> StoredObject:
        def ask(s3: "S3Client") -> StoredObject:
            answer = s3.put_object(
                Bucket=tenant.bucket, Key=key, Body=data, ContentType=media_type, **_sealed_with(tenant)
            )
            return StoredObject(key, len(data), _bare(answer["ETag"]), media_type)

        return await self._call(tenant, f"put {_shown(key)}", ask)

    async def put_file(self, tenant: TenantStorage, key: str, path: Path, media_type: str) -> StoredObject:
        """Upload a file; past 64 MiB in parts. The ETag is then S3's digest of digests, not the file's MD5."""

        def ask(s3: "S3Client") -> StoredObject:
            size = path.stat().st_size
            extra = {"ContentType": media_type, **_sealed_with(tenant)}
            if size < _TRANSFER.multipart_threshold:
                with path.open("rb") as body:
                    answer = s3.put_object(Bucket=tenant.bucket, Key=key, Body=body, **extra)
                return StoredObject(key, size, _bare(answer["ETag"]), media_type)
            with path.open("rb") as body:  # upload_file would hide S3's error code in a sentence
                s3.upload_fileobj(body, tenant.bucket, key, ExtraArgs=extra, Config=_TRANSFER)
            return _head(s3, tenant.bucket, key)

        return await self._call(tenant, f"put {_shown(key)}", ask)

    async def get(self, tenant: TenantStorage, key: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes; more than `max_bytes` is StorageFault `changed`: not the object that was expected."""

        def ask(s3: "S3Client") -> bytes:
            answer = s3.get_object(Bucket=tenant.bucket, Key=key)
            with answer["Body"] as body:
                if max_bytes is not None and answer["ContentLength"] > max_bytes:
                    raise StorageFault("changed", f"get {_shown(key)}: more than {max_bytes} bytes")
                return body.read()

        return await self._call(tenant, f"get {_shown(key)}", ask)

    async def get_file(self, tenant: TenantStorage, key: str, path: Path) -> int:
        """Stream to `path`, which appears only when it is whole; return its size in bytes."""

        def ask(s3: "S3Client") -> int:
            answer = s3.get_object(Bucket=tenant.bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] < _AT_ONCE:  # no manager, no threads, one request
                    part = path.with_name(f"{path.name}.part")
                    size = part.write_bytes(body.read())
                    part.replace(path)
                    return size
            s3.download_file(tenant.bucket, key, str(path), Config=_TRANSFER)
            return path.stat().st_size

        return await self._call(tenant, f"get {_shown(key)}", ask)

    async def head(self, tenant: TenantStorage, key: str) -> StoredObject:
        return await self._call(tenant, f"head {_shown(key)}", lambda s3: _head(s3, tenant.bucket, key))

    async def copy(
        self, tenant: TenantStorage, source: str, target: str, *, source_etag: str
    ) -> StoredObject:
        what = f"copy {_shown(source)} to {_shown(target)}"
        etag = f'"{_bare(source_etag)}"'

        def ask(s3: "S3Client") -> StoredObject:
            found = _head(s3, tenant.bucket, source)
            if found.etag != _bare(source_etag):
                raise StorageFault("changed", f"{what}: the source isn't the one it was")
            if found.size > _ONE_REQUEST_COPY_LIMIT:
                raise StorageFault("unavailable", f"{what}: copying more than 5 GiB isn't supported")
            answer = s3.copy_object(
                Bucket=tenant.bucket,
                Key=target,
                CopySource={"Bucket": tenant.bucket, "Key": source},
                CopySourceIfMatch=etag,
                **_sealed_with(tenant),
            )
            return StoredObject(
                target, found.size, _bare(answer["CopyObjectResult"]["ETag"]), found.media_type
            )

        return await self._call(tenant, what, ask)

    async def delete(self, tenant: TenantStorage, keys: Sequence[str]) -> None:
        for key in keys:
            await self._call(
                tenant, f"delete {_shown(key)}", partial(versions.delete_all, bucket=tenant.bucket, key=key)
            )

    async def list(self, tenant: TenantStorage, prefix: str) -> Sequence[StoredObject]:
        """Return every current object below the prefix, by key. A listing knows no media types."""

        def ask(s3: "S3Client") -> Sequence[StoredObject]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=tenant.bucket, Prefix=prefix)
            return [
                StoredObject(each["Key"], each["Size"], _bare(each["ETag"]))
                for page in pages
                for each in page.get("Contents", [])
            ]

        return await self._call(tenant, f"list {_shown(prefix)}", ask)

    # --- grants ------------------------------------------------------------------------------------------------

    async def presign_get(
        self, tenant: TenantStorage, key: str, *, seconds: int, filename: str | None = None
    ) -> str:
        wanted: dict[str, Any] = {"Bucket": tenant.bucket, "Key": key}
        if filename is not None:
            wanted["ResponseContentDisposition"] = content_disposition(filename)
        return await self._presign(tenant, "get_object", wanted, seconds)

    async def presign_put(
        self, tenant: TenantStorage, key: str, *, seconds: int, media_type: str, size: int
    ) -> str:
        """Grant one object of exactly this type and size: both headers are signed and must be sent as they are.

        Encryption isn't named, so that the sender needs no further header: the bucket's default is the tenant's key.
        """
        wanted = {"Bucket": tenant.bucket, "Key": key, "ContentType": media_type, "ContentLength": size}
        return await self._presign(tenant, "put_object", wanted, seconds)

    async def presign_part(
        self, tenant: TenantStorage, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str:
        wanted = {"Bucket": tenant.bucket, "Key": key, "UploadId": upload_id, "PartNumber": number}
        return await self._presign(tenant, "upload_part", wanted, seconds)

    async def _presign(
        self, tenant: TenantStorage, operation: str, wanted: dict[str, Any], seconds: int
    ) -> str:
        """A grant ends with the session that signed it, so it lives no longer than that, nor than 15 minutes."""
        credentials = await self._sessions.credentials(tenant)
        left = int((credentials.expires_at - clock.now()).total_seconds())
        life = min(seconds, _GRANT_SECONDS, left)
        if life < 1:
            raise StorageFault("unavailable", "no time left in the tenant's session for a grant")

        def sign() -> str:
            client = self._client(tenant, credentials, "grants")
            return client.generate_presigned_url(operation, Params=wanted, ExpiresIn=life)

        try:
            return await self._clients.run(sign)
        except BotoCoreError as error:
            raise storage_fault(error, f"grant {operation}") from error

    # --- uploads in parts --------------------------------------------------------------------------------------

    async def start_multipart(self, tenant: TenantStorage, key: str, media_type: str) -> str:
        def ask(s3: "S3Client") -> str:
            return s3.create_multipart_upload(
                Bucket=tenant.bucket, Key=key, ContentType=media_type, **_encrypted_with(tenant)
            )["UploadId"]

        return await self._call(tenant, f"start upload of {_shown(key)}", ask)

    async def list_parts(self, tenant: TenantStorage, key: str, upload_id: str) -> Sequence[Part]:
        """Return what has arrived, by part number: an upload that broke off goes on after these."""

        def ask(s3: "S3Client") -> Sequence[Part]:
            pages = s3.get_paginator("list_parts").paginate(Bucket=tenant.bucket, Key=key, UploadId=upload_id)
            return [
                Part(each["PartNumber"], _bare(each["ETag"]), each["Size"])
                for page in pages
                for each in page.get("Parts", [])
            ]

        return await self._call(tenant, f"list parts of {_shown(key)}", ask)

    async def finish_multipart(
        self, tenant: TenantStorage, key: str, upload_id: str, parts: Sequence[Part]
    ) -> StoredObject:
        """Join the parts; a part that isn't there as named is StorageFault `changed`."""

        def ask(s3: "S3Client") -> StoredObject:
            s3.complete_multipart_upload(
                Bucket=tenant.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": part.number, "ETag": f'"{_bare(part.etag)}"'}
                        for part in sorted(parts, key=lambda part: part.number)
                    ]
                },
            )
            return _head(s3, tenant.bucket, key)

        return await self._call(tenant, f"finish upload of {_shown(key)}", ask)

    async def abort_multipart(self, tenant: TenantStorage, key: str, upload_id: str) -> None:
        """Drop the parts; an upload that is no more is not an error."""

        def ask(s3: "S3Client") -> None:
            s3.abort_multipart_upload(Bucket=tenant.bucket, Key=key, UploadId=upload_id)

        try:
            await self._call(tenant, f"abort upload of {_shown(key)}", ask)
        except StorageFault as fault:
            if fault.kind != "no_upload":
                raise

    # --- underneath --------------------------------------------------------------------------------------------

    async def _call(self, tenant: TenantStorage, what: str, ask: Callable[["S3Client"], T]) -> T:
        async def once(credentials: SessionCredentials) -> T:
            return await self._clients.run(lambda: ask(self._client(tenant, credentials, "objects")))

        try:
            return await under_session(self._sessions, tenant, once)
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise storage_fault(error, what) from error

    def _client(
        self, tenant: TenantStorage, credentials: SessionCredentials, use: Literal["objects", "grants"]
    ) -> "S3Client":
        endpoint = self._place.endpoint
        if use == "grants":
            endpoint = self._place.public_endpoint or endpoint
        client: S3Client = self._clients.client(
            "s3",
            region=tenant.region,
            endpoint=endpoint,
            credentials=credentials,
            use=use,
            config=Config(
                signature_version="s3v4",
                # a bucket's name in the host needs a wildcard name and certificate, which only AWS has
                s3={"addressing_style": "path" if endpoint else "virtual"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return client


def content_disposition(filename: str) -> str:
    """Return an RFC 6266 header value that offers the file under this name, whatever characters it has."""
    name = re.sub(r'[\x00-\x1f\x7f/\\"]+', "_", filename).strip(" .")[:200] or "file"
    plain = re.sub(r"[^A-Za-z0-9 ._()+=,@-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _shown(key: str) -> str:
    """Return the part of a key that is ids; what follows may be a partner's own file name, which no log carries."""
    return "/".join(key.split("/")[:4])


def _bare(etag: str) -> str:
    return etag.strip('"')


def _encrypted_with(tenant: TenantStorage) -> dict[str, Any]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": tenant.kms_key_arn}


def _sealed_with(tenant: TenantStorage) -> dict[str, Any]:
    return {**_encrypted_with(tenant), "ChecksumAlgorithm": "SHA256"}


def _head(s3: "S3Client", bucket: str, key: str) -> StoredObject:
    answer = s3.head_object(Bucket=bucket, Key=key)
    return StoredObject(key, answer["ContentLength"], _bare(answer["ETag"]), answer.get("ContentType"))
