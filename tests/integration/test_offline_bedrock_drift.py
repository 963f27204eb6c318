"""Characters and their drift on the offline model server, as the reader sets them over HTTP."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from botocore.exceptions import ClientError

from services.embedded.s3 import ACCOUNT_ID, REGION
from tests.integration.offline_bedrock import (
    INPAINT,
    RAY2,
    SD35,
    Server,
    Session,
    bedrock_server,
    decode,
    ended,
    invoke,
    make_role,
    policy,
    root_client,
    s3_server,
)

CORE = "stability.stable-image-core-v1:1"
BUCKET = "studio-drift"
FACE = {"left": 0.335, "top": 0.13, "width": 0.215, "height": 0.27}
ASKED = {"prompt": "MS EXT Ada in a forest", "aspect_ratio": "1:1"}


@dataclass
class Place:
    server: Server
    s3: Any
    role: str
    session: Session

    @property
    def client(self) -> Any:
        return self.server.client(self.session)

    def take(self, seed: int, model: str = SD35, **changes: Any) -> Any:
        return decode(invoke(self.client, model, {**ASKED, "seed": seed, **changes})).astype(int)


def png(pixels: Any) -> str:
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    assert done
    return base64.b64encode(data.tobytes()).decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        bucket = root_client("s3", s3)
        bucket.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        options = ("--picture-processes", "1", "--async-seconds", "0")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), *options) as server:
            subject = {"name": "Ada", "picture": png(skimage.data.astronaut()), "face": FACE}
            with server.control("subjects", subject):
                tags = [{"Key": "tenant", "Value": "ours"}]
                yield Place(server, bucket, role, server.assume(role, Tags=tags))


def orange(pixels: Any) -> float:
    """Share of the picture in the colour of the suit (BGR)."""
    blue, green, red = (pixels[..., channel] for channel in range(3))
    return float(((red > 150) & (green > 40) & (green < 130) & (blue < 90)).mean())


def test_a_named_subject_is_in_every_take_of_it(place: Place) -> None:
    """On other ground, at another size with each seed; a prompt without the name has a drawing."""
    takes = [place.take(seed) for seed in (1, 2, 3)]
    assert min(orange(each) for each in takes) > 0.03
    assert np.abs(takes[0] - takes[1]).mean() > 5
    assert orange(place.take(1, prompt="MS EXT somebody in a forest")) < 0.01
    assert orange(place.take(1, prompt="MS EXT an Adaptation in a forest")) < 0.01


@pytest.mark.parametrize("flag", ["grey", "deep", "cut out"])
def test_a_subject_may_come_in_any_kind_of_picture(place: Place, flag: str) -> None:
    """Grey, 16 bit, or cut out already."""
    pixels = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    alpha = np.zeros((512, 512), np.uint8)
    alpha[:, :400] = 255
    ways = {
        "grey": pixels[..., 1],
        "deep": pixels.astype(np.uint16) * 257,
        "cut out": np.dstack([pixels, alpha]),
    }
    done, data = cv2.imencode(".png", np.ascontiguousarray(ways[flag]))
    assert done
    subject = {"name": "Bo", "picture": base64.b64encode(data.tobytes()).decode(), "face": FACE}
    with place.server.control("subjects", subject):
        assert place.take(3, prompt="MS EXT Bo in a forest").shape == (1024, 1024, 3)


def test_without_rules_nothing_drifts(place: Place) -> None:
    """The same request is the same picture."""
    assert np.array_equal(place.take(4), place.take(4))


def test_a_drift_of_odd_seeds_is_cured_by_a_new_seed(place: Place) -> None:
    """The suit is another one, for odd seeds only, until the rule goes."""
    clean = place.take(5)
    with place.server.control("drift", {"when": {"seed": "odd"}, "drift": {"wardrobe": 120}}):
        assert orange(place.take(5)) < 0.3 * orange(clean)
        assert orange(place.take(6)) > 0.03
    assert np.array_equal(place.take(5), clean)


def test_a_drift_of_one_mode_is_cured_by_another(place: Place) -> None:
    """Image-to-image from an approved take keeps the suit that text-to-image loses."""
    approved = place.take(7)
    rule = {"when": {"mode": "text-to-image"}, "drift": {"wardrobe": 150}}
    with place.server.control("drift", rule):
        assert orange(place.take(8)) < 0.02
        picture = png(approved[..., ::-1].astype(np.uint8))
        body = {"prompt": ASKED["prompt"], "mode": "image-to-image", "image": picture, "strength": 0.3}
        kept = decode(invoke(place.client, SD35, {**body, "seed": 9}))
        assert orange(kept) > 0.5 * orange(approved)


def test_a_drift_of_one_model_is_cured_by_another(place: Place) -> None:
    """Also one of a model that a studio brings by ARN."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:provisioned-model/studio-tuned"
    rule = {"model": SD35, "drift": {"wardrobe": 150}}
    with (
        place.server.control("drift", rule),
        place.server.control("models", {"arn": arn, "model": CORE}),
    ):
        assert orange(place.take(10)) < 0.02
        assert orange(place.take(10, CORE)) > 0.03
        assert orange(place.take(10, arn)) > 0.03
    with pytest.raises(ClientError, match="model identifier is invalid"):
        place.take(10, arn)


