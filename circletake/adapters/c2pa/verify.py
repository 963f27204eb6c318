"""Read a file's manifest store and say what it proves.

The library's own state doesn't decide: it calls a forger's file "Valid", and a clean file made from a tampered parent
"Trusted", because the failure stands only with the ingredient.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from c2pa import C2paError, Context, Reader

from circletake.domain.provenance import (
    ACTIONS_LABEL,
    AI_DISCLOSURE_LABEL,
    GENERATION_LABEL,
    IPTC_SOURCE_TYPES,
    TRAINING_MINING_LABEL,
)
from circletake.ports import VerifyStatus, VerifyVerdict

# Nothing in the file was changed, but the signer isn't somebody we know, or no longer (C2PA 2.4 §15.2.2).
CREDENTIAL_CODES = frozenset(
    {
        "signingCredential.untrusted",
        "signingCredential.invalid",
        "signingCredential.expired",
        "signingCredential.ocsp.revoked",
        "signingCredential.ocsp.unknown",
        "signingCredential.ocsp.inaccessible",
        "claimSignature.outsideValidity",
        "timeStamp.untrusted",
        "timeStamp.outsideValidity",
        "timeStamp.credentialInvalid",
    }
)
# A person's or organisation's identity assertion that we can't trace. It is not what signed the file.
IDENTITY_CODES = frozenset(
    {
        "cawg.x509.credential.untrusted",
        "cawg.x509.signingCredential.untrusted",
        "cawg.ica.credential.untrusted",
    }
)
_MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """A verdict with what the library said behind it. `report` is None when there is no readable manifest."""

    verdict: VerifyVerdict
    report: Mapping[str, Any] | None = None
    something_there: bool = True  # a manifest, or a mention of one, readable or not

    @property
    def timestamped(self) -> bool:
        """A timestamp whose authority we trust covers the claim signature."""
        if self.report is None:
            return False
        return {"timeStamp.validated", "timeStamp.trusted"} <= _codes(_results(self.report), "success")

    @property
    def trust_list(self) -> str | None:
        if self.report is None:
            return None
        return _optional_text(self.report.get("validation_results", {}).get("trustListUri"))


def read(path: Path, media_type: str, context: Context, *, beside: bytes | None = None) -> Reading:
    """Verify one file. Raises OSError when it can't be opened; everything that is wrong inside is a verdict.

    `beside`: its manifest store, where that stands in a file of its own.
    """
    with path.open("rb") as stream:
        try:
            with Reader(media_type, stream, manifest_data=beside, context=context) as reader:
                report = json.loads(reader.json())
        except C2paError.ManifestNotFound:
            return Reading(_bare("no_manifest", "the file carries no manifest"), something_there=False)
        except C2paError.NotSupported:
            return Reading(
                _bare("unreadable", f"{media_type} is not a format whose manifests can be read"),
                something_there=False,
            )
        except C2paError as error:
            if isinstance(error, C2paError.RemoteManifest) or "must fetch remote" in str(error):
                return Reading(
                    _bare("no_manifest", "the file only names a manifest on a server, which is never fetched")
                )
            return Reading(_bare("unreadable", f"the manifest can't be read: {error}"[:_MAX_REASON]))
    return Reading(judge(report), report)


def _bare(status: VerifyStatus, reason: str) -> VerifyVerdict:
    return VerifyVerdict(status, (reason,), (), None, None, None, None, {})


def judge(report: Mapping[str, Any]) -> VerifyVerdict:
    """Turn the library's report into a verdict.

    `tampered`: a hash or a signature doesn't match, here or in any ingredient. `valid_but_untrusted`: everything
    matches, but the signer is unknown to us or its certificate has ended. An ingredient whose signer is unknown is
    listed and leaves the status alone (the library would take the trust from the whole file): it says what its
    signer says, and nothing was changed since. So does an identity assertion we can't trace.
    """
    results = _results(report)
    failures = _codes(results, "failure")
    problems = tuple(_ingredient_problems(report))
    reasons = [*sorted(failures)]
    reasons += [f"ingredient {one['ingredient']!r}: {', '.join(one['codes'])}" for one in problems]
    status: VerifyStatus
    successes = _codes(results, "success")
    if failures - CREDENTIAL_CODES - IDENTITY_CODES or any(problem["tampered"] for problem in problems):
        status = "tampered"
    elif "claimSignature.validated" not in successes:
        status = "tampered"
        reasons.append("the claim signature was not validated")
    elif failures - IDENTITY_CODES or "signingCredential.trusted" not in successes:
        status = "valid_but_untrusted"
    else:
        status = "trusted"
    manifest = _active(report)
    signature = manifest.get("signature_info") or {}
    return VerifyVerdict(
        status=status,
        reasons=tuple(reasons),
        ingredient_problems=problems,
        manifest_urn=_optional_text(report.get("active_manifest")),
        signer=", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key))
        or None,
        signed_at=_moment(signature.get("time")),
        digital_source_type=_source_type(manifest),
        claim=_summary(report),
    )


def _results(report: Mapping[str, Any]) -> Mapping[str, Any]:
    results = report.get("validation_results", {}).get("activeManifest")
    return results if isinstance(results, Mapping) else {}


def _codes(results: Mapping[str, Any], outcome: str) -> set[str]:
    return {str(one.get("code")) for one in results.get(outcome) or ()}


def _active(report: Mapping[str, Any]) -> Mapping[str, Any]:
    manifest = report.get("manifests", {}).get(report.get("active_manifest"))
    return manifest if isinstance(manifest, Mapping) else {}


def _ingredient_problems(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk every manifest of the store: what was recorded when an ingredient was taken in, and what differs now."""
    seen: set[tuple[str, ...]] = set()
    for label, manifest in report.get("manifests", {}).items():
        for ingredient in manifest.get("ingredients") or ():
            recorded = (ingredient.get("validation_results") or {}).get("activeManifest") or {}
            codes = _codes(recorded, "failure")
            # ingredients of version 1 keep a flat list of failures
            codes |= {str(one.get("code")) for one in ingredient.get("validation_status") or ()}
            name = str(ingredient.get("title") or ingredient.get("instance_id") or ingredient.get("label"))
            yield from _problem(str(label), name, ingredient.get("instance_id"), codes, seen)
    for delta in report.get("validation_results", {}).get("ingredientDeltas") or ():
        uri = str(delta.get("ingredientAssertionURI"))
        manifest_label, name, instance = _named_by_uri(report, uri)
        codes = _codes(delta.get("validationDeltas") or {}, "failure")
        yield from _problem(manifest_label, name, instance, codes, seen)


