"""A tiny labelled folder, made of the photographs that scikit-image ships: one person, a cat, a cup."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data

WEIGHTS = Path(__file__).parents[2] / ".tools" / "weights"


def networks():
    if not (WEIGHTS / "face_resnet.onnx").is_file():
        pytest.skip("the networks that see faces are not there: run `make weights`")
    return WEIGHTS


def portraits():
    """Five pictures of one person that differ in framing, light and size."""
    whole = Image.fromarray(data.astronaut())
    return [
        whole.crop((60, 0, 460, 400)),
        ImageEnhance.Brightness(whole.crop((0, 0, 430, 430))).enhance(0.8),
        whole.crop((90, 0, 512, 422)).resize((340, 340)),
        ImageEnhance.Contrast(whole.crop((40, 0, 480, 440))).enhance(0.85).resize((380, 380)),
        whole.crop((20, 0, 500, 480)).resize((420, 420)),
    ]


def views(picture, seed):
    """Three views of one thing."""
    whole = Image.fromarray(picture[..., :3])
    width, height = whole.size
    chance = np.random.default_rng(seed)
    boxes = [(int(width * x), int(height * y)) for x, y in chance.uniform(0, 0.12, (3, 2))]
    return [
        whole.crop((x, y, x + int(width * 0.85), y + int(height * 0.85))).resize((300, 220)) for x, y in boxes
    ]


def write_list(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def draw(root):
    """Write the folder: a character with breaks, two things with pairs. Return its root."""
    pictures = []
    kept = {"characters/eileen": portraits()[:4], "objects/cat": views(data.chelsea(), 1)}
    kept["objects/cup"] = views(data.coffee(), 2)
    for folder, drawn in kept.items():
        for number, picture in enumerate(drawn):
            name = f"{folder}/{number:02d}.png"
            (root / folder).mkdir(parents=True, exist_ok=True)
            picture.convert("RGB").save(root / name)
            group, subject = folder.split("/")
            pictures.append((name, subject, group, "drawn"))
    write_list(root / "manifest.csv", ("path", "subject", "set", "source"), pictures)
    things = [(name, subject) for name, subject, group, _ in pictures if group == "objects"]
    pairs = [(a, b, int(one == other)) for at, (a, one) in enumerate(things) for b, other in things[at + 1 :]]
    write_list(root / "pairs_look.csv", ("a", "b", "same"), pairs)
    write_list(
        root / "breaks.csv",
        ("shot", "character", "truth", "aspect", "change"),
        [
            (_shot(root, "eileen_00_clean", portraits()[0]), "eileen", "ok", "none", "clean"),
            (_shot(root, "eileen_01_jpeg", portraits()[1], quality=30), "eileen", "ok", "none", "jpeg30"),
            (_shot(root, "eileen_02_dyed", _dyed(portraits()[2])), "eileen", "break", "wardrobe", "recolour"),
        ],
    )
    return root


def _shot(root, name, picture, quality=92):
    (root / "breaks").mkdir(exist_ok=True)
    picture.convert("RGB").save(root / "breaks" / f"{name}.jpg", quality=quality)
    return f"breaks/{name}.jpg"


def _dyed(picture):
    """An orange suit becomes a green one; skin, hair and background stay."""
    codes = np.asarray(picture.convert("RGB")).astype(int)
    orange = (codes[..., 0] - codes[..., 2] > 60) & (
        np.arange(codes.shape[0])[:, None] > codes.shape[0] * 0.5
    )
    out = codes.copy()
    out[orange] = codes[orange][:, [2, 0, 1]]
    return Image.fromarray(out.clip(0, 255).astype(np.uint8))
