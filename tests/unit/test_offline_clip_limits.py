"""The offline Luma Ray2 refuses what its page refuses, and makes the sizes it is asked for."""

from typing import Any

import pytest

from services.bedrock.dialects.luma import parse_ray2
from services.bedrock.errors import BedrockFault
from tests.unit.plain_pictures import base64_picture, base64_png

WITHOUT: Any = "(without)"
SMALL = base64_png(512, 512)


def _frames(**frames: Any) -> dict[str, Any]:
    return {"keyframes": frames}


def _frame(data: str = SMALL, media_type: str = "image/png", **source: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data, **source}}


def _asked(changes: dict[str, Any]) -> dict[str, Any]:
    document = {"prompt": "a lighthouse", **changes}
    return {name: value for name, value in document.items() if value != WITHOUT}


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "x" * 5_000},
        {"duration": "5s"},
        {"duration": "9s"},
        {"loop": True},
        _frames(),
        _frames(frame0=_frame()),
        _frames(frame1=_frame(base64_picture("JPEG", 512, 512), "image/jpeg")),
        _frames(frame0=_frame(base64_png(4096, 512)), frame1=_frame(base64_png(4096, 4096))),
    ],
)
def test_a_clip_is_made_up_to_the_limits(changes: dict[str, Any]) -> None:
    """Words, lengths and keyframes at their edges."""
    assert parse_ray2(_asked(changes), 1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"prompt": ""}, "#/prompt: expected minLength: 1, actual: 0"),
        ({"prompt": "x" * 5_001}, "#/prompt: expected maxLength: 5000, actual: 5001"),
        ({"prompt": WITHOUT}, "#: required key [prompt] not found"),
        ({"aspect_ratio": "2:1"}, "#/aspect_ratio: 2:1 is not a valid enum value"),
        ({"duration": "6s"}, "#/duration: 6s is not a valid enum value"),
        ({"resolution": "1080p"}, "#/resolution: 1080p is not a valid enum value"),
        ({"loop": "yes"}, "#/loop: expected type: Boolean, found: String"),
        ({"seed": 7}, "#: extraneous key [seed] is not permitted"),
        (_frames(frame2=_frame()), "#/keyframes: extraneous key [frame2] is not permitted"),
        (_frames(frame0=_frame(base64_png(511, 512))), "between 512x512 and 4096x4096 pixels, actual: 511x512"),
        (_frames(frame0=_frame(base64_png(512, 511))), "between 512x512 and 4096x4096 pixels, actual: 512x511"),
        (_frames(frame1=_frame(base64_png(4097, 512))), "between 512x512 and 4096x4096 pixels, actual: 4097x512"),
        (_frames(frame0=_frame(SMALL, "image/webp")), "media_type: image/webp is not a valid enum value"),
        (_frames(frame0=_frame(SMALL, "image/jpeg")), "image/jpeg does not match the image data"),
        (_frames(frame0=_frame(base64_picture("WEBP", 512, 512))), "image format webp is not supported"),
        (_frames(frame0={"type": "generation"}), "#/keyframes/frame0/type: generation is not a valid enum"),
        (_frames(frame0=_frame(SMALL, type="url")), "#/keyframes/frame0/source/type: url is not a valid enum"),
        (_frames(frame0={"type": "image"}), "#/keyframes/frame0: required key [source] not found"),
    ],
)  # fmt: skip
def test_a_clip_beyond_the_limits_is_refused(changes: dict[str, Any], text: str) -> None:
    """The refusal names the member, in Bedrock's own words."""
    with pytest.raises(BedrockFault) as refusal:
        parse_ray2(_asked(changes), 1)
    assert refusal.value.code == "ValidationException"
    assert text in refusal.value.message


SHAPES = {
    "1:1": 1,
    "16:9": 16 / 9,
    "9:16": 9 / 16,
    "4:3": 4 / 3,
    "3:4": 3 / 4,
    "21:9": 21 / 9,
    "9:21": 9 / 21,
}


@pytest.mark.parametrize("resolution", ["540p", "720p"])
@pytest.mark.parametrize("ratio", SHAPES)
def test_a_clip_has_the_lines_and_the_proportion_asked_for(ratio: str, resolution: str) -> None:
    """The short side has the lines, the frame has the proportion to a pixel, and both sides are even."""
    order = parse_ray2({"prompt": "x", "aspect_ratio": ratio, "resolution": resolution}, 1)
    assert min(order.width, order.height) == int(resolution[:-1])
    assert order.width == pytest.approx(order.height * SHAPES[ratio], abs=1.2)
    assert (order.width % 2, order.height % 2) == (0, 0)
    assert order.resolution == resolution


def test_a_clip_is_five_seconds_of_720_lines_unless_told() -> None:
    """What its price is reckoned from when nothing is said."""
    order = parse_ray2({"prompt": "x"}, 1)
    assert (order.seconds, order.resolution, order.width, order.height, order.loop) == (
        5,
        "720p",
        1280,
        720,
        False,
    )
