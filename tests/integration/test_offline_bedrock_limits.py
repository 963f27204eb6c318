"""The offline model server refuses what the models' documentation refuses: at, below and above every limit.

A request within the limits is answered by a filter on order, which comes after all checks and before any drawing,
so that only the limits are tried here.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.offline_bedrock import (
    ERASE,
    INPAINT,
    OUTPAINT,
    RAY2,
    SD35,
    Server,
    Session,
    bedrock_server,
    half_white,
    invoke,
    make_role,
    picture,
    s3_server,
)

IMAGE = picture(96, 64)
MASK = picture(96, 64, fill=half_white)
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

TEXT_TO_IMAGE = {"prompt": "a lighthouse"}
IMAGE_TO_IMAGE = {"prompt": "a lighthouse", "mode": "image-to-image", "image": IMAGE, "strength": 0.5}
OUTPAINTING = {"image": IMAGE, "left": 64}
ERASING = {"image": IMAGE, "mask": MASK}
INPAINTING = {"prompt": "a lighthouse", "image": IMAGE, "mask": MASK}
VIDEO = {"prompt": "a lighthouse"}
WITHOUT: Any = "(without)"


def _name(value: object) -> str:
    """A short name of a parameter, the same in every process."""
    text = json.dumps(value)
    return text if len(text) < 40 else f"{text[:24]}…{zlib.crc32(text.encode()):08x}"


@dataclass
class Place:
    server: Server
    session: Session
    client: Any

    def start(self, model_input: Any, model: str = RAY2, **members: Any) -> str:
        arguments = {
            "modelId": model,
            "modelInput": model_input,
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://nobodys-bucket/x"}},
            **members,
        }
        return str(self.client.start_async_invoke(**arguments)["invocationArn"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), "--async-seconds", "0") as server:
            session = server.assume(role)
            for kind in ("filter_prompt", "filter_async"):
                assert server.offline("POST", "faults", {"kind": kind})[0] == 201
            yield Place(server, session, server.client(session))


def _with(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = {**base, **changes}
    return {name: value for name, value in document.items() if value != WITHOUT}


def _accepted(place: Place, model: str, document: Any) -> None:
    assert invoke(place.client, model, document) == {"finish_reasons": ["Filter reason: prompt"]}


def _refused(place: Place, model: str, document: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        invoke(place.client, model, document)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(refusal.value.response["Error"]["Message"])


PROMPT_EDGE = {"prompt": "x" * 10_000}
SEED_EDGE = {"seed": 4_294_967_294}
COMMON_WITHIN = [{"seed": 0}, SEED_EDGE, {"output_format": "webp"}, {"output_format": "jpeg"}]
COMMON_BEYOND = [
    ({"seed": -1}, "#/seed: -1 is not greater or equal to 0"),
    ({"seed": 4_294_967_295}, "#/seed: 4294967295 is not less or equal to 4294967294"),
    ({"seed": 1.5}, "#/seed: expected type: Integer, found: Double"),
    ({"seed": True}, "#/seed: expected type: Integer, found: Boolean"),
    ({"output_format": "gif"}, "#/output_format: gif is not a valid enum value"),
    ({"width": 512}, "#: extraneous key [width] is not permitted"),
]
PROMPT_BEYOND = [
    ({"prompt": "x" * 10_001}, "#/prompt: expected maxLength: 10000, actual: 10001"),
    ({"prompt": 7}, "#/prompt: expected type: String, found: Integer"),
    ({"negative_prompt": "x" * 10_001}, "#/negative_prompt: expected maxLength: 10000, actual: 10001"),
]
PROMPT_NEEDED = [
    ({"prompt": ""}, "#/prompt: expected minLength: 1, actual: 0"),
    ({"prompt": WITHOUT}, "#: required key [prompt] not found"),
]
PICTURE_BEYOND = [
    ({"image": WITHOUT}, "#: required key [image] not found"),
    ({"image": "not base64!"}, "#/image: is not valid base64"),
    ({"image": "AAAA"}, "#/image: is not a readable image"),
    ({"image": GIF}, "#/image: is not a readable image"),
    ({"image": f"data:image/png;base64,{IMAGE}"}, "#/image: is not valid base64"),
]
SIZES_WITHIN = [(64, 64), (160, 64), (64, 160), (3072, 3072)]
SIZES_BEYOND = [
    ((63, 64), "at least 64 pixels"),
    ((64, 63), "at least 64 pixels"),
    ((161, 64), "aspect ratio must be between 1:2.5 and 2.5:1"),
    ((64, 161), "aspect ratio must be between 1:2.5 and 2.5:1"),
    ((3072, 3073), "must not exceed 9437184 pixels"),
]


@pytest.mark.parametrize(
    "changes",
    [
        PROMPT_EDGE,
        {"negative_prompt": ""},
        {"negative_prompt": "x" * 10_000},
        {"mode": "text-to-image"},
        *({"aspect_ratio": r} for r in ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")),
        *COMMON_WITHIN,
    ],
    ids=_name,
)
def test_sd35_takes_text_up_to_its_limits(place: Place, changes: dict[str, Any]) -> None:
    _accepted(place, SD35, _with(TEXT_TO_IMAGE, **changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        *COMMON_BEYOND,
        *PROMPT_BEYOND,
        *PROMPT_NEEDED,
        ({"aspect_ratio": "16:10"}, "#/aspect_ratio: 16:10 is not a valid enum value"),
        ({"mode": "image-to-video"}, "#/mode: image-to-video is not a valid enum value"),
        ({"image": IMAGE}, "#: extraneous key [image] is not permitted"),
        ({"strength": 0.5}, "#: extraneous key [strength] is not permitted"),
        ({"prompt": None}, "#/prompt: expected type: String, found: Null"),
    ],
)
def test_sd35_refuses_text_beyond_its_limits(place: Place, changes: dict[str, Any], text: str) -> None:
    """The refusal names the member, in Bedrock's own words."""
    message = _refused(place, SD35, _with(TEXT_TO_IMAGE, **changes))
    assert message == f"Malformed input request: {text}, please reformat your input and try again."


