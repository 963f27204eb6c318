import dataclasses
import hashlib
import http.server
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from PIL import Image

from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.kit.children import ChildPool
from circletake.ports import SigningFault
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


@pytest.mark.parametrize(
    "name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.mp4", "fragmented.mp4", "prores.mov"]
)
async def test_signed_output_is_trusted_timestamped_and_looks_the_same(
    signer: C2paManifestSigner, tmp_path: Path, name: str
) -> None:
    """Every format comes out trusted and timestamped, with the very same decoded samples."""
    source, target = tmp_path / f"source-{name}", tmp_path / name
    if name.startswith("fragmented"):
        make.video(source, "-movflags", "frag_keyframe+empty_moov")
    elif name.startswith("prores"):
        make.video(source, "-c:v", "prores_ks")
    elif name.endswith("mp4"):
        make.video(source, "-movflags", "+faststart")
    else:
        make.picture(source)
    signed = await signer.sign(make.request(source, target))
    verdict = await signer.verify(target, make.media_type(target))
    assert (verdict.status, verdict.reasons) == ("trusted", ())
    assert signed.timestamped
    assert verdict.signed_at is not None
    assert (signed.sha256, signed.size) == (make.sha256(target), target.stat().st_size)
    assert signed.manifest_urn == verdict.manifest_urn
    assert make.decoded(target) == make.decoded(source)


async def test_manifest_tells_the_story_of_a_take_on_a_plate(
    signer: C2paManifestSigner, tmp_path: Path
) -> None:
    """The manifest names the plate as parent, the model as agent, the inputs by hash, and forbids training."""
    plate, matte = make.picture(tmp_path / "plate.png"), make.picture(tmp_path / "matte.png", seed=2)
    element = make.picture(tmp_path / "element.tif", seed=3)
    source = make.picture(tmp_path / "result.png", seed=4)
    ingredients = (
        make.ingredient(plate, digital_source_type="digitalCapture"),
        make.ingredient(matte, "inputTo"),
        make.ingredient(element, "componentOf"),
    )
    target = tmp_path / "take.png"
    await signer.sign(make.request(source, target, *ingredients))
    verdict = await signer.verify(target, "image/png")
    assert verdict.digital_source_type == "compositeWithTrainedAlgorithmicMedia"
    assert [action["action"] for action in verdict.claim["actions"]] == [
        "c2pa.opened",
        "c2pa.edited",
        "c2pa.placed",
    ]
    assert verdict.claim["actions"][1]["software_agent"] == {
        "name": "Stable Diffusion 3.5 Large",
        "version": "stability.sd3-5-large-v1:0",
    }
    assert [(one["relationship"], one["sha256"]) for one in verdict.claim["ingredients"]] == [
        ("parentOf", make.sha256(plate)),
        ("inputTo", make.sha256(matte)),
        ("componentOf", make.sha256(element)),
    ]
    assert verdict.claim["ingredients"][0]["digital_source_type"] == "digitalCapture"
    assert {use["use"] for use in verdict.claim["training_mining"].values()} == {"notAllowed"}
    assert verdict.claim["generation"]["ledger_entry"] == "entry-1"


async def test_signed_plate_brings_its_own_manifest_along(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A take made from a signed take carries both manifests, so that the chain can be followed."""
    first = tmp_path / "first.jpg"
    signed = await signer.sign(make.request(make.picture(tmp_path / "one.jpg"), first))
    plate = make.ingredient(first, digital_source_type="digitalCapture")
    second = tmp_path / "second.jpg"
    await signer.sign(make.request(make.picture(tmp_path / "two.jpg", seed=2), second, plate))
    verdict = await signer.verify(second, "image/jpeg")
    assert verdict.status == "trusted"
    assert verdict.claim["ingredients"][0]["manifest_urn"] == signed.manifest_urn
    assert verdict.claim["manifests"] == 2


async def test_ingredient_of_any_format_is_bound_by_its_hash(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """An EXR plate, which no manifest can be read from, is named with its format and hash."""
    plate = tmp_path / "plate.exr"
    plate.write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    target = tmp_path / "take.jpg"
    exr = make.ingredient(plate, media_type="image/x-exr")
    await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), target, exr))
    assertions = studio.crjson(target)["manifests"][0]["assertions"]
    assert assertions["c2pa.ingredient.v3"]["dc:format"] == "image/x-exr"
    assert assertions["c2pa.ingredient.v3"]["instanceID"] == f"urn:sha256:{make.sha256(plate)}"


async def test_contact_sheet_names_its_takes_and_no_model(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A sheet is created by Circletake from placed takes; no model is credited with it."""
    takes = [make.picture(tmp_path / f"take{n}.png", seed=n) for n in (1, 2)]
    target = tmp_path / "sheet.png"
    await signer.sign(
        make.request(
            make.picture(tmp_path / "drawn.png", seed=9),
            target,
            *(make.ingredient(take, "componentOf") for take in takes),
            digital_source_type="compositeSynthetic",
            ai_system="",
            ai_system_version="",
            model_type="",
        )
    )
    verdict = await signer.verify(target, "image/png")
    assert [one["action"] for one in verdict.claim["actions"]] == ["c2pa.created", "c2pa.placed"]
    assert verdict.claim["actions"][0]["software_agent"]["name"] == "Circletake"
    assert verdict.claim["ai_disclosure"] is None


async def test_picture_itself_is_not_in_the_manifest(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """No thumbnail of a take or a plate travels inside the manifest."""
    plate = make.ingredient(make.picture(tmp_path / "plate.jpg", width=600, height=400))
    source = make.picture(tmp_path / "source.png")
    target = tmp_path / "take.png"
    await signer.sign(make.request(source, target, plate))
    assert b"c2pa.thumbnail" not in target.read_bytes()
    assert target.stat().st_size - source.stat().st_size < 40_000


async def test_unknown_action_reference_is_refused_before_anything_is_signed(
    signer: C2paManifestSigner, tmp_path: Path
) -> None:
    """An action that names a file which is no ingredient is refused by name, and no file appears."""
    action = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["f" * 64]}}
    target = tmp_path / "take.png"
    with pytest.raises(SigningFault, match="ingredient_found") as raised:
        await signer.sign(make.request(make.picture(tmp_path / "s.png"), target, actions=(action,)))
    assert not raised.value.retryable
    assert not target.exists()


