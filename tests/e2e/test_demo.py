"""The demo: it tells the truth when all is well, and says so when it isn't."""

import base64
import hashlib
import hmac
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.embedded.demo import checks, judgements, walls
from services.embedded.demo.checks import ManifestReader, Message
from services.embedded.demo.continuity import ALTERED
from services.embedded.demo.walls import Attempt
from services.embedded.own import Options
from services.embedded.pki import ensure_pki
from services.embedded.process import StartFailed
from services.embedded.stack import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = 1_900_000_000

# a demo starts a whole stack, which takes its time on a busy machine
slow = pytest.mark.timeout(600)


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "services.embedded.demo", "--output", str(tmp_path / "out"), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "CIRCLETAKE_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def nothing_stays(tmp_path: Path) -> bool:
    return not (tmp_path / "home" / "demo").exists()


# --- the whole of it ------------------------------------------------------------------------------------------------


@slow
def test_every_claim_is_true_and_the_pictures_stay(tmp_path: Path) -> None:
    """The demo ends with 0, a table of signed takes and one file for each, and removes its stack."""
    with start(tmp_path, "--takes", "1") as demo:
        said = demo.communicate()[0]
    assert demo.returncode == 0, said
    assert "✗" not in said
    assert "Every claim was true." in said
    rows = [line.split() for line in said.splitlines() if line.endswith("trusted")]
    alone, told = rows[:5], rows[5:]
    assert [row[2] for row in alone] == ["set_extension", "cleanup", "element", "concept_art", "previs_shot"]
    assert [row[4] for row in alone] == ["circled", "circled", "circled", "succeeded", "rejected"]
    altered = [row[4] for row in told if row[0] == ALTERED]
    assert [row[4] for row in told if row[0] != ALTERED] == ["circled"] * 5
    assert (altered[0], altered[-1]) == ("rejected", "circled")
    out = tmp_path / "out"
    takes = [path for path in out.glob("*_t*.*") if path.name.startswith(("LFT_", "concept_art_"))]
    assert len(takes) == len(rows)
    assert [len(list(out.glob(f"FOG_SB01*.{each}"))) for each in ("pdf", "mp4", "otio")] == [1, 1, 1]
    assert len(list(out.glob("LFT_*_t01.mp4"))) == 1
    assert len(list(out.glob("contact_sheet_*.jpg"))) == 5
    assert (len(list(out.glob("continuity_*.jpg"))), len(list(out.glob("continuity_*.pdf")))) == (2, 1)
    assert len((out / "ai-register.csv").read_text().splitlines()) == len(rows) + 1
    page = (out / "index.html").read_text()
    shown = [
        *out.glob("LFT_*_t*.*"),
        *out.glob("continuity_*"),
        *out.glob("FOG_*"),
        *out.glob("reference_*"),
        *out.glob("wrong_*"),
    ]
    assert all(path.name in page for path in shown)
    assert [line for line in said.splitlines() if len(line) > 100 and str(tmp_path) not in line] == []
    assert nothing_stays(tmp_path)


@slow
def test_an_untrue_claim_ends_it_with_1_and_the_logs(tmp_path: Path) -> None:
    """A matte that doesn't fit its plate is told with what was expected; the exit code is 1, the logs stay."""
    plate, matte = tmp_path / "plate.png", tmp_path / "matte.png"
    cv2.imwrite(str(plate), np.full((96, 128, 3), 90, np.uint8))
    cv2.imwrite(str(matte), np.full((48, 64), 255, np.uint8))
    with start(tmp_path, "--plate", str(plate), "--matte", str(matte)) as demo:
        said = demo.communicate()[0]
    assert demo.returncode == 1, said
    assert "✗" in said
    assert "The matte is 64x48, the plate 128x96" in said
    assert str(tmp_path / "out" / "logs") in said
    assert (tmp_path / "out" / "logs" / "api.log").exists()
    assert nothing_stays(tmp_path)