@pytest.mark.parametrize("changes", [{"strength": 0}, {"strength": 1}, PROMPT_EDGE, *COMMON_WITHIN])
def test_sd35_takes_an_image_up_to_its_limits(place: Place, changes: dict[str, Any]) -> None:
    _accepted(place, SD35, _with(IMAGE_TO_IMAGE, **changes))


@pytest.mark.parametrize("size", [(64, 64), (640, 64), (3072, 3072)])
def test_sd35_takes_image_sizes_up_to_the_limit(place: Place, size: tuple[int, int]) -> None:
    """Image-to-image has no limit of proportion."""
    _accepted(place, SD35, _with(IMAGE_TO_IMAGE, image=picture(*size)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        *PICTURE_BEYOND,
        ({"strength": -0.01}, "#/strength: -0.01 is not greater or equal to 0"),
        ({"strength": 1.01}, "#/strength: 1.01 is not less or equal to 1"),
        ({"strength": WITHOUT}, "#: required key [strength] not found"),
        ({"aspect_ratio": "1:1"}, "#: extraneous key [aspect_ratio] is not permitted"),
        ({"image": picture(63, 64)}, "at least 64 pixels"),
        ({"image": picture(3072, 3073)}, "must not exceed 9437184 pixels"),
    ],
)
def test_sd35_refuses_an_image_beyond_its_limits(place: Place, changes: dict[str, Any], text: str) -> None:
    assert text in _refused(place, SD35, _with(IMAGE_TO_IMAGE, **changes))


SERVICES = {OUTPAINT: OUTPAINTING, ERASE: ERASING, INPAINT: INPAINTING}


@pytest.mark.parametrize("model", SERVICES)
@pytest.mark.parametrize("changes", COMMON_WITHIN, ids=_name)
def test_image_services_take_the_common_fields(place: Place, model: str, changes: dict[str, Any]) -> None:
    _accepted(place, model, _with(SERVICES[model], **changes))


