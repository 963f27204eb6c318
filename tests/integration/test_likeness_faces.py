"""The offline evaluator's eyes: faces found, doubted and told apart, in whatever kind of file.

The one real face is scikit-image's public-domain portrait of an astronaut, and changed copies of it.
"""

import io
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.adapters.vision.likeness.weights import WeightsFault
from circletake.domain.consistency.words import Aspect, CharacterKind, Reason
from circletake.kit.children import ChildPool
from circletake.ports import CastMember, Figure, FrameSeen, PictureRefused

WEIGHTS = Path(__file__).resolve().parents[2] / ".tools" / "weights"
EYES = (226, 112)  # between the astronaut's eyes
EYE_DISTANCE = 43.2


@pytest.fixture(scope="module")
async def evaluator() -> AsyncIterator[LikenessEvaluator]:
    pool = ChildPool(1)
    yield LikenessEvaluator(pool, WEIGHTS)
    pool.close()


@pytest.fixture
def portrait() -> np.ndarray:
    return np.asarray(data.astronaut())


def png(folder: Path, pixels: np.ndarray, name: str = "picture.png") -> Path:
    path = folder / name
    Image.fromarray(pixels).save(path)
    return path


def smaller(pixels: np.ndarray, factor: float) -> np.ndarray:
    """The picture scaled down, in the middle of a grey frame of the old size."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    frame = np.full_like(pixels, 120)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def masked(pixels: np.ndarray) -> np.ndarray:
    """A surgical mask over nose and mouth."""
    picture = pixels.copy()
    shape = np.array([[186, 128], [226, 120], [266, 128], [262, 168], [240, 186], [212, 186], [190, 168]])
    cv2.fillPoly(picture, [shape], (150, 185, 215))
    return picture


def half_hidden(pixels: np.ndarray) -> np.ndarray:
    """A post in front of one half of the face."""
    picture = pixels.copy()
    picture[40:230, 222:300] = (84, 72, 60)
    return picture


def of_somebody_else(pixels: np.ndarray) -> np.ndarray:
    """Another face on the same shoulders: its parts pulled to other places."""
    rows, columns = np.mgrid[0:512, 0:512].astype(np.float32)
    dx, dy = columns - 226, rows - 120
    inside = np.clip(1 - (dx / 62) ** 2 - (dy / 78) ** 2, 0, 1)
    across = columns + dx * inside * (0.9 * np.clip(-dy / 60 + 0.3, -1, 1))
    down = rows + inside * (14 * np.sin(dy / 18) - 10)
    return np.asarray(cv2.remap(pixels, across, down, cv2.INTER_LINEAR))


async def seen(evaluator: LikenessEvaluator, path: Path, *, expected: int = 1) -> FrameSeen:
    (frame,) = await evaluator.see(path, "", frames=[0], people=True, scene=False, expected=expected)
    return frame


async def only_figure(evaluator: LikenessEvaluator, path: Path) -> Figure:
    (figure,) = (await seen(evaluator, path)).figures
    return figure


async def distance(evaluator: LikenessEvaluator, reference: Figure, frame: FrameSeen) -> float:
    member = CastMember("her", CharacterKind.HUMAN, [reference.features])
    ((match,),) = await evaluator.compare([member], [frame])
    return match.values[Aspect.FACE][0]


async def test_a_face_is_found_where_it_is(evaluator: LikenessEvaluator, portrait, tmp_path: Path) -> None:
    """A clear portrait: one figure, its box around the eyes, its size in pixels of the frame, no doubt."""
    frame = await seen(evaluator, png(tmp_path, portrait))
    (figure,) = frame.figures
    box = figure.box
    assert (frame.width, frame.height) == (512, 512)
    assert box.left < EYES[0] < box.left + box.width
    assert box.top < EYES[1] < box.top + box.height
    assert box.width == box.height
    assert figure.face_px == pytest.approx(EYE_DISTANCE, abs=2)
    assert figure.sharpness > 0.6
    assert Aspect.FACE not in figure.doubts


async def test_nobody_is_seen_where_nobody_is(evaluator: LikenessEvaluator, tmp_path: Path) -> None:
    """A cup, a cat and an empty frame hold no person."""
    for picture in (data.coffee(), data.chelsea(), np.full((300, 400, 3), 90, np.uint8)):
        assert not (await seen(evaluator, png(tmp_path, picture))).figures


@pytest.mark.parametrize(
    "change",
    [
        lambda rgb: np.clip(rgb.astype(float) * 0.45, 0, 255).astype(np.uint8),
        lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
        lambda rgb: np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
        lambda rgb: smaller(rgb, 0.4),
        lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1.2),
        lambda rgb: cv2.warpAffine(rgb, cv2.getRotationMatrix2D((226, 120), 25, 1), (512, 512)),
    ],
    ids=["dark", "mirrored", "grey", "small", "soft", "tilted"],
)
async def test_the_same_face_stays_near_through_harmless_changes(
    evaluator: LikenessEvaluator, portrait, change, tmp_path: Path
) -> None:
    """Light, mirror, grey, size, softness and tilt move a face less than half as far as another person is away."""
    reference = await only_figure(evaluator, png(tmp_path, portrait))
    changed = await seen(evaluator, png(tmp_path, change(portrait), "changed.png"))
    assert await distance(evaluator, reference, changed) < 0.33


async def test_another_face_is_farther_away(evaluator: LikenessEvaluator, portrait, tmp_path: Path) -> None:
    """A face whose parts sit elsewhere is no longer hers."""
    reference = await only_figure(evaluator, png(tmp_path, portrait))
    other = await seen(evaluator, png(tmp_path, of_somebody_else(portrait), "other.png"))
    assert await distance(evaluator, reference, other) > 0.45


async def test_the_bar_rises_with_a_cast_that_looks_alike(
    evaluator: LikenessEvaluator, portrait, tmp_path: Path
) -> None:
    """A look-alike in the cast leaves less room; another look of the same character doesn't."""
    reference = await only_figure(evaluator, png(tmp_path, portrait))
    double = await only_figure(
        evaluator, png(tmp_path, cv2.GaussianBlur(portrait, (0, 0), 1.5), "double.png")
    )
    frame = await seen(evaluator, png(tmp_path, smaller(portrait, 0.8), "frame.png"))

    async def values(*others: CastMember) -> tuple[float, ...]:
        member = CastMember("her", CharacterKind.HUMAN, [reference.features], identity="her")
        (matches,) = await evaluator.compare([member, *others], [frame])
        return tuple(next(match for match in matches if match.key == "her").values[Aspect.FACE])

    alone = await values()
    beside_her_other_look = await values(
        CastMember("her in red", CharacterKind.HUMAN, [double.features], identity="her")
    )
    beside_a_double = await values(
        CastMember("her double", CharacterKind.HUMAN, [double.features], identity="the double")
    )
    assert alone == beside_her_other_look
    assert beside_a_double[0] == alone[0]
    assert beside_a_double[1] < alone[1]
    assert beside_a_double[2] < alone[2]


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (lambda rgb: smaller(rgb, 0.26), Reason.FACE_TOO_SMALL),
        (masked, Reason.OCCLUDED),
        (half_hidden, Reason.OCCLUDED),
        (lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 4.5), Reason.BLURRED),
        (lambda rgb: cv2.blur(rgb, (23, 1)), Reason.BLURRED),
    ],
    ids=["tiny", "masked", "half hidden", "out of focus", "moving"],
)
async def test_a_face_that_shows_too_little_is_doubted(
    evaluator: LikenessEvaluator, portrait, change, doubt: Reason, tmp_path: Path
) -> None:
    """Where a face is seen but can't be judged, the reason is said (or no face is seen at all)."""
    frame = await seen(evaluator, png(tmp_path, change(portrait)))
    assert [figure.doubts.get(Aspect.FACE) for figure in frame.figures] in ([doubt], [])


