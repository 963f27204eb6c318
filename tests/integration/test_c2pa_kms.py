"""Signing through KMS, over its real wire: boto3 against a small server that holds the key."""

import base64
import dataclasses
import http.server
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from circletake.adapters.c2pa.config import KmsCredentials, KmsKey
from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.kit.children import ChildPool
from circletake.ports import Ingredient, SigningFault
from tests.integration import c2pa_studio as make


class KeyServer(http.server.ThreadingHTTPServer):
    """TrentService.Sign for one P-256 key, with KMS's own limits; `failure` makes it refuse."""

    daemon_threads = True

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(("127.0.0.1", 0), _KeyHandler)
        self.key = key
        self.calls: list[dict[str, Any]] = []
        self.failure: tuple[int, str] | None = None
        self.spoil = False


class _KeyHandler(http.server.BaseHTTPRequestHandler):
    server: KeyServer

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append({**call, "authorization": self.headers["Authorization"]})
        digest = base64.b64decode(call["Message"])
        if self.server.failure:
            status, code = self.server.failure
            self._answer(status, {"__type": code})
        elif call["MessageType"] != "DIGEST" or len(digest) != 32:
            self._answer(400, {"__type": "ValidationException"})
        else:
            signature = self.server.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
            if self.server.spoil:
                signature = self.server.key.sign(b"something else", ec.ECDSA(hashes.SHA256()))
            self._answer(200, {"Signature": base64.b64encode(signature).decode()})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[make.Studio]:
    with make.studio(tmp_path_factory.mktemp("pki")) as made:
        yield made


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[ChildPool]:
    made = ChildPool(1)
    yield made
    made.close()


@pytest.fixture
def key_server(studio: make.Studio) -> Iterator[KeyServer]:
    key = serialization.load_pem_private_key(studio.pki.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    with KeyServer(key) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def signer(studio: make.Studio, key_server: KeyServer, pool: ChildPool) -> C2paManifestSigner:
    key = KmsKey(
        key_id="alias/circletake-c2pa",
        region="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{key_server.server_port}",
        credentials=KmsCredentials("AKIDSIGNER", "secret", "token"),
    )
    return C2paManifestSigner(dataclasses.replace(studio.config, key_path=None, kms=key), pool)


async def test_kms_signs_and_the_file_is_trusted(
    signer: C2paManifestSigner, key_server: KeyServer, tmp_path: Path
) -> None:
    """With the key in KMS a file comes out trusted and timestamped, signed with the credentials we gave."""
    target = tmp_path / "t.jpg"
    signed = await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), target))
    assert signed.timestamped
    assert (await signer.verify(target, "image/jpeg")).status == "trusted"
    assert [call["KeyId"] for call in key_server.calls] == ["alias/circletake-c2pa"]
    assert "AKIDSIGNER" in key_server.calls[0]["authorization"]


async def test_many_ingredients_still_fit(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A sheet of 120 takes is signed, although its claim is far beyond the 4096 bytes KMS takes at once."""
    take = make.picture(tmp_path / "take.png")
    takes: list[Ingredient] = [make.ingredient(take, "componentOf", title=f"take {n}") for n in range(120)]
    request = make.request(
        make.picture(tmp_path / "s.png"),
        tmp_path / "t.png",
        *takes,
        digital_source_type="compositeSynthetic",
    )
    signed = await signer.sign(request)
    assert (await signer.verify(signed.path, "image/png")).status == "trusted"


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "ThrottlingException", True),
        (500, "KMSInternalException", True),
        (400, "AccessDeniedException", False),
        (400, "DisabledException", False),
    ],
)
async def test_refusal_by_kms_is_named(
    signer: C2paManifestSigner,
    key_server: KeyServer,
    tmp_path: Path,
    status: int,
    code: str,
    retryable: bool,
) -> None:
    """What KMS said reaches the caller in place of the library's "signature invalid", with the right retry advice."""
    key_server.failure = (status, code)
    target = tmp_path / "t.jpg"
    with pytest.raises(SigningFault, match=code) as raised:
        await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), target))
    assert raised.value.retryable is retryable
    assert not target.exists()


async def test_kms_out_of_reach_is_retryable(studio: make.Studio, pool: ChildPool, tmp_path: Path) -> None:
    """A KMS endpoint nobody listens at is an outage."""
    key = KmsKey("key", "eu-west-1", "http://127.0.0.1:9", KmsCredentials("AKID", "secret"))
    signer = C2paManifestSigner(dataclasses.replace(studio.config, key_path=None, kms=key), pool)
    with pytest.raises(SigningFault, match="can't be reached") as raised:
        await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), tmp_path / "t.jpg"))
    assert raised.value.retryable


async def test_wrong_signature_from_kms_is_not_published(
    signer: C2paManifestSigner, key_server: KeyServer, tmp_path: Path
) -> None:
    """A signature over something else is caught before the file is published."""
    key_server.spoil = True
    target = tmp_path / "t.jpg"
    with pytest.raises(SigningFault):
        await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), target))
    assert not target.exists()
