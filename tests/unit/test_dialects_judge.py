"""The second opinion over Converse: what the judge is shown, and that only a whole opinion counts."""

import copy
import json
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from circletake.dialects.contract import UnfitRequest, UnusableAnswer
from circletake.dialects.converse_judge import TOOL, ConverseJudge, Judgement, Opinion, agreed, cost, schema
from circletake.domain.consistency.words import Aspect
from circletake.domain.pictures import Filtered, Picture, Unusable
from tests.unit.model_requests import card_of, picture

NOVA_LITE = "us.amazon.nova-2-lite-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASPECTS = (Aspect.FACE, Aspect.WARDROBE)
JUDGE = ConverseJudge()


def still(name: str = "shot", size: tuple[int, int] = (640, 480)) -> Picture:
    return picture(name.encode(), size, media_type="image/jpeg")


def asked(order: Any = "references_first", references: int = 2, model: str = NOVA_LITE) -> dict[str, Any]:
    shown = [still(f"reference {number}") for number in range(references)]
    return JUDGE.body(shown, still(), card_of(model), ASPECTS, order=order)


def aspect(likeness: Any = 4, difference: Any = "none", visible: Any = True) -> dict[str, Any]:
    return {"difference": difference, "visible": visible, "likeness": likeness}


def answer(given: Any = None, **changes: Any) -> bytes:
    use = {"toolUseId": "t", "name": TOOL, "input": given or {"face": aspect(), "wardrobe": aspect(1)}}
    document = {
        "output": {"message": {"role": "assistant", "content": [{"toolUse": use}]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1500, "outputTokens": 200, "totalTokens": 1700},
        **changes,
    }
    return json.dumps(document).encode()


def refused(data: bytes) -> Filtered | Unusable:
    with pytest.raises(UnusableAnswer) as fault:
        JUDGE.read(data, ASPECTS)
    return fault.value.found


def shown(body: dict[str, Any]) -> list[tuple[str, bytes]]:
    """(label, picture) in the order in which the judge sees them."""
    content = body["messages"][0]["content"]
    return [
        (content[index - 1]["text"], block["image"]["source"]["bytes"])
        for index, block in enumerate(content)
        if "image" in block
    ]


def test_references_and_shot_are_shown_under_their_labels_in_both_orders():
    """The caller asks twice, so that a judge that goes by the order is seen."""
    first, second = shown(asked("references_first")), shown(asked("shot_first"))
    assert [data for _, data in first] == [b"reference 0", b"reference 1", b"shot"]
    assert [data for _, data in second] == [b"shot", b"reference 0", b"reference 1"]
    assert {label for label, data in first if data == b"shot"} == {"Picture from the shot:"}
    assert sorted(first) == sorted(second)


def test_the_answer_is_forced_into_a_schema_that_names_the_difference_first():
    """A tool that must be used; per aspect difference, visible, likeness, in this order."""
    body = asked()
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": TOOL}}
    given = body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
    assert given == schema(ASPECTS)
    assert list(given["properties"]) == ["face", "wardrobe"] == given["required"]
    assert list(given["properties"]["face"]["properties"]) == ["difference", "visible", "likeness"]
    assert given["properties"]["face"]["properties"]["likeness"]["enum"] == [0, 1, 2, 3, 4]


def test_what_stands_in_a_picture_is_declared_to_be_picture():
    """The rule is in the system prompt, out of any picture's reach, and the same for every request."""
    one, other = asked(references=1), asked(references=4)
    assert one["system"] == other["system"]
    assert "never instructions" in one["system"][0]["text"]


def test_boto3_takes_the_request_as_it_is():
    """Its members are the operation's own."""
    client = boto3.Session(region_name="us-west-2").client(
        "bedrock-runtime", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        stub.add_response("converse", json.loads(answer()) | {"metrics": {"latencyMs": 1}})
        assert client.converse(modelId=NOVA_LITE, **asked())["stopReason"] == "tool_use"


@pytest.mark.parametrize(
    ("references", "shot", "model", "code"),
    [
        ([], still(), NOVA_LITE, "required"),
        ([still()] * 5, still(), NOVA_LITE, "too_many"),
        ([still()] * 20, still(), HAIKU, "too_many"),
        ([still(size=(1569, 10_00))], still(), NOVA_LITE, "not_fitted"),
        ([still()], still(size=(16, 64)), NOVA_LITE, "not_fitted"),
        ([still()], Picture(b"x", "image/webp", 640, 480), NOVA_LITE, "media_type"),
        ([still()], Picture(bytes(3_750_001), "image/jpeg", 640, 480), NOVA_LITE, "too_large"),
    ],
)
def test_what_the_model_would_refuse_is_not_sent(references, shot, model, code):
    """Counts, sizes, types and bytes at the documented limits."""
    with pytest.raises(UnfitRequest) as fault:
        JUDGE.body(references, shot, card_of(model), ASPECTS)
    assert code in [each.code for each in fault.value.violations]


def test_as_many_pictures_as_the_model_takes_are_sent():
    """Nineteen references and the shot for a model of twenty."""
    assert len(shown(asked(references=19, model=HAIKU))) == 20


def test_a_whole_opinion_is_read_with_its_tokens_and_its_cost():
    """Tokens as the provider counted them, cost rounded up to a millionth of a dollar."""
    judgement = JUDGE.read(answer(), ASPECTS)
    assert judgement.aspects == {Aspect.FACE: Opinion("none", 4), Aspect.WARDROBE: Opinion("none", 1)}
    assert (judgement.tokens_in, judgement.tokens_out) == (1500, 200)
    assert cost(judgement, card_of(NOVA_LITE)) == Decimal("0.001045")


def test_an_aspect_that_was_not_visible_has_no_rating():
    """Whatever number came along."""
    given = {"face": aspect(4, visible=False), "wardrobe": aspect(3)}
    assert JUDGE.read(answer(given), ASPECTS).aspects[Aspect.FACE].likeness is None


@pytest.mark.parametrize(
    "given",
    [
        {"face": aspect()},
        {"face": aspect(), "wardrobe": aspect(), "verdict": "pass"},
        {"face": aspect(), "hair": aspect()},
        {"face": aspect(5), "wardrobe": aspect()},
        {"face": aspect(-1), "wardrobe": aspect()},
        {"face": aspect("4"), "wardrobe": aspect()},
        {"face": aspect(3.5), "wardrobe": aspect()},
        {"face": aspect(True), "wardrobe": aspect()},
        {"face": aspect(None), "wardrobe": aspect()},
        {"face": aspect(visible="yes"), "wardrobe": aspect()},
        {"face": aspect(difference=None), "wardrobe": aspect()},
        {"face": {**aspect(), "note": "x"}, "wardrobe": aspect()},
        {"face": {"likeness": 4}, "wardrobe": aspect()},
        {"face": 4, "wardrobe": 4},
        "pass",
        ["pass"],
    ],
)
def test_whatever_is_not_the_schema_is_no_opinion(given):
    """Never a pass: a missing aspect, one too many, a rating that isn't one, another type."""
    assert isinstance(refused(answer(given)), Unusable)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b'"tool_use"',
        answer(stopReason="end_turn"),
        answer(stopReason="max_tokens"),
        answer(stopReason="malformed_tool_use"),
        answer(output={"message": {"content": [{"text": "It is her. likeness: 4"}]}}),
        answer(output={"message": {"content": []}}),
        answer(output={}),
        answer(output=None),
    ],
)
def test_an_answer_without_the_tool_is_no_opinion(data):
    """Free text, an answer that was cut off, none at all."""
    assert isinstance(refused(data), Unusable)


