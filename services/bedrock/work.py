"""What runs in a drawing process: an order in, an encoded file out. The darkroom is imported here and nowhere else."""

from services.bedrock.orders import (
    ClipOrder,
    EraseOrder,
    InpaintOrder,
    OutpaintOrder,
    PanelOrder,
    PictureOrder,
    VaryOrder,
)
from services.bedrock.pictures import Pixels, decode_image, decode_mask, encode, resize


def draw(order: PictureOrder, *, wrong_size: bool = False) -> bytes:
    """The finished picture in the order's format. Raises UnreadablePicture or NoMask for inputs that don't hold."""
    pixels = _pixels(order)
    if wrong_size:
        pixels = resize(pixels, max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    return encode(pixels, order.output_format)


def _pixels(order: PictureOrder) -> Pixels:
    match order:
        case PanelOrder():
            from services.bedrock.darkroom.panel import draw_panel

            return draw_panel(order.prompt, order.negative_prompt, order.width, order.height, order.seed)
        case VaryOrder():
            from services.bedrock.darkroom.vary import vary

            image = resize(decode_image(order.image), order.width, order.height)
            return vary(image, order.prompt, order.strength, order.seed)
        case EraseOrder():
            from services.bedrock.darkroom.erase import erase

            mask = decode_mask(order.mask, order.image)
            return erase(decode_image(order.image), mask, order.grow, order.seed)
        case InpaintOrder():
            from services.bedrock.darkroom.inpaint import inpaint

            mask = decode_mask(order.mask, order.image)
            return inpaint(decode_image(order.image), mask, order.prompt, order.grow, order.seed)
        case OutpaintOrder():
            from services.bedrock.darkroom.outpaint import outpaint

            return outpaint(
                decode_image(order.image),
                order.left,
                order.right,
                order.up,
                order.down,
                order.prompt,
                order.creativity,
                order.seed,
            )


def render(order: ClipOrder, *, wrong_size: bool = False) -> bytes:
    """The finished clip, H.264 in MP4. Raises UnreadablePicture for a broken keyframe."""
    from services.bedrock.darkroom.clip import render_clip

    width, height = order.width, order.height
    if wrong_size:
        width, height = width // 4 * 2, height // 4 * 2
    first = None if order.first is None else decode_image(order.first)
    last = None if order.last is None else decode_image(order.last)
    return render_clip(
        order.prompt, width, height, order.seconds, order.fps, first, last, order.loop, order.seed
    )


def check_keyframes(order: ClipOrder) -> None:
    """Decode the keyframes once at acceptance, so that a broken one is refused before anything is promised."""
    for frame in (order.first, order.last):
        if frame is not None:
            decode_image(frame)