@slow
def test_ctrl_c_stops_the_stack(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends the demo with 130, and its stack with it."""
    with start(tmp_path, "--takes", "1") as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "receiver has answered" in line:
                demo.send_signal(signal.SIGINT)
                break
        said = demo.communicate()[0]
    assert demo.returncode == 130, said
    assert nothing_stays(tmp_path)


def test_a_picture_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    """A mistyped path is an error of the call, not a failed demo."""
    with start(tmp_path, "--plate", "no/such.png") as demo:
        said = demo.communicate()[0]
    assert demo.returncode == 2
    assert "no/such.png" in said


def test_missing_networks_are_told_before_anything_starts(tmp_path: Path) -> None:
    """Without the networks that see faces every worker would end at once; the message says how to get them."""
    env = {"CIRCLETAKE_WORKER__WEIGHTS_DIR": str(tmp_path / "none")}
    stack = Stack(tmp_path / "home", Options(env=env))
    with pytest.raises(StartFailed, match="make weights"):
        stack.start()
    assert stack.pids() == {}


# --- that its checks can fail ---------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A 16-bit plate, a matte of its middle, and a take that keeps to it."""
    plate = np.arange(40 * 60 * 3, dtype=np.uint16).reshape(40, 60, 3) * 9
    matte = np.zeros((40, 60), np.uint8)
    matte[10:20, 10:20] = 255
    take = plate.copy()
    take[12:18, 12:18] = 5
    paths = tmp_path / "plate.png", tmp_path / "matte.png", tmp_path / "take.png"
    for path, pixels in zip(paths, (plate, matte, take), strict=True):
        cv2.imwrite(str(path), pixels)
    return paths


def test_a_pixel_changed_outside_the_matte_is_found(pictures: tuple[Path, Path, Path]) -> None:
    """One code of one pixel is enough."""
    plate, matte, take = pictures
    assert checks.outside_matte(plate, matte, take) == (2300, None)
    pixels = checks.decode(take)
    pixels[30, 40, 1] += 1
    cv2.imwrite(str(take), pixels)
    assert "found 1 of 2300" in str(checks.outside_matte(plate, matte, take)[1])


def test_a_take_of_less_depth_is_found(pictures: tuple[Path, Path, Path]) -> None:
    """A 16-bit plate that came back with 8 bits has lost what the claim promises."""
    plate, matte, take = pictures
    cv2.imwrite(str(take), (checks.decode(take) // 257).astype(np.uint8))
    assert "uint8" in str(checks.outside_matte(plate, matte, take)[1])


def test_a_take_that_changed_nothing_is_found(pictures: tuple[Path, Path, Path]) -> None:
    """The plate itself is no result."""
    plate, matte, _ = pictures
    assert "nothing has" in str(checks.outside_matte(plate, matte, plate)[1])


def test_a_plate_shifted_in_its_extension_is_found(pictures: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The plate must stand where it was asked for, pixel for pixel."""
    plate, take = pictures[0], tmp_path / "wide.png"
    pixels = checks.decode(plate)
    cv2.imwrite(str(take), np.pad(pixels, ((0, 0), (8, 4), (0, 0)), mode="edge"))
    assert checks.inside_extension(plate, {"left": 8, "right": 4}, take) == (2400, None)
    assert "pixels differ" in str(checks.inside_extension(plate, {"left": 4, "right": 8}, take)[1])


def test_a_file_without_a_manifest_is_found(pictures: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """No manifest is no provenance."""
    pki = ensure_pki(tmp_path / "pki")
    reader = ManifestReader(pki.roots, pki.tsa_roots)
    assert "expected a manifest" in str(reader.read(pictures[0].read_bytes(), "image/png").wrong)


def signed(body: bytes) -> tuple[Message, str, str]:
    """A webhook as Standard Webhooks has it, with its secret and its public key."""
    secret, key = b"0123456789abcdef0123456789abcdef", Ed25519PrivateKey.generate()
    content = f"evt_1.{NOW}.".encode() + body
    mac = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    signature = base64.b64encode(key.sign(content)).decode()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    message = Message("evt_1", str(NOW), f"v1,{mac} v1a,{signature}", body)
    return message, "whsec_" + base64.b64encode(secret).decode(), "whpk_" + public


def test_a_forged_webhook_is_found() -> None:
    """A changed body, an old timestamp and a missing ed25519 signature each fail."""
    message, secret, public = signed(b'{"type":"take.succeeded"}')
    assert checks.webhook(message, secret, public, NOW) is None
    changed = Message(message.id, message.timestamp, message.signatures, checks.flipped(message.body, 5))
    assert "HMAC" in str(checks.webhook(changed, secret, public, NOW))
    assert "timestamp" in str(checks.webhook(message, secret, public, NOW + 3600))
    half = Message(message.id, message.timestamp, message.signatures.split()[0], message.body)
    assert "ed25519" in str(checks.webhook(half, secret, public, NOW))


def test_a_register_with_other_bytes_is_found() -> None:
    """The register is compared with what was really downloaded and circled."""
    text = "take,output_sha256,circled\r\na,11,true\r\nb,22,false\r\n"
    assert checks.register(text, {"a": "11", "b": "22"}, ["a"]) is None
    assert "SHA-256" in str(checks.register(text, {"a": "11", "b": "23"}, ["a"]))
    assert "circled" in str(checks.register(text, {"a": "11", "b": "22"}, ["b"]))
    assert "expected 3" in str(checks.register(text, {"a": "11", "b": "22", "c": "33"}, ["a"]))


def test_a_wall_that_let_somebody_through_is_found() -> None:
    """One try that was allowed is named."""
    refused, through = Attempt("GetObject", "AccessDenied"), Attempt("PutObject", "allowed")
    assert walls.unlike([refused], "AccessDenied") is None
    assert "PutObject allowed" in str(walls.unlike([refused, through], "AccessDenied"))
    assert walls.unlike([], "AccessDenied") is not None


def reference(state: str, *codes: str) -> dict[str, Any]:
    return {"state": state, "findings": [{"code": code} for code in codes]}


def test_a_reference_with_a_fault_is_found() -> None:
    """A finding nobody expected is named, and so is a known fault that wasn't found."""
    assert judgements.unsound([reference("ready")]) is None
    assert "blurred" in str(judgements.unsound([reference("ready"), reference("ready", "blurred")]))
    assert judgements.unsound([]) is not None
    assert judgements.untold(reference("unusable", "no_face"), "no_face") is None
    assert "found nothing" in str(judgements.untold(reference("ready"), "near_duplicate"))


def judged(shot: str, verdict: str = "pass", *broken: str) -> dict[str, Any]:
    reasons = [f"{aspect}_mismatch" for aspect in broken]
    return {
        "shot_id": shot,
        "results": [{"verdict": verdict, "broken": list(broken), "reasons": reasons, "scores": {}}],
    }


def check(verdict: str, *aspects: str) -> dict[str, Any]:
    breaks = [{"shot": "b", "aspects": [aspect]} for aspect in aspects]
    return {"verdict": verdict, "summary": {"subjects": [{"breaks": breaks}]}}


FAILED = check("fail", "wardrobe")


@pytest.mark.parametrize(
    ("answer", "results", "said"),
    [
        (FAILED, [judged("a"), judged("b", "fail", "wardrobe")], None),
        (FAILED, [judged("a"), judged("b", "fail", "hair")], "fail by wardrobe"),
        (FAILED, [judged("a"), judged("b")], "fail by wardrobe"),
        (FAILED, [judged("a", "needs_human"), judged("b", "fail", "wardrobe")], "expected a pass"),
        (FAILED, [judged("a")], "isn't among"),
        (check("pass", "wardrobe"), [judged("b", "fail", "wardrobe")], "says pass"),
        (check("fail", "wardrobe", "hair"), [judged("b", "fail", "wardrobe")], "expected one break"),
    ],
)
def test_a_check_that_names_another_shot_or_aspect_is_found(
    answer: dict[str, Any], results: list[dict[str, Any]], said: str | None
) -> None:
    """Exactly the altered shot may fail, and only by what was altered."""
    problem = judgements.one_broken(answer, results, "b", "wardrobe")
    assert problem is None if said is None else said in str(problem)


def test_a_sequence_that_does_not_pass_whole_is_found() -> None:
    """One shot that needs a person, or one too few, is no pass."""
    assert judgements.all_pass(check("pass"), [judged("a"), judged("b")], 2) is None
    assert judgements.all_pass(check("pass"), [judged("a")], 2) is not None
    assert "needs_human" in str(judgements.all_pass(check("needs_human"), [judged("a", "needs_human")], 1))


def enforcement(**changed: Any) -> dict[str, Any]:
    attempts = [
        {"take_id": "a", "verdict": "fail", "broken": ["wardrobe"], "cost_usd": "0.08"},
        {"take_id": "b", "verdict": "pass", "broken": [], "cost_usd": "0.07"},
    ]
    told = {"state": "passed", "detail": None, "stop_reason": "passed", "best_take_id": "b"}
    return {**told, "spent_usd": "0.15", "at_most_usd": "0.15", "attempts": attempts, **changed}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (enforcement(), None),
        (enforcement(state="needs_review", detail="No served rung"), "No served rung"),
        (enforcement(attempts=enforcement()["attempts"][1:]), "the last to pass"),
        (enforcement(best_take_id="a"), "to be the best"),
        (enforcement(spent_usd="0.23"), "0.15 US dollars spent"),
        (enforcement(at_most_usd="0.31"), "at most 0.30"),
    ],
)
def test_an_enforcement_that_is_not_what_it_says_is_found(found: dict[str, Any], said: str | None) -> None:
    """Its end, its best take, its sums and its cap are each held against its attempts."""
    problem = judgements.cured(found, "wardrobe", Decimal("0.30"))
    assert problem is None if said is None else said in str(problem)


def test_a_bit_is_changed_inside_a_documents_picture() -> None:
    """Not in its structure: that would prove no more than that a broken file is broken."""
    head = b"%PDF-1.7\n1 0 obj\n<</Type/XObject/Subtype/Image/Length 9>>stream\n"
    document = head + b"\x00" * 9 + b"\nendstream\nendobj\n%%EOF"
    forged = checks.one_bit_changed(document, "application/pdf")
    [place] = [at for at, (one, other) in enumerate(zip(document, forged, strict=True)) if one != other]
    assert len(head) <= place < len(head) + 9