async def test_prompt_in_the_assertion_is_refused(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A prompt in clear never reaches a file, and the refusal doesn't repeat it."""
    generation = {"inputs": {"prompt": "a secret castle"}}
    with pytest.raises(SigningFault, match="no_clear_content") as raised:
        await signer.sign(
            make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png", generation=generation)
        )
    assert "secret" not in str(raised.value)


async def test_ingredient_that_is_another_file_is_refused(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """A manifest can't name a hash that isn't its ingredient's."""
    plate = make.ingredient(make.picture(tmp_path / "plate.png"), sha256="0" * 64)
    with pytest.raises(SigningFault, match=r"plate\.png"):
        await signer.sign(make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png", plate))


async def test_tampered_plate_is_refused_by_name(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A plate changed after it was signed doesn't become the parent of anything we publish."""
    plate = make.signed_by_library(studio, make.picture(tmp_path / "p.jpg"), tmp_path / "plate.jpg")
    make.change_one_byte(plate)
    target = tmp_path / "take.png"
    request = make.request(make.picture(tmp_path / "s.png"), target, make.ingredient(plate))
    with pytest.raises(SigningFault, match=r"plate\.jpg.*dataHash\.mismatch") as raised:
        await signer.sign(request)
    assert not raised.value.retryable
    assert not target.exists()


async def test_plate_signed_by_a_stranger_is_no_obstacle(
    signer: C2paManifestSigner, studio: make.Studio, tmp_path: Path
) -> None:
    """A camera whose maker isn't on our lists gives a trusted take that says so of its plate."""
    stranger = ensure_pki(tmp_path / "stranger")
    plate = make.signed_by_library(
        studio, make.picture(tmp_path / "p.jpg"), tmp_path / "plate.jpg", pki=stranger
    )
    target = tmp_path / "take.jpg"
    await signer.sign(make.request(make.picture(tmp_path / "s.jpg", seed=2), target, make.ingredient(plate)))
    verdict = await signer.verify(target, "image/jpeg")
    assert verdict.status == "trusted"
    assert [one["codes"] for one in verdict.ingredient_problems] == [("signingCredential.untrusted",)]


async def test_failure_leaves_the_old_file_and_nothing_else(
    signer: C2paManifestSigner, tmp_path: Path
) -> None:
    """A picture that isn't what its type says is refused; the target stays as it was, no scraps remain."""
    source, target = tmp_path / "s.png", tmp_path / "t.png"
    source.write_bytes(b"not a picture")
    target.write_bytes(b"before")
    with pytest.raises(SigningFault, match="not a PNG"):
        await signer.sign(make.request(source, target))
    assert target.read_bytes() == b"before"
    assert make.names(tmp_path) == {"s.png", "t.png"}


async def test_timestamp_authority_down_is_retryable(
    studio: make.Studio, pool: ChildPool, tmp_path: Path
) -> None:
    """Without a timestamp nothing is published, and the caller is told to try again."""
    config = dataclasses.replace(studio.config, tsa_url="http://127.0.0.1:9/")
    target = tmp_path / "t.png"
    with pytest.raises(SigningFault, match="timestamp") as raised:
        await C2paManifestSigner(config, pool).sign(make.request(make.picture(tmp_path / "s.png"), target))
    assert raised.value.retryable
    assert not target.exists()


@pytest.mark.parametrize(("status", "body"), [(503, b""), (200, b"garbage")])
async def test_timestamp_authority_that_answers_nonsense_is_retryable(
    studio: make.Studio, pool: ChildPool, tmp_path: Path, status: int, body: bytes
) -> None:
    """An error page in place of a timestamp is an outage, not a broken file."""

    class Broken(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        config = dataclasses.replace(studio.config, tsa_url=f"http://127.0.0.1:{server.server_port}/")
        request = make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png")
        try:
            with pytest.raises(SigningFault, match="timestamp") as raised:
                await C2paManifestSigner(config, pool).sign(request)
        finally:
            server.shutdown()
            thread.join()
    assert raised.value.retryable


async def test_timestamp_by_a_stranger_is_refused(
    studio: make.Studio, pool: ChildPool, tmp_path: Path
) -> None:
    """A stamp from an authority we don't trust would not keep the file alive, so it isn't accepted."""
    with make.studio(tmp_path / "other") as other:
        config = dataclasses.replace(studio.config, tsa_url=other.config.tsa_url)
        request = make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png")
        with pytest.raises(SigningFault, match="timestamp"):
            await C2paManifestSigner(config, pool).sign(request)
    assert not (tmp_path / "t.png").exists()


async def test_signer_outside_our_roots_publishes_nothing(
    studio: make.Studio, pool: ChildPool, tmp_path: Path
) -> None:
    """With a certificate that our own roots don't cover, signing fails in place of publishing a doubtful file."""
    stranger = ensure_pki(tmp_path / "stranger")
    config = dataclasses.replace(studio.config, chain_path=stranger.chain, key_path=stranger.key)
    with pytest.raises(SigningFault, match=r"signingCredential\.untrusted"):
        await C2paManifestSigner(config, pool).sign(
            make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png")
        )
    assert not (tmp_path / "t.png").exists()


async def test_key_of_another_certificate_is_refused(
    studio: make.Studio, pool: ChildPool, tmp_path: Path
) -> None:
    """A key file that doesn't fit the certificate is named as the reason."""
    config = dataclasses.replace(studio.config, key_path=ensure_pki(tmp_path / "stranger").key)
    with pytest.raises(SigningFault, match="doesn't belong"):
        await C2paManifestSigner(config, pool).sign(
            make.request(make.picture(tmp_path / "s.png"), tmp_path / "t.png")
        )


async def test_renewed_certificate_is_used_without_a_restart(pool: ChildPool, tmp_path: Path) -> None:
    """A leaf renewed on disk signs the next file, in the same child process."""
    with make.studio(tmp_path / "pki") as studio:
        signer = C2paManifestSigner(studio.config, pool)
        await signer.sign(make.request(make.picture(tmp_path / "s.png"), tmp_path / "before.png"))
        studio.pki.chain.unlink()
        ensure_pki(tmp_path / "pki")
        await signer.sign(make.request(tmp_path / "s.png", tmp_path / "after.png"))
        renewed = x509.load_pem_x509_certificates(studio.pki.chain.read_bytes())[0].serial_number

        def serial(name: str) -> int:
            signature = studio.crjson(tmp_path / name)["manifests"][0]["signature"]
            return int(signature["certificateInfo"]["serialNumber"], 16)

        assert serial("after.png") == renewed != serial("before.png")


async def test_manifest_hash_is_of_the_store_in_the_file(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """The manifest hash we record can be checked against the file: PNG keeps the store in its caBX chunk."""
    target = tmp_path / "t.png"
    signed = await signer.sign(make.request(make.picture(tmp_path / "s.png"), target))
    data = target.read_bytes()
    start = data.index(b"caBX")
    length = int.from_bytes(data[start - 4 : start], "big")
    assert hashlib.sha256(data[start + 4 : start + 4 + length]).hexdigest() == signed.manifest_sha256


async def test_xmp_says_what_made_the_picture(signer: C2paManifestSigner, tmp_path: Path) -> None:
    """Any photo tool can read the source type, the AI system and the mining prohibition from a signed file."""
    target = tmp_path / "t.jpg"
    await signer.sign(make.request(make.picture(tmp_path / "s.jpg"), target))
    with Image.open(target) as image:
        packet = image.info["xmp"].decode()
    assert "digitalsourcetype/trainedAlgorithmicMedia<" in packet
    assert "AISystemUsed>Stable Diffusion 3.5 Large<" in packet
    assert "AISystemVersionUsed>stability.sd3-5-large-v1:0<" in packet
    assert "DMI-PROHIBITED" in packet
    assert "© 2026 Example Pictures" in packet
    assert "AIPrompt" not in packet
