"""What survives a kill: settings are saved before their answer, objects are written whole or not at all."""

# ruff: noqa: SLF001 - ministack has no public interface for any of this; it is pinned exactly

import contextvars
import functools
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.embedded.s3_server.modules import Ministack

Answer = tuple[int, dict[str, str], bytes]

_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
_MIN_PART_BYTES = (
    5 * 1024 * 1024
)  # Amazon S3 user guide, multipart upload limits; the last part may be smaller

_write_faults: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("write_faults", default=None)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    fresh = path.with_name(path.name + ".tmp")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def save_state(modules: Ministack, directory: Path, service: str) -> None:
    """Write one service's settings in ministack's own format. Raises OSError where ministack would only log."""
    persistence = modules.persistence
    document = {
        "__ministack_format__": persistence._state_format_version(service),
        "payload": getattr(modules, service).get_state(),
    }
    text = json.dumps(document, default=persistence._json_default)
    write_private(directory / "state" / f"{service}.json", text)


def report_write_faults(modules: Ministack) -> None:
    """Let a failed write be known to the request that caused it: ministack logs it and answers 200."""
    original = modules.s3._atomic_write

    def atomic_write(path: str, data: Any, **options: Any) -> None:
        try:
            original(path, data, **options)
        except OSError as fault:
            faults = _write_faults.get()
            if faults is not None:
                faults.append(str(fault))
            raise

    modules.s3._atomic_write = atomic_write
    for name in ("_put_object", "_copy_object", "_complete_multipart_upload"):
        setattr(modules.s3, name, whole_or_nothing(modules.s3, getattr(modules.s3, name)))


def whole_or_nothing(s3: Any, original: Callable[..., Answer]) -> Callable[..., Answer]:
    """Undo an object write that did not reach the disk, and answer 500. Requests run one after the other."""

    @functools.wraps(original)
    def call(bucket_name: str, key: str, *rest: Any) -> Answer:
        objects = (s3._buckets.get(bucket_name) or {"objects": {}})["objects"]
        before = objects.get(key)
        versions = list(s3._object_versions.get((bucket_name, key), ()))
        uploads = {name: upload for name, upload in s3._multipart_uploads.items() if upload["key"] == key}
        faults: list[str] = []
        mark = _write_faults.set(faults)
        try:
            answer = original(bucket_name, key, *rest)
        finally:
            _write_faults.reset(mark)
        if not faults:
            return answer
        print(f"write failed: {faults[0]}", file=sys.stderr)
        if before is None:
            objects.pop(key, None)
            s3._delete_persisted_object(bucket_name, key)
        else:
            objects[key] = before
        if versions or (bucket_name, key) in s3._object_versions:
            s3._object_versions[bucket_name, key] = versions
        for upload_id, upload in uploads.items():
            s3._multipart_uploads[upload_id] = upload
            s3._completed_multipart_uploads.pop(upload_id, None)
        failed: Answer = s3._error("InternalError", "The object could not be written to disk.", 500)
        return failed

    return call


def refuse_small_parts(s3: Any) -> None:
    original = s3._complete_multipart_upload

    def complete(bucket: str, key: str, body: bytes, query: dict[str, list[str]], *rest: Any) -> Answer:
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        named = sorted({int(number) for number in _PART_NUMBER.findall(body)})
        sizes = [upload["parts"][n]["size"] for n in named[:-1] if n in upload["parts"]] if upload else []
        if any(size < _MIN_PART_BYTES for size in sizes):
            refusal: Answer = s3._error(
                "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400
            )
            return refusal
        answer: Answer = original(bucket, key, body, query, *rest)
        return answer

    s3._complete_multipart_upload = complete
