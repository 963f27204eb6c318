"""Which models this server knows, under which identifiers, and what it answers for the others.

As of November 2026. Identifiers and lifecycle: the Amazon Bedrock model cards and "Model lifecycle".
"""

import re
from dataclasses import dataclass
from typing import Literal

from services.bedrock.errors import BedrockFault, validation

Mode = Literal["sync", "async"]

_US_PROFILE = ("us-east-1", "us-east-2", "us-west-2")


@dataclass(frozen=True, slots=True)
class Model:
    """`profile` is the inference profile it must be called through, or None when its own id is called."""

    base_id: str
    mode: Mode
    regions: tuple[str, ...]
    profile: str | None = None

    @property
    def called_as(self) -> str:
        return self.profile or self.base_id


MODELS = (
    Model("stability.sd3-5-large-v1:0", "sync", ("us-west-2",)),
    Model("stability.stable-outpaint-v1:0", "sync", _US_PROFILE, "us.stability.stable-outpaint-v1:0"),
    Model(
        "stability.stable-image-erase-object-v1:0",
        "sync",
        _US_PROFILE,
        "us.stability.stable-image-erase-object-v1:0",
    ),
    Model(
        "stability.stable-image-inpaint-v1:0", "sync", _US_PROFILE, "us.stability.stable-image-inpaint-v1:0"
    ),
    Model("luma.ray-v2:0", "async", ("us-west-2",)),
)

ENDED = frozenset(
    {
        "amazon.nova-canvas-v1:0",
        "amazon.nova-reel-v1:0",
        "amazon.nova-reel-v1:1",
        "amazon.titan-image-generator-v1",
        "amazon.titan-image-generator-v2:0",
    }
)

INVALID_IDENTIFIER = "The provided model identifier is invalid."
END_OF_LIFE = "This model version has reached the end of its life. Please refer to the AWS documentation for more details."


def find(identifier: str, region: str, account: str) -> Model:
    """The model an id or ARN names. Raises what Bedrock answers for an ended, unknown or profile-only one."""
    name = _name(identifier, region, account)
    if name in ENDED:
        raise BedrockFault(404, "ResourceNotFoundException", END_OF_LIFE)
    for model in MODELS:
        if region not in model.regions:
            continue
        if name == model.called_as:
            return model
        if name == model.base_id:
            raise validation(
                f"Invocation of model ID {name} with on-demand throughput isn’t supported. Retry your request "
                "with the ID or ARN of an inference profile that contains this model."
            )
    raise validation(INVALID_IDENTIFIER)


def _name(identifier: str, region: str, account: str) -> str:
    """The id inside an ARN of this Region (and account); an ARN of elsewhere names nothing here."""
    if not identifier.startswith("arn:"):
        return identifier
    foundation = re.fullmatch(rf"arn:aws:bedrock:{re.escape(region)}::foundation-model/(.+)", identifier)
    profile = re.fullmatch(
        rf"arn:aws:bedrock:{re.escape(region)}:{account}:inference-profile/(us\..+)", identifier
    )
    match = foundation or profile
    return match.group(1) if match else ""


def model_arn(model: Model, region: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model.base_id}"


def resources(model: Model, region: str, account: str) -> list[str]:
    """What a policy must allow to call it.

    Through a profile that is the profile and the model itself in every Region the profile may route to
    (Amazon Bedrock User Guide, "Prerequisites for inference profiles").
    """
    if model.profile is None:
        return [model_arn(model, region)]
    return [
        f"arn:aws:bedrock:{region}:{account}:inference-profile/{model.profile}",
        *(model_arn(model, target) for target in model.regions),
    ]
