"""What runs in a child process: sign one file, verify one file.

The library calls back into Python for every block it reads or writes, so that a busy event loop would slow it and it
would slow the loop; and its objects don't survive a fork. Each child makes its context and signer once.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from c2pa import Builder, C2paError, C2paSignerInfo, Context, Signer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from circletake.adapters.c2pa import xmp
from circletake.adapters.c2pa.config import SigningConfig
from circletake.adapters.c2pa.errors import CannotSign, Refusal, XmpRefused
from circletake.adapters.c2pa.kms_signer import KmsSigner, kms_client
from circletake.adapters.c2pa.manifests import CREATED_ASSERTION_LABELS, ManifestPlan, plan
from circletake.adapters.c2pa.marks import marks_of
from circletake.adapters.c2pa.trust import OWN_SIGNERS, OWN_TIMESTAMPS, TrustAnchor, library_settings
from circletake.adapters.c2pa.verify import Reading, read
from circletake.domain.manifest_rules import ManifestInvalid, check_manifest
from circletake.ports import Ingredient, SignedFile, SignRequest, VerifyVerdict

_LOCAL_ALGORITHMS = {"secp256r1": b"es256", "secp384r1": b"es384"}
_EMBEDDABLE = frozenset(
    {
        *("image/png", "image/jpeg", "image/webp", "image/tiff"),
        *("video/mp4", "video/quicktime", "application/pdf"),
    }
)
# what no manifest can be embedded in gets it beside it, over the hash of the whole file (C2PA 2.4 §11.4)
_BESIDE = frozenset({"application/vnd.opentimelineio+json"})
_OPAQUE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _Material:
    """The PEM files' contents: a renewed certificate is another key of the cache, and so takes effect at once."""

    anchors: tuple[TrustAnchor, ...]
    chain: str
    key: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Tools:
    context: Context
    looking: Context  # reads a manifest without verifying it
    signer: Signer | None
    kms: KmsSigner | None


def sign_file(config: SigningConfig, request: SignRequest, workplace: Path) -> SignedFile | Refusal:
    """Sign in the child. `workplace`: an empty directory on the target's file system, removed by the caller."""
    try:
        return _sign(config, request, workplace)
    except CannotSign as fault:
        return Refusal(str(fault), fault.retryable)
    except ManifestInvalid as invalid:
        return Refusal(f"the manifest would break our rules: {invalid}", retryable=False)
    except XmpRefused as refused:
        return Refusal(f"the file can't carry XMP: {refused}", retryable=False)
    except FileNotFoundError as missing:
        return Refusal(f"a file is not there: {missing.filename}", retryable=False)
    except OSError as error:
        return Refusal(f"the file system failed: {error.strerror}", retryable=True)


def verify_file(config: SigningConfig, path: Path, media_type: str) -> VerifyVerdict:
    """Verify in the child. Raises OSError when the file can't be opened."""
    reading = read(path, media_type, _context(_anchors(config)))
    verdict = reading.verdict
    unread = verdict.reasons[0] if reading.report is None and reading.something_there else None
    return replace(verdict, marks=marks_of(path, media_type, reading.report, unread).as_json())


def _sign(config: SigningConfig, request: SignRequest, workplace: Path) -> SignedFile:
    beside = request.media_type in _BESIDE
    if request.media_type not in _EMBEDDABLE and not beside:
        raise CannotSign(f"{request.media_type} is not a format that carries a manifest here")
    tools = _tools(config, _material(config))
    signed_ingredients = {
        index for index, one in enumerate(request.ingredients) if _carries_manifest(one, tools.looking)
    }
    planned = plan(request, version=config.version, signed_ingredients=signed_ingredients)
    check_manifest(planned.definition, planned.ingredients)
    with_xmp, signed = workplace / "xmp", workplace / "signed"
    if beside:
        store = _embed_manifest(tools, request, planned, signed_ingredients, request.source, with_xmp)
        signed.write_bytes(store)
        reading = read(request.source, request.media_type, tools.context, beside=store)
    else:
        fields = xmp.XmpFields(
            request.digital_source_type, request.ai_system, request.ai_system_version, request.rights
        )
        xmp.embed(request.source, with_xmp, request.media_type, fields)
        store = _embed_manifest(tools, request, planned, signed_ingredients, with_xmp, signed)
        reading = read(signed, request.media_type, tools.context)
    _require_trusted(reading, config)
    digest, size = _sha256(signed), signed.stat().st_size
    signed.replace(request.target)
    return SignedFile(
        path=request.target,
        sha256=digest,
        size=size,
        manifest_urn=str(reading.verdict.manifest_urn),
        manifest_sha256=hashlib.sha256(store).hexdigest(),
        timestamped=reading.timestamped,
    )


def _carries_manifest(ingredient: Ingredient, looking: Context) -> bool:
    """Check that an ingredient is the file it is said to be, and look for a manifest in it.

    What the manifest proves is judged once, in the signed file that is read back: the library records there what is
    wrong with an ingredient, and `_require_trusted` refuses it.
    """
    if _sha256(ingredient.path) != ingredient.sha256:
        raise CannotSign(
            f"ingredient {ingredient.title!r} is not the file with the SHA-256 it was given with"
        )
    return read(ingredient.path, ingredient.media_type, looking).report is not None


