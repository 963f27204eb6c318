"""A timestamp authority (RFC 3161 over HTTP) for the embedded stack, so that it needs no internet and no openssl.

    python -m services.embedded.timestamp_authority --port 8087 --pki var/pki

It stamps with this machine's clock. That proves order and age to whoever trusts this machine, and nothing to anybody
else: a production archive uses a public authority.
"""

import argparse
import hashlib
import secrets
import sys
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from asn1crypto import algos, cms, core, tsp  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from circletake.kit import clock
from services.embedded.pki import PkiPaths, ensure_pki

POLICY = "1.3.6.1.4.1.99999.1.1"  # names no real policy; RFC 3161 asks for one
MAX_REQUEST_BYTES = 16 * 1024
_DIGEST_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64}


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """Answers timestamp requests with a fixed certificate and key."""

    certificates: tuple[bytes, ...]  # DER, the authority's own first
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, paths: PkiPaths) -> "TimestampAuthority":
        key = serialization.load_pem_private_key(paths.tsa_key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the timestamp authority's key is not an elliptic curve key")
        chain = x509.load_pem_x509_certificates(paths.tsa_chain.read_bytes())
        return cls(tuple(c.public_bytes(serialization.Encoding.DER) for c in chain), key)

    def answer(self, request: bytes, moment: datetime) -> bytes:
        """Return the DER TimeStampResp to a DER TimeStampReq; what can't be stamped is answered with a rejection."""
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            imprint = asked["message_imprint"]
            algorithm = imprint["hash_algorithm"]["algorithm"].native
            digest = imprint["hashed_message"].native
            wants_certificate = bool(asked["cert_req"].native)
            has_extensions = bool(asked["extensions"].native)
            policy = asked["req_policy"].native
        except (ValueError, TypeError, KeyError):
            return _rejection("bad_data_format")
        if algorithm not in _DIGEST_BYTES:
            return _rejection("bad_alg")
        if len(digest) != _DIGEST_BYTES[algorithm]:
            return _rejection("bad_data_format")
        if policy is not None and policy != POLICY:
            return _rejection("unaccepted_policy")
        if has_extensions:
            return _rejection("unaccepted_extensions")
        info = self._info(asked, moment)
        token = self._token(info, moment, with_certificates=wants_certificate)
        return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())

    def _info(self, asked: tsp.TimeStampReq, moment: datetime) -> bytes:
        fields = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": asked["message_imprint"],
            "serial_number": secrets.randbits(120),
            "gen_time": moment.replace(microsecond=0),
            "accuracy": {"seconds": 1},
        }
        if asked["nonce"].native is not None:
            fields["nonce"] = asked["nonce"].native
        return bytes(tsp.TSTInfo(fields).dump())

    def _token(self, info: bytes, moment: datetime, *, with_certificates: bool) -> cms.ContentInfo:
        """Sign as CMS SignedData (RFC 5652 §5) with the certificate named by its hash (RFC 5816)."""
        own = asn1_x509.Certificate.load(self.certificates[0])
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "signing_time", "values": [cms.Time({"utc_time": moment.replace(microsecond=0)})]},
                {"type": "message_digest", "values": [hashlib.sha256(info).digest()]},
                {
                    "type": "signing_certificate_v2",
                    "values": [
                        tsp.SigningCertificateV2(
                            {
                                "certs": [
                                    tsp.ESSCertIDv2(
                                        {"cert_hash": hashlib.sha256(self.certificates[0]).digest()}
                                    )
                                ]
                            }
                        )
                    ],
                },
            ]
        )
        sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {
                        "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                            {"issuer": own.issuer, "serial_number": own.serial_number}
                        )
                    }
                ),
                "digest_algorithm": sha256,
                "signed_attrs": attributes,
                "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
                # signed_attrs carries an implicit tag in place; the signature is over the SET OF encoding
                "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        signed = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": core.ParsableOctetString(info),
            },
            "signer_infos": [signer],
        }
        if with_certificates:
            signed["certificates"] = [asn1_x509.Certificate.load(der) for der in self.certificates]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


class _Rejection(core.Sequence):  # type: ignore[misc] # asn1crypto has no types
    """TimeStampResp without a token; the library's own class takes the token for mandatory (RFC 3161 §2.4.2)."""

    _fields: ClassVar = [("status", tsp.PKIStatusInfo)]


def _rejection(failure: str) -> bytes:
    return bytes(_Rejection({"status": {"status": "rejection", "fail_info": {failure}}}).dump())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds for a peer that stops talking
    server: "TimestampServer"

    def do_GET(self) -> None:
        self._send(HTTPStatus.OK, "text/plain", b"ok\n")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", b"not a timestamp request\n")
            return
        if self.headers.get_content_type() != "application/timestamp-query":
            self.close_connection = True
            self._send(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "text/plain", b"application/timestamp-query\n")
            return
        reply = self.server.authority.answer(self.rfile.read(int(length)), clock.now())
        self._send(HTTPStatus.OK, "application/timestamp-reply", reply)

    def _send(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: a request per signed file would fill the console."""


class TimestampServer(ThreadingHTTPServer):
    """Binds at construction (port 0 takes a free one, see `server_port`); run it with `serve_forever`."""

    daemon_threads = True

    def __init__(self, authority: TimestampAuthority, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.authority = authority


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="RFC 3161 timestamp authority of the embedded stack")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--pki", type=Path, required=True, help="directory of the certificates; made if missing"
    )
    chosen = parser.parse_args(arguments)
    authority = TimestampAuthority.load(ensure_pki(chosen.pki))
    with TimestampServer(authority, chosen.host, chosen.port) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
