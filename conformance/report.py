"""The two halves side by side: what differs, what was recorded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.cases import Case
from conformance.observation import Observation

Half = Mapping[str, Observation]

# set by proxies, by HTTP versions and by load, not by the operation
_PASSING_HEADERS = frozenset(
    {"connection", "date", "server", "keep-alive", "transfer-encoding", "content-length"}
)


# settings of a bucket, not of an operation: ours is a tenant's, theirs may be any
_OF_THE_BUCKET = frozenset(
    {"$.BucketKeyEnabled", "$.CopySourceVersionId", "$.SSEKMSKeyId", "$.ServerSideEncryption", "$.VersionId"}
)
_BUCKET_HEADERS = ("x-amz-server-side-encryption", "x-amz-version-id", "x-amz-copy-source-version-id")


def differences(offline: Observation, aws: Observation) -> list[str]:
    """Return what differs, one line each: status, error type, message, paths and types, headers."""
    found = [
        f"{name}: offline {getattr(offline, name)!r}, AWS {getattr(aws, name)!r}"
        for name in ("status", "error_type", "message")
        if getattr(offline, name) != getattr(aws, name)
    ]
    for path in sorted((offline.shape.keys() | aws.shape.keys()) - _OF_THE_BUCKET):
        here, there = offline.shape.get(path, "absent"), aws.shape.get(path, "absent")
        if here != there:
            found.append(f"{path}: offline {here}, AWS {there}")
    ours, theirs = _compared(offline.headers), _compared(aws.headers)
    found += [f"header {name}: only offline" for name in sorted(ours - theirs)]
    return found + [f"header {name}: only AWS" for name in sorted(theirs - ours)]


def _compared(headers: Sequence[str]) -> set[str]:
    return {name for name in headers if name not in _PASSING_HEADERS and not name.startswith(_BUCKET_HEADERS)}


def write(
    folder: Path, cases: Sequence[Case], offline: Half, aws: Half, left_out: Mapping[str, str]
) -> dict[str, list[str]]:
    """Write `offline.json`, `aws.json` (if there is any) and `report.md`; return the differences by case."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, half in (("offline", offline), ("aws", aws)):
        if half:
            text = json.dumps({each: asdict(seen) for each, seen in half.items()}, indent=2, sort_keys=True)
            (folder / f"{name}.json").write_text(text + "\n")
    found = {
        case.name: differences(offline[case.name], aws[case.name])
        for case in cases
        if case.name in offline and case.name in aws
    }
    lines = ["# Conformance", "", "| case | offline | AWS | differences |", "|---|---|---|---|"]
    for case in cases:
        both = found.get(case.name)
        count = "not compared" if both is None else str(len(both) or "none")
        theirs = left_out.get(case.name) or _brief(aws.get(case.name))
        lines.append(f"| {case.name}: {case.what} | {_brief(offline.get(case.name))} | {theirs} | {count} |")
    for name, each in found.items():
        if each:
            lines += ["", f"## {name}", "", *(f"- {_cell(line)}" for line in each)]
    (folder / "report.md").write_text("\n".join(lines) + "\n")
    return found


def _brief(seen: Observation | None) -> str:
    if seen is None:
        return "not run"
    said = f" {seen.error_type}: {seen.message}" if seen.error_type else ""
    return _cell(f"{seen.status or 'no answer'}{said}")


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|")
