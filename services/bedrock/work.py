"""What runs in a drawing process: an order in, an encoded file or numbers out. The darkroom is imported here and
nowhere else."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from services.bedrock.drift import Drift
from services.bedrock.orders import (
    ClipOrder,
    CompareOrder,
    CutoutOrder,
    EmbedOrder,
    EraseOrder,
    InpaintOrder,
    LinesOrder,
    OutpaintOrder,
    PanelOrder,
    PictureOrder,
    RecolorOrder,
    ReplaceOrder,
    StyleGuideOrder,
    StyleTransferOrder,
    UpscaleOrder,
    VaryOrder,
)
from services.bedrock.pictures import NoMask, Pixels, decode_image, decode_mask, encode, resize
from services.bedrock.subjects import Subject
from services.bedrock.versions import look_of, seed_of

if TYPE_CHECKING:
    from services.bedrock.darkroom.figure import Figure, Placement

_COLOURS = 3
_Order = TypeVar("_Order", PictureOrder, ClipOrder)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who a prompt names, everybody who is registered, what is to go wrong with them, and which version of the model
    draws them (None: the one it always was)."""

    named: Subject | None = None
    known: tuple[Subject, ...] = ()
    drift: Drift | None = None
    version: str | None = None

    @property
    def empty(self) -> bool:
        return self.named is None and self.drift is None and self.version is None


NOBODY = Cast()