@pytest.mark.parametrize("model", SERVICES)
@pytest.mark.parametrize(("changes", "text"), [*COMMON_BEYOND, *PICTURE_BEYOND])
def test_image_services_refuse_the_common_fields_beyond_their_limits(
    place: Place, model: str, changes: dict[str, Any], text: str
) -> None:
    assert text in _refused(place, model, _with(SERVICES[model], **changes))


def _sized(model: str, size: tuple[int, int]) -> dict[str, Any]:
    document = _with(SERVICES[model], image=picture(*size))
    return _with(document, mask=picture(*size, fill=half_white)) if "mask" in document else document


@pytest.mark.parametrize("model", SERVICES)
@pytest.mark.parametrize("size", SIZES_WITHIN, ids=_name)
def test_image_services_take_sizes_up_to_the_limits(place: Place, model: str, size: tuple[int, int]) -> None:
    _accepted(place, model, _sized(model, size))


@pytest.mark.parametrize("model", SERVICES)
@pytest.mark.parametrize(("size", "text"), SIZES_BEYOND, ids=_name)
def test_image_services_refuse_sizes_beyond_the_limits(
    place: Place, model: str, size: tuple[int, int], text: str
) -> None:
    assert text in _refused(place, model, _sized(model, size))


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("model", SERVICES)
def test_image_services_take_png_jpeg_and_webp(place: Place, model: str, kind: str) -> None:
    _accepted(place, model, _with(SERVICES[model], image=picture(96, 64, kind=kind)))


@pytest.mark.parametrize(
    "changes",
    [
        PROMPT_EDGE,
        {"prompt": ""},
        {"style_preset": "analog-film"},
        {"negative_prompt": "fog"},
        {"left": WITHOUT, "right": 1},
        *({side: 2000} for side in ("left", "right", "up", "down")),
        {"creativity": 0.1},
        {"creativity": 1},
    ],
    ids=_name,
)
def test_outpaint_takes_up_to_its_limits(place: Place, changes: dict[str, Any]) -> None:
    _accepted(place, OUTPAINT, _with(OUTPAINTING, **changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        *PROMPT_BEYOND,
        *(
            ({side: 2001}, f"#/{side}: 2001 is not less or equal to 2000")
            for side in ("left", "right", "up", "down")
        ),
        *(
            ({side: -1}, f"#/{side}: -1 is not greater or equal to 0")
            for side in ("left", "right", "up", "down")
        ),
        ({"left": 0}, "at least one of left, right, up, down"),
        ({"left": WITHOUT}, "at least one of left, right, up, down"),
        ({"creativity": 0.09}, "#/creativity: 0.09 is not greater or equal to 0.1"),
        ({"creativity": 1.01}, "#/creativity: 1.01 is not less or equal to 1"),
        ({"style_preset": "oil"}, "#/style_preset: oil is not a valid enum value"),
        ({"mask": MASK}, "#: extraneous key [mask] is not permitted"),
    ],
)
def test_outpaint_refuses_beyond_its_limits(place: Place, changes: dict[str, Any], text: str) -> None:
    assert text in _refused(place, OUTPAINT, _with(OUTPAINTING, **changes))


@pytest.mark.parametrize("model", [ERASE, INPAINT])
@pytest.mark.parametrize(
    "changes",
    [
        {"grow_mask": 0},
        {"grow_mask": 20},
        {"mask": WITHOUT, "image": picture(96, 64, channels=4)},
        {"mask": picture(96, 64, kind=".jpg")},
    ],
    ids=["grow 0", "grow 20", "alpha instead of a mask", "jpeg mask"],
)
def test_masked_services_take_up_to_their_limits(place: Place, model: str, changes: dict[str, Any]) -> None:
    _accepted(place, model, _with(SERVICES[model], **changes))