def test_a_brought_model_needs_to_be_allowed_by_its_arn(place: Place) -> None:
    """The wall is the policy, not the server's list."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:custom-model-deployment/tuned"
    allow = {"Effect": "Allow", "Action": "bedrock:InvokeModel"}
    ours = {**allow, "Resource": f"arn:aws:bedrock:*:{ACCOUNT_ID}:custom-model-deployment/*"}
    models = {**allow, "Resource": "arn:aws:bedrock:*::foundation-model/*"}
    with place.server.control("models", {"arn": arn, "model": CORE}):
        may = place.server.client(place.server.assume(place.role, Policy=policy(ours)))
        assert invoke(may, arn, ASKED)["images"]
        may_not = place.server.client(place.server.assume(place.role, Policy=policy(models)))
        with pytest.raises(ClientError, match="AccessDenied"):
            invoke(may_not, arn, ASKED)


def test_a_rule_strikes_as_often_as_it_says(place: Place) -> None:
    """Twice, then never again."""
    with place.server.control("drift", {"drift": {"wardrobe": 120}, "times": 2}):
        shares = [orange(place.take(11)) for _ in range(3)]
    assert max(shares[:2]) < 0.3 * shares[2]


def test_a_rule_of_a_tenant_leaves_others_alone(place: Place) -> None:
    """The session's tag says whose call it is."""
    rules = [{"tenant": name, "drift": {"wardrobe": 120}} for name in ("theirs", "ours")]
    with place.server.control("drift", rules[0]):
        assert orange(place.take(12)) > 0.03
    with place.server.control("drift", rules[1]):
        assert orange(place.take(12)) < 0.02


