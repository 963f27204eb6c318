"""What runs in a drawing process: an order in, an encoded file or numbers out. The darkroom is imported here and
nowhere else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.bedrock.drift import Drift
from services.bedrock.orders import (
    ClipOrder,
    CompareOrder,
    EmbedOrder,
    EraseOrder,
    InpaintOrder,
    OutpaintOrder,
    PanelOrder,
    PictureOrder,
    VaryOrder,
)
from services.bedrock.pictures import Pixels, decode_image, decode_mask, encode, resize
from services.bedrock.subjects import Subject

if TYPE_CHECKING:
    from services.bedrock.darkroom.figure import Figure, Placement


@dataclass(frozen=True, slots=True)
class Cast:
    """Who a prompt names, everybody who is registered, and what is to go wrong with them."""

    named: Subject | None = None
    known: tuple[Subject, ...] = ()
    drift: Drift | None = None

    @property
    def empty(self) -> bool:
        return self.named is None and self.drift is None


NOBODY = Cast()


def draw(order: PictureOrder, *, wrong_size: bool = False, cast: Cast = NOBODY) -> bytes:
    """The finished picture in the order's format. Raises UnreadablePicture or NoMask for inputs that don't hold."""
    pixels, placement = _pixels(order, cast)
    if cast.drift is not None:
        pixels = _drifted(pixels, cast, placement)
    if wrong_size:
        pixels = resize(pixels, max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    return encode(pixels, order.output_format)


def _pixels(order: PictureOrder, cast: Cast) -> "tuple[Pixels, Placement | None]":
    match order:
        case PanelOrder():
            return _from_words(
                order.prompt, order.negative_prompt, order.width, order.height, order.seed, cast
            )
        case VaryOrder():
            from services.bedrock.darkroom.vary import vary

            image = resize(decode_image(order.image), order.width, order.height)
            return vary(image, order.prompt, order.strength, order.seed), None
        case EraseOrder():
            from services.bedrock.darkroom.erase import erase

            mask = decode_mask(order.mask, order.image)
            return erase(decode_image(order.image), mask, order.grow, order.seed), None
        case InpaintOrder():
            return _inpainted(order, cast), None
        case OutpaintOrder():
            from services.bedrock.darkroom.outpaint import outpaint

            picture = outpaint(
                decode_image(order.image),
                order.left,
                order.right,
                order.up,
                order.down,
                order.prompt,
                order.creativity,
                order.seed,
            )
            return picture, None


def _from_words(
    prompt: str, negative: str, width: int, height: int, seed: int, cast: Cast
) -> "tuple[Pixels, Placement | None]":
    if cast.named is None:
        from services.bedrock.darkroom.panel import draw_panel

        return draw_panel(prompt, negative, width, height, seed), None
    from services.bedrock.darkroom.portrait import draw_portrait

    return draw_portrait(prompt, negative, width, height, seed, _figure(cast.named))


def _inpainted(order: InpaintOrder, cast: Cast) -> Pixels:
    """A named figure that is seen in the picture is repaired inside the mask; otherwise an element is drawn there."""
    mask = decode_mask(order.mask, order.image)
    image = decode_image(order.image)
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

    width, height = order.width, order.height
    if wrong_size:
        width, height = width // 4 * 2, height // 4 * 2
    first = None if order.first is None else decode_image(order.first)
    last = None if order.last is None else decode_image(order.last)
    placement = None
    if first is None and last is None and not cast.empty:
        first, placement = _from_words(order.prompt, "", width, height, order.seed, cast)
    if cast.drift is not None:
        first = None if first is None else _drifted(first, cast, placement)
        last = None if last is None else _drifted(last, cast, None)
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
