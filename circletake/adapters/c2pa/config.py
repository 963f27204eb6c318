"""How this process signs and whom it trusts. Values only: nothing of the C2PA library is loaded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class KmsCredentials:
    """Credentials for the signing key. Leave them out of the configuration and boto3 finds the process's own."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """A trust list beside our own: a vendor's roots, or the public C2PA list."""

    kind: Literal["manifest", "tsa", "cawg"]
    uri: str  # names the list
    path: Path  # PEM, one or more certificates


@dataclass(frozen=True, slots=True)
class KmsKey:
    """An asymmetric KMS key on P-256 or P-384 with usage SIGN_VERIFY."""

    key_id: str
    region: str
    endpoint_url: str | None = None
    credentials: KmsCredentials | None = None


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """Paths are PEM files, read again for every file signed, so that a renewed certificate needs no restart.

    Either `key_path` or `kms` signs; with neither, and no chain, the process can only verify. Without `tsa_url` the
    signatures die with the certificate, within a year: only for tests.
    """

    roots_path: Path
    version: str  # of Circletake, as manifests name it
    chain_path: Path | None = None  # leaf first, then the issuing CA
    key_path: Path | None = None
    kms: KmsKey | None = None
    tsa_url: str | None = None
    tsa_roots_path: Path | None = None
    extra_anchors: tuple[AnchorFile, ...] = ()
    timeout_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.key_path is not None and self.kms is not None:
            raise ValueError("give a key file or a KMS key, not both")
        if (self.key_path is not None or self.kms is not None) != (self.chain_path is not None):
            raise ValueError("a signing key and its certificate chain come together")
        if self.tsa_url is not None and self.tsa_roots_path is None:
            raise ValueError("a timestamp authority needs its roots, or its timestamps prove nothing")
