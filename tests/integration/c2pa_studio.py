"""What the provenance tests share: a PKI, a timestamp authority, a signer, small pictures and a request."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import tifffile
from c2pa import Builder, C2paSignerInfo, Context, Reader, Signer
from PIL import Image

from circletake.adapters.c2pa.config import SigningConfig
from circletake.adapters.c2pa.manifests import CREATED_ASSERTION_LABELS
from circletake.adapters.c2pa.trust import OWN_SIGNERS, OWN_TIMESTAMPS, TrustAnchor, library_settings
from circletake.ports import Ingredient, SignRequest
from services.embedded.pki import PkiPaths, ensure_pki
from services.embedded.timestamp_authority import TimestampAuthority, TimestampServer

MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".pdf": "application/pdf",
}


@dataclass(frozen=True)
class Studio:
    pki: PkiPaths
    tsa: TimestampServer
    config: SigningConfig

    def context(self) -> Context:
        anchors = [
            TrustAnchor("manifest", OWN_SIGNERS, self.pki.roots.read_text()),
            TrustAnchor("tsa", OWN_TIMESTAMPS, self.pki.tsa_roots.read_text()),
        ]
        return Context.from_dict(library_settings(anchors, CREATED_ASSERTION_LABELS))

    def crjson(self, path: Path) -> Any:
        with path.open("rb") as stream, Reader(media_type(path), stream, context=self.context()) as reader:
            return json.loads(reader.crjson())


@contextmanager
def studio(directory: Path) -> Iterator[Studio]:
    pki = ensure_pki(directory)
    with TimestampServer(TimestampAuthority.load(pki), "127.0.0.1", 0) as tsa:
        thread = Thread(target=tsa.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        config = SigningConfig(
            roots_path=pki.roots,
            version="0.0.test",
            chain_path=pki.chain,
            key_path=pki.key,
            tsa_url=f"http://127.0.0.1:{tsa.server_port}/",
            tsa_roots_path=pki.tsa_roots,
        )
        yield Studio(pki, tsa, config)
        tsa.shutdown()
        thread.join()


def media_type(path: Path) -> str:
    return MEDIA_TYPES[path.suffix]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def picture(path: Path, *, seed: int = 1, width: int = 96, height: int = 64) -> Path:
    """Write a noisy picture in the format of the path's ending; TIFF has 16 bits per channel."""
    pixels = np.random.default_rng(seed).integers(0, 65535, (height, width, 3), dtype=np.uint16)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb")
    else:
        Image.fromarray((pixels >> 8).astype(np.uint8)).save(path)
    return path


def video(path: Path, *options: str) -> Path:
    subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi"),
            *("-i", "testsrc=s=96x64:d=1:r=8", *options, str(path)),
        ],
        check=True,
        timeout=60,
    )
    return path


def decoded(path: Path) -> bytes:
    """Return the decoded samples: what a viewer sees, without the container."""
    if path.suffix in {".mp4", ".mov"}:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-"]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    if path.suffix == ".tif":
        return bytes(tifffile.imread(path).tobytes())
    with Image.open(path) as image:
        return image.tobytes()


def ingredient(path: Path, relationship: Any = "parentOf", **changes: Any) -> Ingredient:
    return Ingredient(
        **{
            "path": path,
            "media_type": MEDIA_TYPES.get(path.suffix),
            "title": path.name,
            "sha256": sha256(path),
            "relationship": relationship,
            **changes,
        }
    )


def request(source: Path, target: Path, *ingredients: Ingredient, **changes: Any) -> SignRequest:
    on_plate = any(one.relationship == "parentOf" for one in ingredients)
    return SignRequest(
        **{
            "source": source,
            "target": target,
            "media_type": media_type(source),
            "title": "AGM_104_TCC_0010 take 7",
            "digital_source_type": (
                "compositeWithTrainedAlgorithmicMedia" if on_plate else "trainedAlgorithmicMedia"
            ),
            "ai_system": "Stable Diffusion 3.5 Large",
            "ai_system_version": "stability.sd3-5-large-v1:0",
            "model_type": "image_generation",
            "rights": "© 2026 Example Pictures",
            "ingredients": ingredients,
            "generation": {"generation_id": "gen-1", "ledger_entry": "entry-1", "prompt_hmac": "9f2c"},
            **changes,
        }
    )


def signed_by_library(studio: Studio, source: Path, target: Path, **tools: Any) -> Path:
    """Sign with the bare library, to make the files that our signer refuses to make.

    tools: `pki` (another signer), `parent` (path), `remote_url` (then nothing is embedded).
    """
    created = {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
    parent: Path | None = tools.get("parent")
    actions = {"actions": [opened if parent else created], "allActionsIncluded": True}
    definition = {
        "claim_version": 2,
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": actions}],
    }
    pki: PkiPaths = tools.get("pki", studio.pki)
    signer = Signer.from_info(C2paSignerInfo(b"es256", pki.chain.read_bytes(), pki.key.read_bytes(), None))
    builder = Builder(json.dumps(definition), context=studio.context())
    if parent:
        described = {"label": "parent", "title": parent.name, "relationship": "parentOf"}
        with parent.open("rb") as stream:
            builder.add_ingredient(json.dumps(described), media_type(parent), stream)
    if "remote_url" in tools:
        builder.set_remote_url(tools["remote_url"])
        builder.set_no_embed()
    with source.open("rb") as stream, target.open("w+b") as out:
        builder.sign(signer, media_type(source), stream, out)
    return target


def change_one_byte(path: Path, *, from_end: int = 200) -> None:
    data = bytearray(path.read_bytes())
    data[-from_end] ^= 1
    path.write_bytes(data)


def reference_files() -> Path:
    """Return the C2PA files that other people signed, or skip: they aren't ours to ship."""
    default = Path(__file__).parents[3] / "shared" / "testdata"
    directory = Path(os.getenv("CIRCLETAKE_TESTDATA", default)) / "c2pa"
    if not directory.is_dir():
        pytest.skip("reference files not present: set CIRCLETAKE_TESTDATA")
    return directory