def draw(order: PictureOrder, *, wrong_size: bool = False, cast: Cast = NOBODY) -> bytes:
    """The finished picture in the order's format. Raises UnreadablePicture or NoMask for inputs that don't hold."""
    pixels, placement = _pixels(_as_drawn_by(order, cast), order.seed, cast)
    if cast.drift is not None:
        pixels = _drifted(pixels, cast, placement)
    pixels = _versioned(pixels, cast)
    if wrong_size:
        pixels = resize(pixels, max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    return encode(pixels, order.output_format)


def _as_drawn_by(order: _Order, cast: Cast) -> _Order:
    return order if cast.version is None else replace(order, seed=seed_of(order.seed, cast.version))


def _versioned(pixels: Pixels, cast: Cast) -> Pixels:
    if cast.version is None:
        return pixels
    from services.bedrock.darkroom.versioned import in_version

    return in_version(pixels, *look_of(cast.version))


def _pixels(order: PictureOrder, named_seed: int, cast: Cast) -> "tuple[Pixels, Placement | None]":
    """`named_seed` is what a label says: the seed that was asked for, whatever a version makes of it."""
    match order:
        case PanelOrder():
            return _from_words(order, named_seed, cast)
        case LinesOrder():
            from services.bedrock.darkroom.standin import draw_along

            figure = None if cast.named is None else _figure(cast.named)
            return draw_along(
                decode_image(order.image), order.prompt, order.negative_prompt, order.strength, order.seed, figure,
                named_seed, sketch=order.sketch,
            )  # fmt: skip
        case StyleGuideOrder():
            from services.bedrock.darkroom.standin import draw_like

            figure = None if cast.named is None else _figure(cast.named)
            return draw_like(
                decode_image(order.style), order.prompt, order.negative_prompt, order.width, order.height,
                order.fidelity, order.seed, figure, named_seed,
            )  # fmt: skip
        case VaryOrder() | StyleTransferOrder() | UpscaleOrder() | CutoutOrder():
            return _whole(order), None
        case _:
            return _in_part(order, named_seed, cast), None


def _whole(order: VaryOrder | StyleTransferOrder | UpscaleOrder | CutoutOrder) -> Pixels:
    """A picture worked on as a whole."""
    image = decode_image(order.image)
    match order:
        case VaryOrder():
            from services.bedrock.darkroom.vary import vary

            return vary(resize(image, order.width, order.height), order.prompt, order.strength, order.seed)
        case StyleTransferOrder():
            from services.bedrock.darkroom.styling import transfer_style

            return transfer_style(
                image, decode_image(order.style), order.prompt, composition=order.composition,
                strength=order.strength, change=order.change, seed=order.seed,
            )  # fmt: skip
        case UpscaleOrder():
            from services.bedrock.darkroom import upscale

            size = (order.width, order.height)
            if order.how == "fast":
                return upscale.upscale_fast(image, *size)
            if order.how == "conservative":
                return upscale.upscale_conservative(image, *size, order.creativity)
            return upscale.upscale_creative(image, *size, order.prompt, order.creativity, order.seed)
        case CutoutOrder():
            from services.bedrock.darkroom.cutout import without_background

            return without_background(image, _transparent(order.image))


def _transparent(image: bytes) -> Pixels | None:
    try:
        return decode_mask(None, image)
    except NoMask:
        return None


def _in_part(
    order: EraseOrder | InpaintOrder | OutpaintOrder | RecolorOrder | ReplaceOrder,
    named_seed: int,
    cast: Cast,
) -> Pixels:
    """A picture of which a part is worked on, or that gets a margin."""
    image = decode_image(order.image)
    match order:
        case EraseOrder():
            from services.bedrock.darkroom.erase import erase

            return erase(image, decode_mask(order.mask, order.image), order.grow, order.seed)
        case InpaintOrder():
            return _inpainted(order, image, cast)
        case OutpaintOrder():
            from services.bedrock.darkroom.outpaint import outpaint

            sides = (order.left, order.right, order.up, order.down)
            return outpaint(image, *sides, order.prompt, order.creativity, order.seed)
        case RecolorOrder():
            from services.bedrock.darkroom.search import recolor

            return recolor(image, order.prompt, order.search, order.grow, order.seed, named_seed)
        case ReplaceOrder():
            from services.bedrock.darkroom.search import replace as put_instead

            return put_instead(image, order.prompt, order.search, order.grow, order.seed, named_seed)


def _from_words(order: PanelOrder, named_seed: int, cast: Cast) -> "tuple[Pixels, Placement | None]":
    words = (order.prompt, order.negative_prompt, order.width, order.height, order.seed)
    if cast.named is None:
        from services.bedrock.darkroom.panel import draw_panel

        return draw_panel(*words, named_seed), None
    from services.bedrock.darkroom.portrait import draw_portrait

    return draw_portrait(*words, _figure(cast.named), named_seed)


def _inpainted(order: InpaintOrder, image: Pixels, cast: Cast) -> Pixels:
    """A named figure that is seen in the picture is repaired inside the mask; otherwise an element is drawn there."""
    mask = decode_mask(order.mask, order.image)
    if cast.named is not None:
        from services.bedrock.darkroom.erase import grown, soft_inside
        from services.bedrock.darkroom.figure import find_in, repaired

        figure = _figure(cast.named)
        placement = find_in(image, figure)
        if placement is not None:
            soft = (soft_inside(grown(mask, order.grow), 2.0) * 255).astype("uint8")
            return repaired(image, soft, figure, placement)
    from services.bedrock.darkroom.inpaint import inpaint

    return inpaint(image, mask, order.prompt, order.grow, order.seed)


def _figure(subject: Subject) -> "Figure":
    from services.bedrock.darkroom.figure import figure_of

    return figure_of(subject.picture, subject.face)


def _drifted(pixels: Pixels, cast: Cast, placement: "Placement | None") -> Pixels:
    from services.bedrock.darkroom.drifting import guessed, paint_drift
    from services.bedrock.darkroom.figure import find_in

    drift = cast.drift
    assert drift is not None
    if pixels.shape[2] > _COLOURS:
        painted = _drifted(pixels[..., :_COLOURS], cast, placement)
        return np.dstack([painted, pixels[..., _COLOURS:]])
    if drift.at is not None and placement is None:
        placement = guessed(pixels, drift.at)
    for subject in (cast.named, *cast.known):
        if placement is None and subject is not None:
            placement = find_in(pixels, _figure(subject))
    other = None if drift.face_picture is None else decode_image(drift.face_picture)
    return paint_drift(
        pixels,
        placement or guessed(pixels, None),
        wardrobe=drift.wardrobe,
        hair=drift.hair,
        face=drift.face,
        other=other,
    )


def render(order: ClipOrder, *, wrong_size: bool = False, cast: Cast = NOBODY) -> bytes:
    """The finished clip, H.264 in MP4. Raises UnreadablePicture for a broken keyframe.

    A drift is in the frames that the clip is made from: also in a keyframe, as a model that doesn't keep to it.
    """
    from services.bedrock.darkroom.clip import render_clip

    asked, order = order, _as_drawn_by(order, cast)
    width, height = order.width, order.height
    if wrong_size:
        width, height = width // 4 * 2, height // 4 * 2
    first = None if order.first is None else decode_image(order.first)
    last = None if order.last is None else decode_image(order.last)
    placement = None
    if first is None and last is None and not cast.empty:
        panel = PanelOrder(order.prompt, "", width, height, order.seed, "png")
        first, placement = _from_words(panel, asked.seed, cast)
    if cast.drift is not None:
        first = None if first is None else _drifted(first, cast, placement)
        last = None if last is None else _drifted(last, cast, None)
    first = None if first is None else _versioned(first, cast)
    last = None if last is None else _versioned(last, cast)
    return render_clip(
        order.prompt, width, height, order.seconds, order.fps, first, last, order.loop, order.seed
    )


def check_keyframes(order: ClipOrder) -> None:
    """Decode the keyframes once at acceptance, so that a broken one is refused before anything is promised."""
    for frame in (order.first, order.last):
        if frame is not None:
            decode_image(frame)


def embed(order: EmbedOrder) -> list[float]:
    """The vector of a picture. Raises UnreadablePicture."""
    from services.bedrock.darkroom.likeness import embed as vector_of

    return vector_of(decode_image(order.image), order.dimensions)


def compare(order: CompareOrder) -> dict[str, Any]:
    """A document of the order's schema. Raises UnreadablePicture."""
    from services.bedrock.darkroom.likeness import fill_schema

    references = [decode_image(each) for each in order.references]
    return fill_schema(order.schema, references, [decode_image(each) for each in order.shots])