async def test_a_mask_is_noticed_on_a_face_that_is_still_found(
    evaluator: LikenessEvaluator, portrait, tmp_path: Path
) -> None:
    """The doubt comes from looking, not from finding nothing."""
    figure = await only_figure(evaluator, png(tmp_path, masked(portrait)))
    assert figure.doubts[Aspect.FACE] is Reason.OCCLUDED


async def test_two_people_are_two_figures(evaluator: LikenessEvaluator, portrait, tmp_path: Path) -> None:
    """Both are found, each once, also when one is much smaller."""
    beside = np.concatenate([portrait, smaller(portrait, 0.6)], axis=1)
    frame = await seen(evaluator, png(tmp_path, beside), expected=2)
    assert sorted(round(figure.face_px) for figure in frame.figures) == pytest.approx([26, 43], abs=2)


def turned(folder: Path, rgb: np.ndarray) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = folder / "turned.jpg"
    Image.fromarray(np.ascontiguousarray(np.rot90(rgb))).save(path, quality=92, exif=exif)
    return path


def linear(folder: Path, rgb: np.ndarray) -> Path:
    path = folder / "linear.tif"
    light = (rgb / 255.0) ** 2.4 * 0.25
    tifffile.imwrite(path, np.rint(light * 65535).astype(np.uint16), photometric="rgb")
    return path