@pytest.mark.parametrize("model", [ERASE, INPAINT])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"grow_mask": -1}, "#/grow_mask: -1 is not greater or equal to 0"),
        ({"grow_mask": 21}, "#/grow_mask: 21 is not less or equal to 20"),
        ({"mask": WITHOUT}, "#: required key [mask] not found"),
        ({"mask": picture(96, 65)}, "mask must have the size of the image: expected 96x64, actual: 96x65"),
        ({"mask": "AAAA"}, "#/mask: is not a readable image"),
        ({"strength": 0.5}, "#: extraneous key [strength] is not permitted"),
    ],
)
def test_masked_services_refuse_beyond_their_limits(
    place: Place, model: str, changes: dict[str, Any], text: str
) -> None:
    assert text in _refused(place, model, _with(SERVICES[model], **changes))


@pytest.mark.parametrize(
    "changes", [PROMPT_EDGE, {"style_preset": "cinematic"}, {"negative_prompt": "fog"}], ids=_name
)
def test_inpaint_takes_up_to_its_limits(place: Place, changes: dict[str, Any]) -> None:
    _accepted(place, INPAINT, _with(INPAINTING, **changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [*PROMPT_BEYOND, *PROMPT_NEEDED, ({"style_preset": ""}, "#/style_preset:  is not a valid enum value")],
)
def test_inpaint_refuses_beyond_its_limits(place: Place, changes: dict[str, Any], text: str) -> None:
    assert text in _refused(place, INPAINT, _with(INPAINTING, **changes))


def test_erase_takes_no_prompt(place: Place) -> None:
    """What to erase is the mask's to say."""
    assert "extraneous key [prompt]" in _refused(place, ERASE, _with(ERASING, prompt="the crane"))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"prompt": NaN}', b"[" * 100_000],
    ids=["empty", "cut", "not UTF-8", "NaN", "deep"],
)
def test_a_body_that_is_not_json_is_malformed(place: Place, body: bytes) -> None:
    assert _refused(place, SD35, body) == "Malformed input request, please reformat your input and try again."


def test_a_body_that_is_not_an_object_is_malformed(place: Place) -> None:
    assert "#: expected type: JSONObject, found: JSONArray" in _refused(place, SD35, b"[]")


def test_every_violation_is_named(place: Place) -> None:
    """A request with two mistakes hears of both at once."""
    message = _refused(place, SD35, {"prompt": "", "seed": -1})
    assert "#/prompt: expected minLength: 1, actual: 0" in message
    assert "#/seed: -1 is not greater or equal to 0" in message


def _padded(size: int) -> bytes:
    body = json.dumps(TEXT_TO_IMAGE).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_25_megabytes_is_taken(place: Place) -> None:
    _accepted(place, SD35, _padded(25_000_000))


def test_a_larger_body_is_refused(place: Place) -> None:
    assert "'body' failed to satisfy constraint" in _refused(place, SD35, _padded(25_000_001))


def _frames(**frames: Any) -> dict[str, Any]:
    return {"keyframes": frames}


def _frame(data: str, media_type: str = "image/png", **source: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data, **source}}


