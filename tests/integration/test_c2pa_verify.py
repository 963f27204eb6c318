import dataclasses
import http.server
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from circletake.adapters.c2pa.config import SigningConfig
from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.kit.children import ChildPool
from circletake.ports import SignedFile, VerifyVerdict
from services.embedded.pki import ensure_pki
from tests.integration import c2pa_studio as make


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
def signer(studio: make.Studio, pool: ChildPool) -> C2paManifestSigner:
    return C2paManifestSigner(studio.config, pool)


async def _sign(signer: C2paManifestSigner, directory: Path, name: str) -> SignedFile:
    source = directory / f"source-{name}"
    if name.endswith("mp4"):
        make.video(source)
    else:
        make.picture(source)
    return await signer.sign(make.request(source, directory / name))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.png", "assertion.dataHash.mismatch"),
        ("a.jpg", "assertion.dataHash.mismatch"),
        ("a.webp", "assertion.dataHash.mismatch"),
        ("a.tif", "assertion.dataHash.mismatch"),
        ("a.mp4", "assertion.bmffHash.mismatch"),
    ],
)
async def test_one_changed_bit_of_the_picture_is_noticed(
    signer: C2paManifestSigner, tmp_path: Path, name: str, code: str
) -> None:
    """One flipped bit among the picture's own bytes makes the file tampered."""
    signed = await _sign(signer, tmp_path, name)
    source = (tmp_path / f"source-{name}").read_bytes()
    data = bytearray(signed.path.read_bytes())
    if name == "a.mp4":
        at = data.index(b"mdat") + 200
    else:
        tail = source[len(source) // 2 : len(source) // 2 + 32]  # picture data, copied as it was
        at = data.index(tail) + 8
    data[at] ^= 1
    signed.path.write_bytes(data)
    verdict = await signer.verify(signed.path, make.media_type(signed.path))
    assert (verdict.status, verdict.reasons) == ("tampered", (code,))


async def test_changed_assertion_is_noticed(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """An edited ledger id inside the manifest makes the file tampered."""
    signed = await _sign(signer, tmp_path, "a.jpg")
    signed.path.write_bytes(signed.path.read_bytes().replace(b"entry-1", b"entry-2"))
    verdict = await signer.verify(signed.path, "image/jpeg")
    assert (verdict.status, verdict.reasons) == ("tampered", ("assertion.hashedURI.mismatch",))


async def test_changed_xmp_is_noticed(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """The XMP is covered by the signature: swapping the model's name in it shows."""
    signed = await _sign(signer, tmp_path, "a.jpg")
    changed = signed.path.read_bytes().replace(b"AISystemUsed>Stable", b"AISystemUsed>Humane")
    signed.path.write_bytes(changed)
    assert (await signer.verify(signed.path, "image/jpeg")).status == "tampered"


async def test_re_saved_file_has_no_manifest(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A picture program that drops the manifest leaves a file of which nothing can be said."""
    signed = await _sign(signer, tmp_path, "a.png")
    with Image.open(signed.path) as image:
        image.save(tmp_path / "again.png")
    verdict = await signer.verify(tmp_path / "again.png", "image/png")
    assert verdict.status == "no_manifest"
    assert verdict.manifest_urn is None


async def test_forger_with_our_name_is_untrusted(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A certificate with exactly our names and another key makes a valid file that isn't trusted."""
    forger = ensure_pki(tmp_path / "forger")
    forged = make.signed_by_library(
        studio, make.picture(tmp_path / "s.jpg"), tmp_path / "forged.jpg", pki=forger
    )
    verdict = await signer.verify(forged, "image/jpeg")
    genuine = await signer.verify((await _sign(signer, tmp_path, "a.jpg")).path, "image/jpeg")
    assert verdict.signer == genuine.signer
    assert (verdict.status, verdict.reasons) == ("valid_but_untrusted", ("signingCredential.untrusted",))


async def test_clean_child_of_a_tampered_parent_is_not_clean(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A properly signed file whose parent had been changed is tampered, and the parent is named."""
    parent = make.signed_by_library(studio, make.picture(tmp_path / "p.jpg"), tmp_path / "parent.jpg")
    make.change_one_byte(parent)
    child = make.signed_by_library(
        studio, make.picture(tmp_path / "c.jpg", seed=2), tmp_path / "child.jpg", parent=parent
    )
    grandchild = make.signed_by_library(
        studio, make.picture(tmp_path / "g.jpg", seed=3), tmp_path / "grandchild.jpg", parent=child
    )
    for descendant in (child, grandchild):
        verdict = await signer.verify(descendant, "image/jpeg")
        assert verdict.status == "tampered"
        assert any("parent.jpg" in reason and "dataHash.mismatch" in reason for reason in verdict.reasons)
        assert any(one["tampered"] for one in verdict.ingredient_problems)


async def test_address_in_a_file_is_never_visited(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A file that names a manifest on a server doesn't make us call that server, neither alone nor as a plate."""
    visits: list[str] = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            bait = make.signed_by_library(
                studio,
                make.picture(tmp_path / "s.jpg"),
                tmp_path / "bait.jpg",
                remote_url=f"http://127.0.0.1:{server.server_port}/manifest.c2pa",
            )
            assert str(server.server_port).encode() in bait.read_bytes()
            verdict = await signer.verify(bait, "image/jpeg")
            source = make.picture(tmp_path / "t.jpg", seed=2)
            take = await signer.sign(make.request(source, tmp_path / "take.jpg", make.ingredient(bait)))
            from_bait = await signer.verify(take.path, "image/jpeg")
        finally:
            server.shutdown()
            thread.join()
    assert verdict.status == "no_manifest"
    assert "never fetched" in verdict.reasons[0]
    assert (from_bait.status, from_bait.reasons) == ("trusted", ())
    assert visits == []


async def test_output_made_from_a_bait_file_forgets_the_address(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A result that carries a foreign manifest address in its XMP is published without it."""
    bait = make.signed_by_library(
        studio, make.picture(tmp_path / "s.jpg"), tmp_path / "bait.jpg", remote_url="http://evil.example/m"
    )
    signed = await signer.sign(make.request(bait, tmp_path / "take.jpg"))
    assert b"evil.example" not in signed.path.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [
        ("text.jpg", b"hello", "image/jpeg"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        ("file.xyz", b"hello", "application/x-unknown"),
    ],
)
async def test_file_that_cannot_be_read_says_so(
    signer: C2paManifestSigner, tmp_path: Path, name: str, data: bytes, declared: str
) -> None:
    """Junk gets a verdict, not an exception, and never a good one."""
    (tmp_path / name).write_bytes(data)
    verdict = await signer.verify(tmp_path / name, declared)
    assert verdict.status in {"unreadable", "no_manifest"}
    assert verdict.reasons


async def test_missing_file_is_an_error(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """Verifying a file that isn't there is the caller's mistake, not a verdict."""
    with pytest.raises(FileNotFoundError):
        await signer.verify(tmp_path / "nothing.png", "image/png")


async def test_process_without_a_key_can_verify(
    signer: C2paManifestSigner, studio: make.Studio, pool: ChildPool, tmp_path: Path
) -> None:
    """Verifying needs the roots and nothing secret."""
    signed = await _sign(signer, tmp_path, "a.jpg")
    verifier = C2paManifestSigner(
        SigningConfig(roots_path=studio.pki.roots, version="1", tsa_roots_path=studio.pki.tsa_roots),
        pool,
    )
    assert (await verifier.verify(signed.path, "image/jpeg")).status == "trusted"


async def _reference(studio: make.Studio, pool: ChildPool, name: str) -> VerifyVerdict:
    directory = make.reference_files()
    config = dataclasses.replace(studio.config, roots_path=directory / "test_cert_root_bundle.pem")
    path = directory / name
    return await C2paManifestSigner(config, pool).verify(path, make.media_type(path))


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("adobe-20220124-A.jpg", "no_manifest", None),
        ("adobe-20220124-C.jpg", "trusted", None),
        ("adobe-20220124-CA.jpg", "trusted", None),
        ("adobe-20220124-E-dat-CA.jpg", "tampered", "assertion.dataHash.mismatch"),
        ("adobe-20220124-E-uri-CA.jpg", "tampered", "assertion.hashedURI.mismatch"),
        ("C_with_CAWG_data.jpg", "trusted", "cawg.x509.credential.untrusted"),
        ("video1.mp4", "trusted", "ingredient 'video1.mp4': signingCredential.untrusted"),
        ("libpng-test_with_url.png", "no_manifest", None),
        ("no_alg.jpg", "unreadable", None),
    ],
)
async def test_files_signed_by_others_get_the_verdict_their_makers_state(
    studio: make.Studio, pool: ChildPool, name: str, status: str, reason: str | None
) -> None:
    """Public test files of Adobe and the C2PA library are judged as their makers say."""
    verdict = await _reference(studio, pool, name)
    assert verdict.status == status, verdict.reasons
    if reason is not None:
        assert reason in verdict.reasons


async def test_reference_file_is_untrusted_under_our_own_roots(
    signer: C2paManifestSigner,
) -> None:
    """What others signed properly is valid, and not ours."""
    verdict = await signer.verify(make.reference_files() / "adobe-20220124-C.jpg", "image/jpeg")
    assert verdict.status == "valid_but_untrusted"
