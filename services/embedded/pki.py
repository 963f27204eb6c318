"""The embedded stack's own certificates: one signing chain for C2PA and one for the timestamp authority.

Root -> issuing CA -> leaf follows the C2PA claim-signing certificate profile, assurance level 1 (C2PA Conformance
Programme 0.2), as far as a private CA honestly can: the policy, assurance-level and product-list identifiers are
left out, because they would claim a conformance nobody has assessed. No public verifier trusts this root.
"""

import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from circletake.kit import clock

ORGANISATION = "Circletake embedded stack (not a public CA)"
CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning

_ROOT_DAYS = 7300
_ISSUING_DAYS = 1827  # the profile's longest
_LEAF_DAYS = 366  # the profile's longest
_TSA_DAYS = 1827
_RENEW_BEFORE = dt.timedelta(days=30)
_BACKDATE = dt.timedelta(minutes=5)  # a verifier's clock may run a little behind ours


@dataclass(frozen=True, slots=True)
class PkiPaths:
    """Where the PEM files are. Keys are PKCS #8 without a passphrase, every file is 0600."""

    chain: Path  # C2PA leaf, then issuing CA
    key: Path
    roots: Path
    tsa_chain: Path  # timestamp leaf, then its root
    tsa_key: Path
    tsa_cert: Path
    tsa_roots: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_pki(directory: Path, *, now: dt.datetime | None = None) -> PkiPaths:
    """Make both chains if they aren't there, and renew what ends within 30 days.

    A renewed leaf keeps its key, so that chain and key files match at every moment and a running signer needs no
    restart. Safe to call from several processes at once. Roots, and with them everything already signed, stay.
    """
    moment = now or clock.now()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = PkiPaths(
        chain=directory / "c2pa-chain.pem",
        key=directory / "c2pa-key.pem",
        roots=directory / "c2pa-roots.pem",
        tsa_chain=directory / "tsa-chain.pem",
        tsa_key=directory / "tsa-key.pem",
        tsa_cert=directory / "tsa-cert.pem",
        tsa_roots=directory / "tsa-roots.pem",
    )
    with _locked(directory / ".lock"):
        _ensure_signing(directory, paths, moment)
        _ensure_timestamping(directory, paths, moment)
    return paths


def _ensure_signing(directory: Path, paths: PkiPaths, moment: dt.datetime) -> None:
    root = _authority(
        paths.roots, directory / "c2pa-root-key.pem", "Circletake Root CA", None, _ROOT_DAYS, 1, moment
    )
    issuing = _authority(
        directory / "c2pa-issuing.pem",
        directory / "c2pa-issuing-key.pem",
        "Circletake Claim Signing CA",
        root,
        _ISSUING_DAYS,
        0,
        moment,
    )
    key = _key(paths.key, ec.SECP256R1())
    if _current(paths.chain, issuing, key, moment):
        return
    leaf = _issue(
        _name("Circletake C2PA signer"),
        key.public_key(),
        issuing,
        moment=moment,
        days=_LEAF_DAYS,
        usages=(CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION),
    )
    _write(paths.chain, _pem(leaf) + _pem(issuing.certificate))


def _ensure_timestamping(directory: Path, paths: PkiPaths, moment: dt.datetime) -> None:
    root = _authority(
        paths.tsa_roots,
        directory / "tsa-root-key.pem",
        "Circletake Timestamp Root CA",
        None,
        _ROOT_DAYS,
        0,
        moment,
    )
    key = _key(paths.tsa_key, ec.SECP256R1())
    if paths.tsa_chain.exists() and _current(paths.tsa_cert, root, key, moment):
        return
    leaf = _issue(
        _name("Circletake Timestamp Authority"),
        key.public_key(),
        root,
        moment=moment,
        days=_TSA_DAYS,
        usages=(ExtendedKeyUsageOID.TIME_STAMPING,),
        usages_critical=True,  # RFC 3161 §2.3
    )
    _write(paths.tsa_chain, _pem(leaf) + _pem(root.certificate))
    _write(paths.tsa_cert, _pem(leaf))


def _authority(
    certificate_path: Path,
    key_path: Path,
    common_name: str,
    parent: _Authority | None,
    days: int,
    path_length: int,
    moment: dt.datetime,
) -> _Authority:
    key = _key(key_path, ec.SECP384R1())
    if certificate_path.exists():
        certificate = _first_certificate(certificate_path)
        # a root that ends is a new trust decision, never made silently; an issuing CA must outlive its leaf
        enough = parent is None or certificate.not_valid_after_utc - moment > dt.timedelta(days=_LEAF_DAYS)
        same_key = certificate.public_key() == key.public_key()
        if enough and same_key:
            return _Authority(certificate, key)
        if parent is None:
            raise ValueError(
                f"{certificate_path} and {key_path} don't belong together; restore or remove both"
            )
    certificate = _issue(
        _name(common_name),
        key.public_key(),
        parent or _SelfSigned(_name(common_name), key),
        moment=moment,
        days=days,
        path_length=path_length,
    )
    _write(certificate_path, _pem(certificate))
    return _Authority(certificate, key)


@dataclass(frozen=True, slots=True)
class _SelfSigned:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey


def _issue(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: _Authority | _SelfSigned,
    *,
    moment: dt.datetime,
    days: int,
    usages: tuple[ObjectIdentifier, ...] = (),
    usages_critical: bool = False,
    path_length: int | None = None,
) -> x509.Certificate:
    is_ca = not usages
    issuer_name = issuer.certificate.subject if isinstance(issuer, _Authority) else issuer.name
    start = moment - _BACKDATE
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
        .add_extension(_key_usage(is_ca=is_ca), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=usages_critical)
    return builder.sign(issuer.key, hashes.SHA384() if issuer.key.curve.key_size > 256 else hashes.SHA256())  # noqa: PLR2004 - P-256


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca,  # nonRepudiation
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),  # ISO 3166 user-assigned: nobody's country
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _current(path: Path, issuer: _Authority, key: ec.EllipticCurvePrivateKey, moment: dt.datetime) -> bool:
    if not path.exists():
        return False
    leaf = _first_certificate(path)
    in_chain = x509.load_pem_x509_certificates(path.read_bytes())[1:]
    return (
        leaf.public_key() == key.public_key()
        and leaf.issuer == issuer.certificate.subject
        and all(certificate == issuer.certificate for certificate in in_chain)
        and leaf.not_valid_after_utc - moment > _RENEW_BEFORE
    )


def _first_certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def _key(path: Path, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} does not hold an elliptic curve key")
        return key
    key = ec.generate_private_key(curve)
    _write(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    """Put the whole file in place or nothing; NamedTemporaryFile makes it 0600."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
