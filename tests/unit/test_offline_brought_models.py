"""Models that the offline server is told of: by a studio's ARN, or by the id of a newer one of a known kind."""

import pytest

from services.bedrock.errors import BedrockFault
from services.bedrock.models import BadModel, BroughtModels, find, resources

ACCOUNT = "000000000000"
REGION = "us-west-2"
SKETCH = "us.stability.stable-image-control-sketch-v1:0"
NEWER = "us.stability.stable-image-control-sketch-v2:0"
CORE, NEWER_CORE = "stability.stable-image-core-v1:1", "stability.stable-image-core-v2:0"


@pytest.mark.parametrize(("newer", "known"), [(NEWER, SKETCH), (NEWER_CORE, CORE)])
def test_a_newer_model_answers_as_the_one_it_stands_for(newer: str, known: str) -> None:
    """Unknown before, found afterwards under its own id, unknown again when it is taken back."""
    book = BroughtModels(ACCOUNT)
    with pytest.raises(BedrockFault, match="identifier is invalid"):
        find(newer, REGION, ACCOUNT, book)
    entry = book.add({"id": newer, "model": known})
    found = find(newer, REGION, ACCOUNT, book)
    assert (found.called_as, found.base_id) == (newer, known.removeprefix("us."))
    assert entry in book.rules()
    book.clear(newer)
    with pytest.raises(BedrockFault):
        find(newer, REGION, ACCOUNT, book)


def test_a_newer_model_is_allowed_by_its_own_name() -> None:
    """A policy that names the old one doesn't allow the new one."""
    book = BroughtModels(ACCOUNT)
    book.add({"id": NEWER, "model": SKETCH})
    book.add({"id": NEWER_CORE, "model": CORE})
    profile, *models = resources(find(NEWER, REGION, ACCOUNT, book), REGION, ACCOUNT)
    assert profile == f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{NEWER}"
    assert f"arn:aws:bedrock:us-east-1::foundation-model/{NEWER.removeprefix('us.')}" in models
    core = find(NEWER_CORE, REGION, ACCOUNT, book)
    assert resources(core, REGION, ACCOUNT) == [f"arn:aws:bedrock:{REGION}::foundation-model/{NEWER_CORE}"]


@pytest.mark.parametrize(
    "document",
    [
        {"id": SKETCH, "model": SKETCH},
        {"id": "amazon.nova-canvas-v1:0", "model": CORE},
        {"id": "anything", "model": CORE},
        {"id": 7, "model": CORE},
        {"id": NEWER, "model": "nobody"},
    ],
)
def test_what_is_known_or_no_id_cannot_be_brought(document: object) -> None:
    """An id that the server answers already, one that ended, none at all."""
    with pytest.raises(BadModel):
        BroughtModels(ACCOUNT).add(document)