def _embed_manifest(
    tools: _Tools,
    request: SignRequest,
    planned: ManifestPlan,
    signed_ingredients: set[int],
    source: Path,
    target: Path,
) -> bytes:
    builder = Builder(json.dumps(planned.definition), context=tools.context)
    if request.media_type in _BESIDE:
        builder.set_no_embed()
    for index, ingredient in enumerate(request.ingredients):
        # What carries no manifest we can read is bound by its hash alone and not parsed again: the library would
        # record the address of a manifest on a server as a failure of the ingredient.
        read_as = ingredient.media_type if index in signed_ingredients else _OPAQUE
        with ingredient.path.open("rb") as stream:
            try:
                builder.add_ingredient(json.dumps(planned.ingredients[index]), read_as, stream)
            except C2paError as error:
                raise CannotSign(f"ingredient {ingredient.title!r} can't be read: {error}") from error
    signer = tools.kms.signer if tools.kms else tools.signer
    if tools.kms:
        tools.kms.cause = None
    with source.open("rb") as stream, target.open("w+b") as out:
        try:
            return bytes(builder.sign(signer, request.media_type, stream, out))
        except C2paError as error:
            if tools.kms and tools.kms.cause:
                raise tools.kms.cause from error
            raise _signing_failed(error) from error


def _signing_failed(error: C2paError) -> CannotSign:
    text = str(error)
    # the library goes to the network, and decodes an answer, for nothing else than the timestamp
    if any(sign in text.lower() for sign in ("http", "timestamp", "time stamp", "decode error")):
        return CannotSign(f"the timestamp authority gave no timestamp: {text}", retryable=True)
    return CannotSign(f"signing failed: {text}")


def _require_trusted(reading: Reading, config: SigningConfig) -> None:
    verdict = reading.verdict
    changed = [one for one in verdict.ingredient_problems if one["tampered"]]
    if changed:
        named = "; ".join(f"{one['ingredient']!r}: {', '.join(one['codes'])}" for one in changed)
        raise CannotSign(f"an ingredient was changed after it was signed: {named}")
    if verdict.status != "trusted":
        raise CannotSign(f"the signed file does not verify: {verdict.status}: {', '.join(verdict.reasons)}")
    if reading.trust_list != OWN_SIGNERS:
        raise CannotSign("the signing certificate doesn't chain to our own roots")
    if config.tsa_url is not None and not reading.timestamped:
        raise CannotSign("the timestamp is not from an authority we trust")


# --- what a child makes once ------------------------------------------------------------------------------------


def _anchors(config: SigningConfig) -> tuple[TrustAnchor, ...]:
    own = [TrustAnchor("manifest", OWN_SIGNERS, config.roots_path.read_text())]
    if config.tsa_roots_path is not None:
        own.append(TrustAnchor("tsa", OWN_TIMESTAMPS, config.tsa_roots_path.read_text()))
    extra = [TrustAnchor(one.kind, one.uri, one.path.read_text()) for one in config.extra_anchors]
    return (*own, *extra)


def _material(config: SigningConfig) -> _Material:
    if config.chain_path is None:
        raise CannotSign("this process has no signing certificate")
    key = config.key_path.read_text() if config.key_path is not None else None
    return _Material(_anchors(config), config.chain_path.read_text(), key)


@lru_cache(maxsize=2)
def _context(anchors: tuple[TrustAnchor, ...]) -> Context:
    return Context.from_dict(library_settings(anchors, CREATED_ASSERTION_LABELS))


def _looking() -> Context:
    settings = library_settings((), ())
    return Context.from_dict({**settings, "verify": {**settings["verify"], "verify_after_reading": False}})


@lru_cache(maxsize=2)
def _tools(config: SigningConfig, material: _Material) -> _Tools:
    context, looking = _context(material.anchors), _looking()
    if config.kms is not None:
        client = kms_client(config.kms.region, config.kms.endpoint_url, config.kms.credentials)
        kms = KmsSigner(client, config.kms.key_id, material.chain, config.tsa_url)
        return _Tools(context, looking, None, kms)
    if material.key is None:
        raise CannotSign("this process has no signing key")
    info = C2paSignerInfo(
        _algorithm(material.chain, material.key),
        material.chain.encode(),
        material.key.encode(),
        config.tsa_url.encode() if config.tsa_url else None,
    )
    try:
        return _Tools(context, looking, Signer.from_info(info), None)
    except C2paError as error:
        raise CannotSign(f"the signing certificate or key is not usable: {error}") from error


def _algorithm(chain: str, key_pem: str) -> bytes:
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    if key.public_key() != leaf.public_key():
        raise CannotSign("the signing key doesn't belong to the first certificate of the chain")
    curve = key.curve.name if isinstance(key, ec.EllipticCurvePrivateKey) else ""
    if curve not in _LOCAL_ALGORITHMS:
        raise CannotSign("the signing key must be on P-256 or P-384")
    return _LOCAL_ALGORITHMS[curve]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