def cmyk(folder: Path) -> Path:
    path = folder / "cmyk.jpg"
    Image.new("CMYK", (64, 64)).save(path)
    return path


def with_alpha(folder: Path, rgb: np.ndarray) -> Path:
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    alpha[10:400, 60:420] = 255
    return png(folder, np.dstack([rgb, alpha]), "alpha.png")


def sixteen_bit_grey(folder: Path, rgb: np.ndarray) -> Path:
    path = folder / "grey.png"
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257)
    return path


def clip(folder: Path, rgb: np.ndarray) -> Path:
    path = folder / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 24, (512, 512))
    for gain in (1.0, 0.95, 0.9, 0.85):
        writer.write(np.ascontiguousarray((rgb * gain).astype(np.uint8)[..., ::-1]))
    writer.release()
    return path


@pytest.mark.parametrize("write", [turned, linear, with_alpha, sixteen_bit_grey, clip])
async def test_every_kind_of_picture_is_judged_as_it_is_shown(
    evaluator: LikenessEvaluator, portrait, write, tmp_path: Path
) -> None:
    """Turned by EXIF, 16-bit linear, with alpha, monochrome, video: her face, at the place a viewer sees it."""
    reference = await only_figure(evaluator, png(tmp_path, portrait))
    frame = await seen(evaluator, write(tmp_path, portrait))
    (figure,) = frame.figures
    assert abs(figure.box.left + figure.box.width / 2 - EYES[0]) < 25
    assert abs(figure.box.top + figure.box.height / 2 - EYES[1]) < 35
    assert await distance(evaluator, reference, frame) < 0.33


def animated(folder: Path) -> Path:
    frames = [Image.fromarray(np.full((40, 40, 3), value, np.uint8)) for value in (10, 200)]
    path = folder / "moving.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def announcing_a_huge_picture(folder: Path) -> Path:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[16:24] = (16_000).to_bytes(4, "big") * 2
    return written(folder, bytes(content))


