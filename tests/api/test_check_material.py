"""What a check is asked about: videos, whole sequences, shots with their looks, and files of every kind."""

import io
import subprocess
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import tifffile
from PIL import Image

from services.embedded.stack import Stack
from tests.cast import (
    WAIT,
    backdrop,
    character,
    closer,
    lit,
    png,
    portrait,
    redressed,
    retaken,
    upload,
)
from tests.enforcing import cast_on
from tests.events import told
from tests.gateway import Studio

Found = dict[str, Any]
FRAMES = 48
JUDGE = "us.amazon.nova-2-lite-v1:0"


async def finished(studio: Studio, body: Found) -> Found:
    answer = await studio.post("/v1/consistency-checks", body, headers=WAIT)
    assert answer.status in {200, 202}, answer.body
    for _ in range(5):
        if answer.json.get("finished_at"):
            break
        answer = await studio.get(f"/v1/consistency-checks/{answer.json['id']}", headers=WAIT)
    assert answer.json["finished_at"], answer.body
    return dict(answer.json)


async def results(studio: Studio, check: Found, query: str = "") -> list[Found]:
    page = await studio.get(f"/v1/consistency-checks/{check['id']}/results?limit=200{query}")
    assert page.status == 200, page.body
    return list(page.json["data"])


@pytest.fixture(scope="module")
async def cast(studio: Studio) -> Found:
    """A production with one character known from three pictures."""
    production = await studio.production()
    own = portrait()
    made = await character(studio, production["id"], [own, lit(own[:, ::-1], 0.85), closer(own)])
    return {"production": production["id"], **made}


def question(cast: Found, material: list[Found], **more: Any) -> Found:
    return {
        "production_id": cast["production"],
        "subjects": [{"character_id": cast["character"]}],
        "material": material,
        **more,
    }


def video(folder: Path, pictures: list[Any]) -> bytes:
    """An H.264 MP4 of these frames, 24 a second."""
    path = folder / "shot.mp4"
    height, width = pictures[0].shape[:2]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{width}x{height}", "-r", "24", "-i", "-", "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "18", "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=b"".join(each.tobytes() for each in pictures), check=True)
    return path.read_bytes()


def moving(own: Any, at: int) -> Any:
    """The figure drifts to the left, a pixel a frame."""
    return np.ascontiguousarray(cv2.copyMakeBorder(own, 0, 0, 0, at, cv2.BORDER_REPLICATE)[:, at:])


