"""What a dialect asks the darkroom for: plain, picklable values with every limit already checked."""

from dataclasses import dataclass, field
from typing import Any, Literal

OutputFormat = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True, slots=True)
class PanelOrder:
    """Text to image. Sizes in pixels."""

    prompt: str = field(repr=False)
    negative_prompt: str = field(repr=False)
    width: int
    height: int
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class VaryOrder:
    """Image to image: `image` is an encoded picture, `width` and `height` are those of the answer."""

    prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    width: int
    height: int
    strength: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class EraseOrder:
    """`mask` is an encoded picture, white = change; None takes the image's own transparency."""

    image: bytes = field(repr=False)
    mask: bytes | None = field(repr=False)
    grow: int
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class InpaintOrder:
    prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    mask: bytes | None = field(repr=False)
    grow: int
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class OutpaintOrder:
    """Extend by so many pixels on each side."""

    prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    left: int
    right: int
    up: int
    down: int
    creativity: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class UpscaleOrder:
    """`width` and `height` are those of the answer; `creativity` is 0 for the fast one."""

    how: Literal["fast", "conservative", "creative"]
    prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    width: int
    height: int
    creativity: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class RecolorOrder:
    """`search` says what gets the colour that `prompt` names."""

    prompt: str = field(repr=False)
    search: str = field(repr=False)
    image: bytes = field(repr=False)
    grow: int
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """`search` says what gives way to what `prompt` names."""

    prompt: str = field(repr=False)
    search: str = field(repr=False)
    image: bytes = field(repr=False)
    grow: int
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class CutoutOrder:
    """The subject without its background."""

    image: bytes = field(repr=False)
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class LinesOrder:
    """A picture from words along the lines of a sketch, or else along the edges of a picture; of the image's size."""

    sketch: bool
    prompt: str = field(repr=False)
    negative_prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    width: int
    height: int
    strength: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class StyleGuideOrder:
    """A picture from words in the style of another."""

    prompt: str = field(repr=False)
    negative_prompt: str = field(repr=False)
    style: bytes = field(repr=False)
    width: int
    height: int
    fidelity: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class StyleTransferOrder:
    """`image` in the style of `style`; `composition` (0-1) is how much of its forms stays."""

    prompt: str = field(repr=False)
    image: bytes = field(repr=False)
    style: bytes = field(repr=False)
    composition: float
    strength: float
    change: float
    seed: int
    output_format: OutputFormat


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """A video; `first` and `last` are encoded pictures or None. `resolution` is what its price goes by."""

    prompt: str = field(repr=False)
    width: int
    height: int
    seconds: int
    fps: int
    first: bytes | None = field(repr=False)
    last: bytes | None = field(repr=False)
    loop: bool
    seed: int
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class EmbedOrder:
    """A vector of so many dimensions of an encoded picture."""

    image: bytes = field(repr=False)
    dimensions: int


@dataclass(frozen=True, slots=True)
class CompareOrder:
    """Encoded pictures that were told apart by their labels, and the JSON schema to fill with what differs."""

    references: tuple[bytes, ...] = field(repr=False)
    shots: tuple[bytes, ...] = field(repr=False)
    schema: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """What a user wrote, and the JSON schema to fill with what is found in it."""

    text: str = field(repr=False)
    schema: dict[str, Any] = field(repr=False)


PictureOrder = (
    PanelOrder
    | VaryOrder
    | EraseOrder
    | InpaintOrder
    | OutpaintOrder
    | UpscaleOrder
    | RecolorOrder
    | ReplaceOrder
    | CutoutOrder
    | LinesOrder
    | StyleGuideOrder
    | StyleTransferOrder
)
