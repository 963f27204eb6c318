"""What a model is sent of a generation's pictures: which of them, inside its limits, in its polarity, made once."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.modelinput import prepare
from circletake.domain.drafts import Draft, drafted
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ModelCard, Picture
from circletake.ports import StorageFault
from circletake.usecases.fit_inputs import fit_inputs
from tests.unit.model_requests import FAST, INPAINT, card_of

OTHER_POLARITY = """\
version: 1
models:
  - id: studio.inpaint-v1:0
    name: A model of the other polarity
    provider: Studio
    dialect: stability_service
    kinds: [element]
    mode: sync
    regions: [us-west-2]
    lifecycle: active
    price: {unit: image, usd: "0.02", as_of: 2026-11-01, source: our contract, confirmed: true}
    controls: []
    seed: honoured
    limits:
      prompt_max_chars: 1024
      inputs:
        plate: {min_side: 64, max_bytes: 1000000, media_types: [image/png]}
        matte: {min_side: 64, max_bytes: 1000000, media_types: [image/png], polarity: black_changes}
    native:
      inputs: {plate: image, matte: maskImage}
    on_unknown: hold
    max_running: 2
    timeout_seconds: 60
    digital_source_type: trainedAlgorithmicMedia
    terms: {url: "x", captured_on: null, sha256: null, training_on_inputs: "no", shared_with_provider: "no",
            indemnity: ours, source: ours}
    unconfirmed: []
"""


@dataclass
class Shelf:
    """An object store in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)

    async def get(self, storage: Any, key: str) -> bytes:
        if key not in self.objects:
            raise StorageFault("missing", key)
        return self.objects[key]

    async def put(self, storage: Any, key: str, data: bytes, media_type: str) -> None:
        self.objects[key] = data

    async def get_file(self, storage: Any, key: str, path: Path) -> None:
        path.write_bytes(self.objects[key])


class Desk:
    """The picture desk's own work, in this process."""

    async def for_model(self, path: Path, *, size: tuple[int, int] | None = None, **asked: Any) -> Any:
        given = {"grayscale": False, "invert": False, **asked}
        limits = given.pop("limits")
        return prepare(path, limits, Bounds(), size=size, **given)


def encoded(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


PIXELS = {
    InputSlot.PLATE: np.full((120, 160, 3), 128, np.uint8),
    InputSlot.SOURCE: np.full((120, 160, 3), 90, np.uint8),
    InputSlot.MATTE: np.pad(np.full((60, 80), 255, np.uint8), ((30, 30), (40, 40))),
}


async def fitted(
    tmp_path: Path, card: ModelCard, kind: Kind, slots: tuple[InputSlot, ...], shelf: Shelf | None = None
) -> dict[InputSlot, Picture]:
    shelf = shelf or Shelf()
    files = {}
    for slot in slots:
        shelf.objects[slot.value] = encoded(PIXELS[slot])
        files[slot] = SimpleNamespace(sha256=slot.value * 4, object_key=slot.value)
    tools = SimpleNamespace(store=shelf, desk=Desk(), scratch=tmp_path)
    tenant = SimpleNamespace(storage=None)
    work = SimpleNamespace(card=card, kind=kind, inputs=files, tenant=tenant, staging="staging/p/g")
    return await fit_inputs(tools, work)  # type: ignore[arg-type]


def opened(picture: Picture) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


@pytest.fixture
def other(tmp_path: Path) -> ModelCard:
    path = tmp_path / "studio.yaml"
    path.write_text(OTHER_POLARITY, "utf-8")
    card = load_catalogue(path).get("studio.inpaint-v1:0")
    assert card is not None
    return card


async def test_a_matte_is_turned_round_for_a_model_of_the_other_polarity(
    tmp_path: Path, other: ModelCard
) -> None:
    """White is what changes, everywhere but on that model's wire; a plate is never turned round."""
    slots, shelf = (InputSlot.PLATE, InputSlot.MATTE), Shelf()
    usual = await fitted(tmp_path, card_of(INPAINT), Kind.ELEMENT, slots, shelf)
    turned = await fitted(tmp_path, other, Kind.ELEMENT, slots, shelf)
    assert np.array_equal(opened(usual[InputSlot.MATTE]), 255 - opened(turned[InputSlot.MATTE]))
    assert np.array_equal(opened(usual[InputSlot.PLATE]), opened(turned[InputSlot.PLATE]))


async def test_a_changed_entry_of_the_same_id_is_fitted_anew(tmp_path: Path, other: ModelCard) -> None:
    """A copy that was made for the entry as it was isn't sent to the entry as it is."""
    slots, shelf = (InputSlot.PLATE, InputSlot.MATTE), Shelf()
    before = await fitted(tmp_path, other, Kind.ELEMENT, slots, shelf)
    inputs = other.limits["inputs"]
    white = {**inputs, "matte": {**inputs["matte"], "polarity": "white_changes"}}
    corrected = replace(other, limits={**other.limits, "inputs": white})
    after = await fitted(tmp_path, corrected, Kind.ELEMENT, slots, shelf)
    assert np.array_equal(opened(before[InputSlot.MATTE]), 255 - opened(after[InputSlot.MATTE]))


async def test_every_take_of_a_generation_is_sent_the_same_bytes(tmp_path: Path) -> None:
    """Fitted once and kept: a repeat makes the same request."""
    shelf, slots = Shelf(), (InputSlot.PLATE, InputSlot.MATTE)
    first = await fitted(tmp_path, card_of(INPAINT), Kind.ELEMENT, slots, shelf)
    kept = dict(shelf.objects)
    assert await fitted(tmp_path, card_of(INPAINT), Kind.ELEMENT, slots, shelf) == first
    assert shelf.objects == kept


async def test_what_is_for_laying_back_only_is_not_fitted_at_all(tmp_path: Path) -> None:
    """No copy of it leaves the place where it is."""
    slots = (InputSlot.SOURCE, InputSlot.PLATE, InputSlot.MATTE)
    sent = await fitted(tmp_path, card_of(FAST), Kind.UPSCALE, slots)
    assert sent.keys() == {InputSlot.SOURCE}


async def test_a_drafts_copies_are_smaller_and_matte_meets_plate(tmp_path: Path) -> None:
    """The scale is told, so that lengths in plate pixels follow."""
    small = drafted(card_of(INPAINT), Draft(input_max_pixels=10_000))
    sent = await fitted(tmp_path, small, Kind.ELEMENT, (InputSlot.PLATE, InputSlot.MATTE))
    plate, matte = sent[InputSlot.PLATE], sent[InputSlot.MATTE]
    assert plate.width * plate.height <= 10_000
    assert (matte.width, matte.height) == (plate.width, plate.height)
    assert plate.scale == pytest.approx((plate.width * plate.height / (160 * 120)) ** 0.5)
