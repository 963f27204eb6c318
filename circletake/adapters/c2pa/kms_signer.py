"""A C2PA signer whose private key never leaves KMS."""

import hashlib
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from c2pa import C2paSigningAlg, Signer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from circletake.adapters.c2pa.config import KmsCredentials
from circletake.adapters.c2pa.errors import CannotSign

# curve -> library's algorithm, KMS's algorithm, hash, bytes of r and of s
_ALGORITHMS = {
    "secp256r1": (C2paSigningAlg.ES256, "ECDSA_SHA_256", "sha256", 32),
    "secp384r1": (C2paSigningAlg.ES384, "ECDSA_SHA_384", "sha384", 48),
}
_TRANSIENT_CODES = frozenset(
    {
        "ThrottlingException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "ServiceUnavailableException",
        "InternalFailure",
    }
)


def kms_client(region: str, endpoint_url: str | None, credentials: KmsCredentials | None) -> Any:
    """Make a KMS client with a session of its own, so that no ambient profile decides whose key signs."""
    session = (
        boto3.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=region,
        )
        if credentials
        else boto3.Session(region_name=region)
    )
    return session.client(
        "kms",
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
        ),
    )


class KmsSigner:
    """Signs through `kms:Sign`. Not for two threads at once: each child process has its own.

    The library swallows what a callback raises and reports a bad signature; `cause` keeps the real reason of the last
    call so that it can be raised instead.
    """

    def __init__(self, kms: Any, key_id: str, chain_pem: str, tsa_url: str | None) -> None:
        self._kms = kms
        self._key_id = key_id
        leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        self._public_key = leaf.public_key()
        curve = self._public_key.curve.name if isinstance(self._public_key, ec.EllipticCurvePublicKey) else ""
        if curve not in _ALGORITHMS:
            raise CannotSign("the chain's leaf must hold a P-256 or P-384 key to sign with KMS")
        algorithm, self._kms_algorithm, self._hash, self._width = _ALGORITHMS[curve]
        self.cause: CannotSign | None = None
        self.signer = Signer.from_callback(self._sign, algorithm, chain_pem, tsa_url)

    def _sign(self, data: bytes) -> bytes:
        self.cause = None
        # the digest, not the data: KMS takes 4096 bytes, and some twenty ingredients are more than that
        digest = hashlib.new(self._hash, data).digest()
        try:
            der = self._kms.sign(
                KeyId=self._key_id,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=self._kms_algorithm,
            )["Signature"]
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            self.cause = CannotSign(
                f"KMS refused to sign: {code}",
                retryable=code in _TRANSIENT_CODES or status >= 500,  # noqa: PLR2004 - HTTP server error
            )
            raise
        except BotoCoreError as error:
            self.cause = CannotSign(f"KMS can't be reached: {type(error).__name__}", retryable=True)
            raise
        r, s = decode_dss_signature(der)
        return r.to_bytes(self._width, "big") + s.to_bytes(self._width, "big")