@pytest.mark.parametrize(
    "write",
    [
        animated,
        cmyk,
        announcing_a_huge_picture,
        lambda folder: written(folder, b""),
        lambda folder: written(folder, b"\x89PNG\r\n\x1a\n" + bytes(40)),
        lambda folder: written(folder, b"GIF89a" + bytes(40)),
        lambda folder: written(folder, b"not a picture at all"),
    ],
    ids=["animated", "cmyk", "huge", "empty", "corrupt", "gif", "text"],
)
async def test_a_file_that_cant_be_judged_is_refused_in_words(
    evaluator: LikenessEvaluator, write, tmp_path: Path
) -> None:
    """Never a crash, never a silent nothing: a code and what to do."""
    with pytest.raises(PictureRefused) as refused:
        await seen(evaluator, write(tmp_path))
    assert refused.value.code
    assert len(str(refused.value)) > 10


async def test_only_the_asked_frames_of_a_video_are_seen(
    evaluator: LikenessEvaluator, portrait, tmp_path: Path
) -> None:
    """Numbered from 0; what lies behind the end is left out."""
    path = clip(tmp_path, portrait)
    frames = await evaluator.see(path, "video/mp4", frames=[3, 1, 99], people=True, scene=False)
    assert [frame.frame for frame in frames] == [1, 3]


async def test_very_wide_and_very_large_frames_are_seen(
    evaluator: LikenessEvaluator, portrait, tmp_path: Path
) -> None:
    """A panorama strip and an 8K frame come back, with boxes in their own pixels."""
    wide = np.full((512, 9000, 3), 60, np.uint8)
    wide[:, 4000:4512] = portrait
    large = np.full((4320, 7680, 3), 60, np.uint8)
    large[400:3472, 2000:5072] = cv2.resize(portrait, (3072, 3072))
    for picture, left in ((wide, 4000 + EYES[0]), (large, 2000 + 6 * EYES[0])):
        frame = await seen(evaluator, png(tmp_path, picture))
        assert (frame.width, frame.height) == (picture.shape[1], picture.shape[0])
        for figure in frame.figures:
            assert figure.box.left < left < figure.box.left + figure.box.width
    assert frame.figures[0].face_px == pytest.approx(6 * EYE_DISTANCE, rel=0.06)


async def test_a_crop_shows_head_and_shoulders(
    evaluator: LikenessEvaluator, portrait, tmp_path: Path
) -> None:
    """The face with its surroundings, the longest side as asked, as JPEG."""
    path = png(tmp_path, portrait)
    figure = await only_figure(evaluator, path)
    (crop,) = await evaluator.crops(path, "image/png", [(0, figure.box)], side=240)
    picture = Image.open(io.BytesIO(crop.data))
    assert picture.format == "JPEG"
    assert max(picture.size) == 240
    again = await only_figure(
        evaluator,
        png(tmp_path, np.asarray(picture.resize((picture.width * 2, picture.height * 2))), "crop.png"),
    )
    assert again.box.width < 0.7 * 2 * picture.width


async def test_embeddings_stay_out_of_sight(evaluator: LikenessEvaluator, portrait, tmp_path: Path) -> None:
    """Face data is biometric: neither a figure nor a frame shows it when printed."""
    frame = await seen(evaluator, png(tmp_path, portrait))
    features = frame.figures[0].features
    assert len(features) < 8_000
    assert repr(features)[2:40] not in repr(frame)
    assert pickle.loads(pickle.dumps(frame)) == frame


def test_missing_or_changed_networks_stop_the_start(tmp_path: Path) -> None:
    """Thresholds were measured with these very files; the message names the way to get them."""
    pool = ChildPool(1)
    with pytest.raises(WeightsFault, match="make weights"):
        LikenessEvaluator(pool, tmp_path)
    for file in WEIGHTS.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "landmarks.npz").write_bytes(b"something else")
    with pytest.raises(WeightsFault, match="make weights"):
        LikenessEvaluator(pool, tmp_path)
    pool.close()


def test_the_workers_own_process_loads_no_network_library() -> None:
    """Decoders and networks live in children that may be killed."""
    code = (
        "import sys, circletake.adapters.vision.likeness.evaluator; "
        "print([name for name in ('cv2', 'onnxruntime', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