@pytest.fixture(scope="module")
async def shot(studio: Studio, cast: Found, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two seconds of her; in the second one she wears another colour."""
    own = retaken(portrait(), 5)
    other = redressed(own)
    frames = [moving(own if at < FRAMES // 2 else other, at) for at in range(FRAMES)]
    content = video(tmp_path_factory.mktemp("video"), frames)
    return await upload(
        studio, cast["production"], content, role="plate", name="shot.mp4", media_type="video/mp4"
    )


async def test_a_costume_that_changes_within_a_shot_is_found(studio: Studio, cast: Found, shot: str) -> None:
    """The worst frame lies in the altered half, and the change is looked at more closely than the rest."""
    check = await finished(studio, question(cast, [{"media_id": shot}]))
    [[judged]] = [each["results"] for each in await results(studio, check, "&frames=true")]
    assert judged["verdict"] == "fail", judged
    assert "wardrobe" in judged["broken"]
    assert judged["worst_frame"] >= FRAMES // 2
    looked = [frame for frame, _ in judged["drift_curve"]]
    assert len(looked) > 3
    assert sum(FRAMES // 4 <= frame < 3 * FRAMES // 4 for frame in looked) > len(looked) / 2


async def test_every_nth_frame_is_looked_at_when_asked(studio: Studio, cast: Found, shot: str) -> None:
    """Mode `every`: the frames that were named, no more and no others."""
    sampling = {"mode": "every", "every": 16}
    check = await finished(studio, question(cast, [{"media_id": shot}], sampling=sampling))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert [frame for frame, _ in judged["drift_curve"]] == [0, 16, 32]


def jpeg(picture: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def turned(picture: Any) -> bytes:
    """Stored lying on its side, to be turned by its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(np.ascontiguousarray(np.rot90(picture)), exif=exif.tobytes())


def cmyk(picture: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(file, "JPEG", quality=92)
    return file.getvalue()


def deep_tiff(picture: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, picture.astype(np.uint16) * 257, photometric="rgb")
    return file.getvalue()


def with_alpha(picture: Any) -> bytes:
    alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
    alpha[:, :40] = 0
    file = io.BytesIO()
    Image.fromarray(np.concatenate([picture, alpha], axis=2)).save(file, "PNG")
    return file.getvalue()


def deep_png(picture: Any) -> bytes:
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)
    assert done
    return bytes(encoded)


def animated(picture: Any) -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(lit(picture, gain)) for gain in (1.0, 0.8)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


def monochrome(picture: Any) -> bytes:
    return jpeg(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def wide(picture: Any) -> bytes:
    """8192 pixels across, with one small figure in it."""
    frame = np.full((1024, 8192, 3), 120, np.uint8)
    frame[256:768, 5000:5512] = picture
    return jpeg(frame)


KINDS = [
    ("turned", turned, "image/jpeg"),
    ("monochrome", monochrome, "image/jpeg"),
    ("cmyk", cmyk, "image/jpeg"),
    ("16-bit.tif", deep_tiff, "image/tiff"),
    ("16-bit", deep_png, "image/png"),
    ("alpha", with_alpha, "image/png"),
    ("animated", animated, "image/webp"),
    ("tiny", lambda picture: png(cv2.resize(picture, (12, 12))), "image/png"),
    ("one pixel", lambda _: png(np.zeros((1, 1, 3), np.uint8)), "image/png"),
    ("black", lambda picture: png(np.zeros_like(picture)), "image/png"),
    ("wide", wide, "image/jpeg"),
]


async def declared(studio: Studio, production: str, name: str, content: bytes, media_type: str) -> Found:
    """Upload a file that the studio may be told to do otherwise; returns what became of it."""
    try:
        media_id = await upload(
            studio,
            production,
            content,
            name=f"{name.partition('.')[0]}.{media_type[6:]}",
            media_type=media_type,
        )
    except AssertionError as refused:
        return {"id": None, "why": str(refused)}
    return {"id": media_id, "why": ""}


async def test_pictures_of_every_kind_get_a_verdict_or_a_clear_problem(studio: Studio, cast: Found) -> None:
    """One check of a heap of odd files: each is judged, or its upload said what is wrong; none stops the others."""
    own = closer(retaken(portrait(), 7), left=48, top=6)
    files = {
        name: await declared(studio, cast["production"], name, make(own), media_type)
        for name, make, media_type in KINDS
    }
    assert all(file["id"] or "problem" in file["why"] for file in files.values()), files
    names = [name for name, file in files.items() if file["id"]]
    check = await finished(studio, question(cast, [{"media_id": files[name]["id"]} for name in names]))
    found = dict(zip(names, await results(studio, check), strict=True))
    for name, each in found.items():
        if each["state"] == "unreadable":
            assert each["problem_code"] not in {None, "dead_letter"}, (name, each)
            assert each["problem_detail"], name
            continue
        [judged] = each["results"]
        if name in {"tiny", "one pixel", "black"}:
            assert judged["verdict"] == "not_assessable", (name, judged)
        else:
            assert judged["scores"].get("face", 1) > 0.5, (name, judged)
    for name in ("turned", "16-bit", "alpha", "16-bit.tif"):
        assert found[name]["results"][0]["verdict"] == "pass", (name, found[name])


async def test_the_same_file_twice_stands_twice(studio: Studio, cast: Found) -> None:
    """A file named twice is judged once and shown at both places."""
    media = await upload(studio, cast["production"], png(closer(retaken(portrait(), 10))))
    check = await finished(studio, question(cast, [{"media_id": media}] * 2))
    one, other = await results(studio, check)
    assert one["results"] == other["results"]
    assert (one["position"], other["position"]) == (0, 1)


async def test_a_canceled_check_stays_canceled(studio: Studio, cast: Found) -> None:
    """Whatever is judged after it was stopped, it has no verdict and no sheet."""
    media = [
        await upload(studio, cast["production"], png(closer(retaken(portrait(), at)))) for at in (11, 12)
    ]
    asked = await studio.post(
        "/v1/consistency-checks", question(cast, [{"media_id": each} for each in media])
    )
    stopped = await studio.post(f"/v1/consistency-checks/{asked.json['id']}/cancel")
    assert stopped.json["state"] == "canceled", stopped.body
    again = await finished(studio, question(cast, [{"media_id": each} for each in media]))
    assert again["verdict"] == "pass"
    after = (await studio.get(f"/v1/consistency-checks/{asked.json['id']}")).json
    assert (after["state"], after["verdict"], after["sheet_media_id"]) == ("canceled", None, None)


async def test_expected_characters_must_exist(studio: Studio, cast: Found) -> None:
    """A typo in `expected` is told with its place, not dropped."""
    media = await upload(studio, cast["production"], png(backdrop()))
    nobody = "0193a1f0-0000-7000-8000-000000000000"
    refused = await studio.post(
        "/v1/consistency-checks", question(cast, [{"media_id": media, "expected": [nobody]}])
    )
    assert refused.status == 422
    assert [each["pointer"] for each in refused.json["errors"]] == ["/material/0/expected/0"]


async def a_sequence(studio: Studio, production: str, *codes: str) -> tuple[str, dict[str, str]]:
    made = await studio.post(f"/v1/productions/{production}/sequences", {"code": f"S{len(codes)}"})
    assert made.status == 201, made.body
    shots = {}
    for code in codes:
        body = {"code": code, "sequence_id": made.json["id"]}
        shot = await studio.post(f"/v1/productions/{production}/shots", body)
        assert shot.status == 201, shot.body
        shots[code] = shot.json["id"]
    return made.json["id"], shots


async def test_a_sequence_is_told_in_story_order(studio: Studio, running: Stack) -> None:
    """Shots by their codes, of each the circled take or the newest; a shot without one is said to be skipped."""
    casting = await cast_on(running, studio)
    sequence, shots = await a_sequence(studio, casting.production, "T_0030", "T_0010", "T_0020")
    made = {
        code: await casting.generation(takes=takes, shot_id=shots[code])
        for code, takes in (("T_0030", 1), ("T_0010", 2))
    }
    done = {code: await casting.finished(each["id"]) for code, each in made.items()}
    first = min(done["T_0010"]["takes"], key=lambda take: take["number"])
    reviewer = await studio.person("reviewer")
    assert (await reviewer.post(f"/v1/takes/{first['id']}/circle")).status == 200
    body = {
        "production_id": casting.production,
        "subjects": [{"character_id": casting.character}],
        "material": [{"sequence_id": sequence}],
    }
    check = await finished(studio, body)
    found = await results(studio, check)
    assert [each["take_id"] for each in found] == [first["id"], done["T_0030"]["takes"][0]["id"]]
    assert check["summary"]["skipped"] == [{"shot_id": shots["T_0020"], "reason": "no_take"}]
    assert check["summary"]["subjects"][0]["shots"] == 2


async def test_a_change_of_look_between_scenes_is_no_break(studio: Studio) -> None:
    """Each shot is held against the look that its breakdown gives it; the other look's shot in the first one's scene
    is a break, and whom a shot's breakdown doesn't name isn't looked for there."""
    production = (await studio.production())["id"]
    own, other = portrait(), redressed(portrait())
    made = await character(studio, production, [own, lit(own[:, ::-1], 0.85)])
    second = await studio.post(f"/v1/characters/{made['character']}/looks", {"name": "green suit"})
    await references(studio, production, second.json["id"], [other, lit(other[:, ::-1], 0.85)])
    _, shots = await a_sequence(studio, production, "L_0010", "L_0020", "L_0030")
    for look, codes in ((made["look"], ("L_0010", "L_0030")), (second.json["id"], ("L_0020",))):
        body = {"shot_ids": [shots[code] for code in codes]}
        held = await studio.call("PUT", f"/v1/looks/{look}/shots", json=body, headers={"If-Match": "*"})
        assert held.status == 200, held.body
    pictures = {"L_0010": retaken(own, 21), "L_0020": retaken(other, 22), "L_0030": retaken(other, 23)}
    media = [
        await upload(studio, production, png(closer(each)), role="plate", shot_id=shots[code])
        for code, each in pictures.items()
    ]
    check = await finished(
        studio, question({"production": production, **made}, [{"media_id": each} for each in media])
    )
    judged = [each["results"][0] for each in await results(studio, check)]
    assert [each["look_id"] for each in judged] == [made["look"], second.json["id"], made["look"]]
    assert [each["verdict"] for each in judged] == ["pass", "pass", "fail"], judged
    assert [each["shot"] for each in check["summary"]["subjects"][0]["breaks"]] == ["L_0030"]


async def references(studio: Studio, production: str, look: str, pictures: list[Any]) -> None:
    draft = await studio.post(f"/v1/looks/{look}/reference-sets", {})
    path = f"/v1/reference-sets/{draft.json['id']}"
    for picture in pictures:
        media_id = await upload(studio, production, png(picture))
        added = await studio.post(f"{path}/references", {"media_id": media_id}, headers=WAIT)
        assert added.status in {200, 201, 202}, added.body
    approver = await studio.person("approver", subject="ada")
    approved = await approver.post(f"{path}/approve", {"accept_findings": True}, headers=WAIT)
    assert approved.status == 200, approved.body


async def test_a_check_waits_for_a_model_that_throttles_and_then_finishes(
    studio: Studio, running: Stack, cast: Found
) -> None:
    """It says what it waits for, passes nothing meanwhile, and goes on by itself when the model answers again."""
    profile = await studio.post(
        f"/v1/productions/{cast['production']}/consistency-profiles",
        {"thresholds": {"face": {"fail_below": 0.01, "pass_from": 0.9999999}}},
    )
    assert profile.status == 201, profile.body
    media = await upload(studio, cast["production"], png(closer(retaken(portrait(), 31), left=45, top=3)))
    fault = {"kind": "throttle", "operation": "Converse", "count": 2}
    headers = {"Authorization": f"Bearer {running.facts.bedrock_admin_token}"}
    async with studio.http.post(
        f"{running.bedrock_url}/_offline/faults", json=fault, headers=headers
    ) as ordered:
        assert ordered.status == 201, await ordered.text()
    body = question(cast, [{"media_id": media}], profile_id=profile.json["id"], second_opinion=JUDGE)
    check = await finished(studio, body)
    event = (await told(studio, event_type="consistency_check.waiting", check_id=check["id"]))[0]
    assert (event["data"]["state"], event["data"]["verdict"]) == ("waiting", None)
    assert JUDGE in event["data"]["waiting_for"]
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["second_opinion"]["outcome"] in {"heard", "undecided"}
    assert check["waiting_for"] is None
