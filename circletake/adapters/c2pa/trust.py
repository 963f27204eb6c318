"""Whom a signature may come from, as settings of the C2PA library.

Two settings carry the weight. The library's default list of key usages is empty, so a context without a `trust_config`
at its top level calls a proper C2PA leaf invalid. And it fetches whatever address a file names unless it is told not
to, which would let any uploaded file send requests from inside our network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

OWN_SIGNERS = "urn:circletake:trust:signers"
OWN_TIMESTAMPS = "urn:circletake:trust:timestamps"

# c2pa-kp-claimSigning, id-kp-documentSigning, id-kp-emailProtection
_SIGNER_USAGES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.36\n1.3.6.1.5.5.7.3.4\n"
_TIMESTAMP_USAGE = "1.3.6.1.5.5.7.3.8\n"
_SPOOL_ABOVE_MIB = 64  # larger files go through a temporary file


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """Roots of one trust list. `pem` may hold several certificates; `uri` names the list in verdicts."""

    kind: Literal["manifest", "tsa", "cawg"]
    uri: str
    pem: str


def library_settings(anchors: Sequence[TrustAnchor], created_labels: Sequence[str]) -> dict[str, Any]:
    """Return the settings for signing and for verifying; they are the same, because a signature freezes what its
    signer's trust lists said of the ingredients."""
    return {
        "version": 1,
        "trust": {
            "trust_config": _SIGNER_USAGES + _TIMESTAMP_USAGE,
            "anchors": [
                {
                    "trust_kind": anchor.kind,
                    "trust_uri": anchor.uri,
                    "trust_anchors": anchor.pem,
                    "trust_config": _TIMESTAMP_USAGE if anchor.kind == "tsa" else _SIGNER_USAGES,
                }
                for anchor in anchors
            ],
        },
        "core": {"allowed_network_hosts": [], "backing_store_memory_threshold_in_mb": _SPOOL_ABOVE_MIB},
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_after_sign": False,  # every signed file is read back from disk and judged instead
        },
        "builder": {
            "thumbnail": {"enabled": False},  # would put the picture in clear into a manifest that travels
            "created_assertion_labels": list(created_labels),
        },
    }