SMALL_FRAME = picture(512, 512)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "x" * 5_000},
        *({"aspect_ratio": ratio} for ratio in ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")),
        *({"duration": duration} for duration in ("5s", "9s")),
        *({"resolution": resolution} for resolution in ("540p", "720p")),
        {"loop": True},
        _frames(frame0=_frame(SMALL_FRAME)),
        _frames(frame1=_frame(picture(512, 512, kind=".jpg"), "image/jpeg")),
        _frames(frame0=_frame(picture(4096, 512)), frame1=_frame(picture(4096, 4096))),
    ],
    ids=_name,
)
def test_ray2_takes_up_to_its_limits(place: Place, changes: dict[str, Any]) -> None:
    assert ":async-invoke/" in place.start(_with(VIDEO, **changes))


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
        (_frames(frame2=_frame(SMALL_FRAME)), "#/keyframes: extraneous key [frame2] is not permitted"),
        (_frames(frame0=_frame(picture(511, 512))), "between 512x512 and 4096x4096 pixels, actual: 511x512"),
        (
            _frames(frame1=_frame(picture(4097, 512))),
            "between 512x512 and 4096x4096 pixels, actual: 4097x512",
        ),
        (
            _frames(frame0=_frame(SMALL_FRAME, "image/webp")),
            "media_type: image/webp is not a valid enum value",
        ),
        (_frames(frame0=_frame(SMALL_FRAME, "image/jpeg")), "image/jpeg does not match the image data"),
        (_frames(frame0=_frame(picture(512, 512, kind=".webp"))), "image format webp is not supported"),
        (
            _frames(frame0={"type": "generation", "id": "x"}),
            "#/keyframes/frame0/type: generation is not a valid enum",
        ),
        (
            _frames(frame0=_frame(SMALL_FRAME, type="url")),
            "#/keyframes/frame0/source/type: url is not a valid enum",
        ),
        (_frames(frame0={"type": "image"}), "#/keyframes/frame0: required key [source] not found"),
    ],
)
def test_ray2_refuses_beyond_its_limits(place: Place, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError) as refusal:
        place.start(_with(VIDEO, **changes))
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert text in refusal.value.response["Error"]["Message"]


KEY = "arn:aws:kms:us-west-2:000000000000:key/0123abcd-0123-0123-0123-0123456789ab"


def _output(**members: Any) -> dict[str, Any]:
    return {"outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://nobodys-bucket", **members}}}


@pytest.mark.parametrize(
    "members",
    [
        {"clientRequestToken": "a" * 256},
        _output(s3Uri="s3://abc/" + "x" * 1015),
        _output(kmsKeyId=KEY),
        _output(kmsKeyId="arn:aws:kms:us-west-2:000000000000:alias/studio"),
        _output(bucketOwner="123456789012"),
        {"tags": [{"key": "k" * 128, "value": "v" * 256}] * 200},
    ],
)
def test_an_asynchronous_start_takes_up_to_its_limits(place: Place, members: dict[str, Any]) -> None:
    assert ":async-invoke/" in place.start(VIDEO, **members)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"clientRequestToken": "a" * 257}, "clientRequestToken"),
        ({"clientRequestToken": "with space"}, "clientRequestToken"),
        (_output(s3Uri="https://bucket/x"), "s3Uri"),
        (_output(s3Uri="s3://Bucket/x"), "s3Uri"),
        (_output(s3Uri="s3://abc/" + "x" * 1016), "s3Uri"),
        (_output(kmsKeyId="0123abcd-0123-0123-0123-0123456789ab"), "kmsKeyId"),
        (_output(bucketOwner="12345678901"), "bucketOwner"),
        ({"tags": [{"key": "k", "value": "v"}] * 201}, "tags"),
        ({"tags": [{"key": "k" * 129, "value": "v"}]}, "tags.1.member.key"),
        ({"tags": [{"key": "k", "value": "v" * 257}]}, "tags.1.member.value"),
        ({"model": "m" * 257}, "modelId"),
        ({"model": SD35}, "doesn't support asynchronous invocation"),
        ({"model": "amazon.no-such-v1:0"}, "The provided model identifier is invalid."),
    ],
)
def test_an_asynchronous_start_refuses_beyond_its_limits(
    place: Place, members: dict[str, Any], text: str
) -> None:
    """boto3 checks none of this; the server does."""
    with pytest.raises(ClientError) as refusal:
        place.start(VIDEO, **members)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert text in refusal.value.response["Error"]["Message"]


def test_a_list_page_has_at_most_a_thousand_rows(place: Place) -> None:
    with pytest.raises(ClientError) as refusal:
        place.client.list_async_invokes(maxResults=1001)
    assert "maxResults" in refusal.value.response["Error"]["Message"]
    assert "asyncInvokeSummaries" in place.client.list_async_invokes(maxResults=1000)
