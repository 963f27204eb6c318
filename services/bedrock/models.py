"""Which models this server knows, under which identifiers, and what it answers for the others.

As of November 2026. Identifiers and lifecycle: the Amazon Bedrock model cards and "Model lifecycle".
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from services.bedrock.errors import BedrockFault, validation

Mode = Literal["sync", "async"]
Task = Literal["picture", "embedding", "understanding", "clip"]

_US_PROFILE = ("us-east-1", "us-east-2", "us-west-2")


@dataclass(frozen=True, slots=True)
class Model:
    """`profile` is the inference profile it must be called through, or None when its own id is called.

    `arn` is set for a model that a studio brought: what it is called as, and what a policy must allow. `newer_id` is
    the id (or the profile's) that one of another version is called by.
    """

    base_id: str
    mode: Mode
    regions: tuple[str, ...]
    profile: str | None = None
    task: Task = "picture"
    max_pictures: int = 20  # of one message of Converse
    forces_tools: bool = True  # it can be made to use a tool
    samples: bool = True  # it takes a temperature
    arn: str | None = None
    newer_id: str | None = None

    @property
    def called_as(self) -> str:
        return self.arn or self.newer_id or self.profile or self.base_id

    @property
    def names(self) -> frozenset[str]:
        """Everything a rule may call it."""
        return frozenset({self.called_as, self.base_id})


_IMAGE_SERVICES = (
    "stable-conservative-upscale",
    "stable-creative-upscale",
    "stable-fast-upscale",
    "stable-image-control-sketch",
    "stable-image-control-structure",
    "stable-image-erase-object",
    "stable-image-inpaint",
    "stable-image-remove-background",
    "stable-image-search-recolor",
    "stable-image-search-replace",
    "stable-image-style-guide",
    "stable-outpaint",
    "stable-style-transfer",
)


def _image_service(name: str) -> Model:
    base_id = f"stability.{name}-v1:0"
    return Model(base_id, "sync", _US_PROFILE, f"us.{base_id}")


MODELS = (
    Model("stability.sd3-5-large-v1:0", "sync", ("us-west-2",)),
    Model("stability.stable-image-core-v1:1", "sync", ("us-west-2",)),
    Model("stability.stable-image-ultra-v1:1", "sync", ("us-west-2",)),
    *(_image_service(name) for name in _IMAGE_SERVICES),
    Model("luma.ray-v2:0", "async", ("us-west-2",), task="clip"),
    Model("amazon.nova-2-multimodal-embeddings-v1:0", "sync", ("us-east-1",), task="embedding"),
    Model("amazon.titan-embed-image-v1", "sync", ("us-east-1", "us-west-2"), task="embedding"),
    Model("amazon.nova-2-lite-v1:0", "sync", _US_PROFILE, "us.amazon.nova-2-lite-v1:0", "understanding", 5),
    Model("amazon.nova-pro-v1:0", "sync", _US_PROFILE, "us.amazon.nova-pro-v1:0", "understanding", 5),
    Model(
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "sync",
        _US_PROFILE,
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "understanding",
    ),
    Model("amazon.nova-lite-v1:0", "sync", _US_PROFILE, "us.amazon.nova-lite-v1:0", "understanding", 5),
    Model("amazon.nova-micro-v1:0", "sync", _US_PROFILE, "us.amazon.nova-micro-v1:0", "understanding", 0),
    Model(
        "anthropic.claude-sonnet-4-6", "sync", _US_PROFILE, "us.anthropic.claude-sonnet-4-6", "understanding"
    ),
    Model(
        "anthropic.claude-sonnet-5-5",
        "sync",
        _US_PROFILE,
        "us.anthropic.claude-sonnet-5-5",
        "understanding",
        forces_tools=False,
        samples=False,
    ),
)

REGIONS = frozenset(region for model in MODELS for region in model.regions)

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


_OWN_KINDS = "application-inference-profile|provisioned-model|custom-model-deployment|imported-model"


_NEWER_ID = r"(us\.)?[a-z0-9-]+\.[a-z0-9][a-z0-9.:-]{0,120}"


class BadModel(Exception):
    """A model that can't be brought: the message says why."""


class BroughtModels:
    """Models that a studio brings by ARN, or by the id of a newer one, each standing for one of ours.

    In memory: a restart forgets them.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._models: dict[str, Model] = {}

    def add(self, document: object) -> dict[str, Any]:
        """`{"arn" or "id": ..., "model": ...}`. Raises BadModel."""
        given = document if isinstance(document, dict) else {}
        base = given.get("model")
        model = next((each for each in MODELS if base in each.names), None)
        if model is None:
            raise BadModel("model must be an id that this server knows")
        if "id" in given:
            return self._add_newer(given["id"], model)
        arn = given.get("arn")
        pattern = rf"arn:aws:bedrock:([a-z0-9-]+):{self._account}:({_OWN_KINDS})/[A-Za-z0-9._:-]+"
        match = re.fullmatch(pattern, arn) if isinstance(arn, str) else None
        if match is None:
            raise BadModel(f"arn must be one of this account, of the kinds {_OWN_KINDS.replace('|', ', ')}")
        self._models[match.group()] = replace(model, arn=match.group(), regions=(match.group(1),))
        return {"id": match.group(), "arn": match.group(), "model": model.base_id}

    def _add_newer(self, identifier: object, model: Model) -> dict[str, Any]:
        """A model that came out after this server was written: of a known one's dialect, under an id of its own."""
        taken = any(identifier in each.names for each in MODELS) or identifier in ENDED
        if not isinstance(identifier, str) or taken or not re.fullmatch(_NEWER_ID, identifier):
            raise BadModel("id must be a model id (or a us. profile's) that this server doesn't know")
        self._models[identifier] = replace(model, newer_id=identifier)
        return {"id": identifier, "model": model.base_id}

    def rules(self) -> list[dict[str, Any]]:
        return [
            {"id": name, **({"arn": name} if model.arn else {}), "model": model.base_id}
            for name, model in self._models.items()
        ]

    def clear(self, name: str | None = None) -> None:
        if name is None:
            self._models.clear()
        else:
            self._models.pop(name, None)

    def find(self, identifier: str, region: str) -> Model | None:
        model = self._models.get(identifier)
        return model if model is not None and region in model.regions else None


def find(identifier: str, region: str, account: str, brought: BroughtModels | None = None) -> Model:
    """The model an id or ARN names. Raises what Bedrock answers for an ended, unknown or profile-only one."""
    own = brought.find(identifier, region) if brought else None
    if own is not None:
        return own
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
    if model.arn is not None:
        return [model.arn]
    profile = model.profile
    if model.newer_id is not None:
        base_id = model.newer_id.removeprefix("us.")
        profile = model.newer_id if base_id != model.newer_id else None
        model = replace(model, base_id=base_id)
    if profile is None:
        return [model_arn(model, region)]
    return [
        f"arn:aws:bedrock:{region}:{account}:inference-profile/{profile}",
        *(model_arn(model, target) for target in model.regions),
    ]