def _problem(
    manifest: str, name: str, instance: str | None, codes: set[str], seen: set[tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    mark = (manifest, name, *sorted(codes))
    if codes and mark not in seen:
        seen.add(mark)
        yield {
            "manifest": manifest,
            "ingredient": name,
            "instance_id": instance,
            "codes": tuple(sorted(codes)),
            "tampered": bool(codes - CREDENTIAL_CODES - IDENTITY_CODES),
        }


def _named_by_uri(report: Mapping[str, Any], uri: str) -> tuple[str, str, str | None]:
    for label, manifest in report.get("manifests", {}).items():
        for ingredient in manifest.get("ingredients") or ():
            if str(label) in uri and uri.endswith(f"/{ingredient.get('label')}"):
                return str(label), str(ingredient.get("title")), ingredient.get("instance_id")
    return "", uri.rsplit("/", 1)[-1], None


# --- the readable summary ---------------------------------------------------------------------------------------


def _assertion(manifest: Mapping[str, Any], label: str) -> Any:
    return next(
        (one.get("data") for one in manifest.get("assertions") or () if one.get("label") == label), None
    )


def _actions(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    data = _assertion(manifest, ACTIONS_LABEL) or _assertion(manifest, "c2pa.actions") or {}
    return data.get("actions") or ()


def _source_type(manifest: Mapping[str, Any]) -> str | None:
    """The type of the last action that states one: what the file as it is was made by."""
    stated = [action["digitalSourceType"] for action in _actions(manifest) if action.get("digitalSourceType")]
    return str(stated[-1]).removeprefix(IPTC_SOURCE_TYPES) if stated else None


def _summary(report: Mapping[str, Any]) -> dict[str, Any]:
    manifest = _active(report)
    generators = manifest.get("claim_generator_info") or [{}]
    return {
        "title": manifest.get("title"),
        "generator": {key: generators[0].get(key) for key in ("name", "version", "specVersion")},
        "actions": [_action_summary(action) for action in _actions(manifest)],
        "ingredients": [_ingredient_summary(one) for one in manifest.get("ingredients") or ()],
        "ai_disclosure": _assertion(manifest, AI_DISCLOSURE_LABEL),
        "training_mining": (_assertion(manifest, TRAINING_MINING_LABEL) or {}).get("entries"),
        "generation": _assertion(manifest, GENERATION_LABEL),
        "manifests": len(report.get("manifests", {})),
    }


def _action_summary(action: Mapping[str, Any]) -> dict[str, Any]:
    agent = action.get("softwareAgent")
    return {
        "action": action.get("action"),
        "digital_source_type": str(action.get("digitalSourceType") or "").removeprefix(IPTC_SOURCE_TYPES)
        or None,
        "software_agent": agent if isinstance(agent, Mapping) else {"name": agent} if agent else None,
    }


def _ingredient_summary(ingredient: Mapping[str, Any]) -> dict[str, Any]:
    instance = str(ingredient.get("instance_id") or "")
    return {
        "title": ingredient.get("title"),
        "relationship": ingredient.get("relationship"),
        "sha256": instance.removeprefix("urn:sha256:") if instance.startswith("urn:sha256:") else None,
        "manifest_urn": ingredient.get("active_manifest"),
        "digital_source_type": str(ingredient.get("digital_source_type") or "").removeprefix(
            IPTC_SOURCE_TYPES
        )
        or None,
    }


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _optional_text(value: object) -> str | None:
    return value if isinstance(value, str) else None
