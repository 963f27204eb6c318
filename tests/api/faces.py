"""Pictures with a face, made from the public-domain portrait that ships in scikit-image."""

import io

import cv2
import numpy as np
from PIL import Image, ImageFilter
from skimage import data


def portrait() -> Image.Image:
    """One face, 512 pixels square."""
    return Image.fromarray(data.astronaut())


def mirrored() -> Image.Image:
    return portrait().transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def closer() -> Image.Image:
    return portrait().crop((100, 0, 360, 280)).resize((390, 420), Image.Resampling.BICUBIC)


def another_view() -> Image.Image:
    """The same face with every feature shifted a little, as no crop or grade of one photograph shifts them."""
    y, x = np.mgrid[0:512, 0:512].astype(np.float32)
    bent = cv2.remap(
        np.asarray(portrait()),
        x + 4 * np.sin(y / 14),
        y + 4 * np.sin(x / 14),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return Image.fromarray(bent)


def two_faces() -> Image.Image:
    """The same face twice, the left one mirrored."""
    both = Image.new("RGB", (1024, 512))
    both.paste(mirrored(), (0, 0))
    both.paste(portrait(), (512, 0))
    return both


def one_and_an_extra() -> Image.Image:
    """A large face, and a small one far behind."""
    both = Image.new("RGB", (1024, 512), (90, 90, 90))
    both.paste(portrait(), (0, 0))
    both.paste(portrait().crop((150, 20, 330, 240)).resize((60, 73), Image.Resampling.LANCZOS), (800, 200))
    return both


def tiny() -> Image.Image:
    return portrait().resize((200, 200), Image.Resampling.LANCZOS)


def blurred() -> Image.Image:
    return portrait().filter(ImageFilter.GaussianBlur(5))


def faceless() -> Image.Image:
    return Image.fromarray(data.coffee())


def cat() -> Image.Image:
    return Image.fromarray(data.chelsea())


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def recoloured() -> Image.Image:
    """The same face over clothes of another colour."""
    turned = np.asarray(portrait())[:, :, [2, 1, 0]].copy()
    turned[:190] = np.asarray(portrait())[:190]
    return Image.fromarray(turned)