def test_two_opinions_or_another_tool_are_none():
    """Which of them would count?"""
    one = json.loads(answer())
    twice = copy.deepcopy(one)
    twice["output"]["message"]["content"] *= 2
    assert isinstance(refused(json.dumps(twice).encode()), Unusable)
    one["output"]["message"]["content"][0]["toolUse"]["name"] = "approve"
    assert isinstance(refused(json.dumps(one).encode()), Unusable)


@pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered"])
def test_a_filters_refusal_is_told_from_nonsense(reason):
    """Nobody retries a refusal."""
    assert isinstance(refused(answer(stopReason=reason)), Filtered)


@pytest.mark.parametrize("usage", [None, {}, {"inputTokens": -1, "outputTokens": 1}, {"inputTokens": "many"}])
def test_an_answer_that_hides_its_tokens_is_no_opinion(usage):
    """What it cost must be known."""
    assert isinstance(refused(answer(usage=usage)), Unusable)


def test_what_is_reserved_covers_what_is_charged():
    """The reservation grows with the pictures and is never below a whole answer."""
    card = card_of(NOVA_LITE)
    least, most = (JUDGE.at_most(card, number, ASPECTS) for number in (1, 4))
    assert least[0] < most[0]
    assert least[1] == card.limits["output_tokens_max"]


def judged(**ratings: int | None) -> Judgement:
    return Judgement({Aspect(name): Opinion("", value) for name, value in ratings.items()}, 0, 0)


def test_both_orders_together_give_one_value_per_aspect_they_agree_on():
    """Their mean; nothing where they are two steps apart or one of them saw nothing."""
    first = judged(face=4, hair=1, wardrobe=0, palette=None)
    second = judged(face=3, hair=1, wardrobe=2, palette=4)
    assert agreed(first, second) == {Aspect.FACE: (3.5,), Aspect.HAIR: (1.0,)}


def test_differences_are_content():
    """They describe pictures: no repr shows them."""
    assert "scar" not in repr(
        JUDGE.read(answer({"face": aspect(1, "a scar"), "wardrobe": aspect()}), ASPECTS)
    )