def test_a_failed_region_is_inpainted_as_it_should_be(place: Place) -> None:
    """Inside the matte the named subject's own suit is back, in a picture in which it drifted."""
    with place.server.control("drift", {"when": {"mode": "text-to-image"}, "drift": {"wardrobe": 150}}):
        broken = place.take(13).astype(np.uint8)
        mask = np.zeros(broken.shape, np.uint8)
        mask[broken.shape[0] // 2 :] = 255
        body = {"prompt": "Ada", "image": png(broken[..., ::-1]), "mask": png(mask), "seed": 3}
        mended = decode(invoke(place.client, INPAINT, body))
    assert orange(broken.astype(int)) < 0.02
    assert orange(mended.astype(int)) > 0.03
    assert np.array_equal(mended[: mask.shape[0] // 2 - 8], broken[: mask.shape[0] // 2 - 8])


def test_a_clip_from_an_approved_frame_keeps_what_one_from_words_loses(place: Place) -> None:
    """A keyframe cures a drift of text-to-video."""
    video = {"prompt": "MS Ada in a forest", "duration": "5s", "resolution": "540p", "aspect_ratio": "1:1"}
    approved = png(place.take(14)[..., ::-1].astype(np.uint8))
    source = {"type": "base64", "media_type": "image/png", "data": approved}
    keyframes = {"frame0": {"type": "image", "source": source}}
    with place.server.control("drift", {"when": {"mode": "text-to-video"}, "drift": {"wardrobe": 150}}):
        lost = _middle_frame(place, "lost", video)
        kept = _middle_frame(place, "kept", {**video, "keyframes": keyframes})
    assert orange(lost) < 0.02
    assert orange(kept) > 0.03


def _middle_frame(place: Place, name: str, native: dict[str, Any]) -> Any:
    output = {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/staging/{name}"}}
    arn = place.client.start_async_invoke(modelId=RAY2, modelInput=native, outputDataConfig=output)[
        "invocationArn"
    ]
    assert ended(place.client, arn)["status"] == "Completed"
    key = f"staging/{name}/{arn.rpartition('/')[2]}/output.mp4"
    path = place.server.directory / f"{name}.mp4"
    path.write_bytes(place.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    clip = cv2.VideoCapture(str(path))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 60)
    read, frame = clip.read()
    clip.release()
    assert read
    return frame.astype(int)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("drift", {}),
        ("drift", {"drift": {}}),
        ("drift", {"drift": {"wardrobe": 200}}),
        ("drift", {"drift": {"face": 2}}),
        ("drift", {"drift": {"face": 1, "face_picture": "x"}}),
        ("drift", {"drift": {"face": 1, "at": {"left": 0}}}),
        ("drift", {"drift": {"hair": 9}, "when": {"mode": "video"}}),
        ("drift", {"drift": {"hair": 9}, "when": {"seed": "some"}}),
        ("drift", {"drift": {"hair": 9}, "times": 0}),
        ("drift", {"drift": {"hair": 9}, "often": True}),
        ("drift", ["hair"]),
        ("subjects", {"name": "", "picture": "x", "face": FACE}),
        ("subjects", {"name": "Bo", "picture": "x", "face": FACE}),
        ("subjects", {"name": "Bo", "picture": png(np.zeros((64, 64, 3), np.uint8)), "face": {"left": 1}}),
        ("subjects", {"name": "Bo", "picture": png(skimage.data.astronaut())[:4000], "face": FACE}),
        (
            "subjects",
            {"name": "Bo", "picture": png(skimage.data.astronaut()), "face": {**FACE, "width": 0.01}},
        ),
        ("models", {"arn": "stability.mine", "model": CORE}),
        ("models", {"arn": "arn:aws:bedrock:us-west-2:111111111111:provisioned-model/x", "model": CORE}),
        ("models", {"arn": f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:provisioned-model/x", "model": "nobody"}),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Place, name: str, document: Any) -> None:
    """With a sentence that says why, and nothing is kept."""
    before = place.server.offline("GET", name)[1]
    status, answer = place.server.offline("POST", name, document)
    assert status == 400
    assert answer["message"]
    assert place.server.offline("GET", name)[1] == before


@pytest.mark.parametrize("name", ["drift", "subjects", "models"])
def test_the_controls_need_the_operators_token(place: Place, name: str) -> None:
    """Nobody else decides what a model does."""
    assert place.server.offline("GET", name, token="wrong")[0] == 403
    assert place.server.offline("POST", name, {}, token="wrong")[0] == 403


def test_pictures_are_not_shown_again(place: Place) -> None:
    """A face that was handed over is content."""
    other = {"drift": {"face": 1, "face_picture": png(skimage.data.chelsea())}}
    with place.server.control("drift", other) as answer:
        assert "face_picture" not in answer["drift"]
        assert "face_picture" not in place.server.offline("GET", "drift")[1]["drift"][0]["drift"]
    assert "picture" not in place.server.offline("GET", "subjects")[1]["subjects"][0]
