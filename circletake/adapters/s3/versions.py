"""Deleting for good in a bucket that keeps versions."""

from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_AT_ONCE = 1000  # DeleteObjects


def delete_all(s3: "S3Client", *, bucket: str, key: str) -> None:
    """Delete every version and delete marker of one key; raises ClientError for the first that stays."""
    found = _versions(s3, bucket, key)
    for start in range(0, len(found), _AT_ONCE):
        answer = s3.delete_objects(
            Bucket=bucket, Delete={"Objects": found[start : start + _AT_ONCE], "Quiet": True}
        )
        for left in answer.get("Errors", []):
            if left.get("Code") != "NoSuchVersion":
                raise ClientError(
                    {"Error": {"Code": str(left.get("Code")), "Message": str(left.get("Message"))}},
                    "DeleteObjects",
                )


def _versions(s3: "S3Client", bucket: str, key: str) -> "list[ObjectIdentifierTypeDef]":
    """A listing takes a prefix, not a key: the key itself sorts first, so the first longer key ends it."""
    found: list[dict[str, str]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        found += [{"Key": key, "VersionId": each["VersionId"]} for each in entries if each.get("Key") == key]
        if any(each.get("Key") != key for each in entries):
            break
    return cast("list[ObjectIdentifierTypeDef]", found)
