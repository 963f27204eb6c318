"""The calls that are compared. Each is made once to a place; none is repeated."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import cv2
import numpy as np

from circletake.adapters.catalogue.files import load_catalogue
from circletake.dialects.checks import prompt_rule, required_slots
from circletake.dialects.contract import encode_body
from circletake.dialects.registry import dialect_for, embedder_for, judge_for
from circletake.domain.consistency.words import Aspect
from circletake.domain.costs import cost_of_images, cost_of_tokens, quote
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard, ModelRequest, ModelUse, Picture
from conformance.observation import Observation, observe, observe_put
from conformance.places import Place, Role, assume, finished

SIDE = 512
_ENDED = "amazon.nova-canvas-v1:0"
_PROMPT = "a lighthouse over a black sea at night"
_ASPECTS = (Aspect.PALETTE, Aspect.OVERALL)
_EXTEND = {"extend": {"left": 64, "right": 0, "up": 0, "down": 0}}

Run = Callable[[Place], Observation]


@dataclass(frozen=True, slots=True)
class Case:
    """`usd` is what the call costs if it succeeds; `at_most` what it could cost if the server accepted what it should
    refuse. The budget is charged `at_most` before the call is sent."""

    name: str
    what: str
    run: Run
    usd: Decimal = Decimal(0)
    at_most: Decimal = Decimal(0)
    needs_role: bool = False


def all_cases(region: str) -> list[Case]:
    """Every case, free ones first: what they find may make the paid ones pointless."""
    alive = [card for card in load_catalogue().all() if card.lifecycle == "active" and region in card.regions]
    cards = [card for card in alive if card.kinds]
    return [*_refusals(cards), *_storage(), *_sessions(), *_likeness(alive), *_dialects(cards)]


def _price(card: ModelCard, kind: Kind) -> Decimal:
    return quote(card, kind, 1, {}).total


def _picture(*, white_left: bool = False, side: int = SIDE) -> Picture:
    pixels = np.full((side, side, 3), 0 if white_left else 128, np.uint8)
    if white_left:
        pixels[:, : side // 2] = 255
    _, data = cv2.imencode(".png", pixels)
    return Picture(data.tobytes(), "image/png", side, side)


def _request(card: ModelCard) -> ModelRequest:
    """The smallest valid request for the first of its kinds: nothing but what kind and model need."""
    kind = min(card.kinds)
    inputs = {slot: _picture() for slot in required_slots(kind, card)}
    if InputSlot.MATTE in inputs:
        inputs[InputSlot.MATTE] = _picture(white_left=True)
    return ModelRequest(
        kind,
        _PROMPT if prompt_rule(kind, card) == "required" else None,
        None,
        7 if card.seed == "honoured" else None,
        _EXTEND if "extend" in card.controls else {},
        inputs,
        "the grey" if RULES[kind].search == "required" else None,
    )


def _native(card: ModelCard) -> dict[str, Any]:
    return dialect_for(card).build(_request(card), card)


# --- one valid request of each dialect and model --------------------------------------------------------------------


def _dialects(cards: list[ModelCard]) -> Iterator[Case]:
    for card in sorted(cards, key=lambda each: each.mode == "async"):
        usd = _price(card, min(card.kinds))
        if card.mode == "async":
            yield from _asynchronous(card, usd)
        else:
            what = f"{card.name}: the smallest valid request"
            yield Case(f"valid {card.id}", what, _invoke(card), usd, usd)


def _invoke(card: ModelCard, change: Mapping[str, Any] | None = None, model: str | None = None) -> Run:
    def run(place: Place) -> Observation:
        body = encode_body({**_native(card), **(change or {})}, card)
        return _invoked(place.client("bedrock-runtime"), model or card.id, body, place)

    return run


def _invoked(client: Any, model: str, body: bytes, place: Place) -> Observation:
    return observe(
        lambda: client.invoke_model(
            modelId=model, body=body, contentType="application/json", accept="application/json"
        ),
        place.scrubber,
    )


def _asynchronous(card: ModelCard, usd: Decimal) -> Iterator[Case]:
    yield Case(f"start {card.id}", f"{card.name}: the smallest valid request", _start(card), usd, usd)
    yield Case(
        f"repeat {card.id}",
        "the same token and body: whether it is the same invocation",
        _start(card, first=False),
        at_most=usd,
    )
    yield Case(
        f"token reused {card.id}",
        "the same token for another body: whether it is refused",
        _start(card, first=False, prompt=_PROMPT + ", seen from a boat"),
        at_most=usd,
    )
    yield Case(f"finish {card.id}", "the last poll, and the files it left", _finish(card))


def _start(card: ModelCard, *, first: bool = True, **change: Any) -> Run:
    def run(place: Place) -> Observation:
        if not first and card.id not in place.tokens:
            return Observation(None, "not reached: nothing was started")
        token = place.tokens.setdefault(card.id, uuid4().hex)
        output = {"s3Uri": f"s3://{place.bucket}/{place.prefix}{token}/", "bucketOwner": place.account_id}

        def call() -> Mapping[str, Any]:
            started = place.client("bedrock-runtime").start_async_invoke(
                clientRequestToken=token,
                modelId=card.id,
                modelInput={**_native(card), **change},
                outputDataConfig={"s3OutputDataConfig": output},
            )
            known = list(place.started)
            place.started[started["invocationArn"]] = card.id
            return {**started, "sameInvocation": started["invocationArn"] in known}

        return observe(call, place.scrubber)

    return run


def _finish(card: ModelCard) -> Run:
    def run(place: Place) -> Observation:
        arns = [arn for arn, model in place.started.items() if model == card.id]
        if not arns:
            return Observation(None, "not reached: nothing was started")
        last = finished(place, arns[0])

        def described() -> Mapping[str, Any]:
            listed = place.client("s3").list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)
            names = [each["Key"].rsplit("/", 1)[-1] for each in listed.get("Contents", [])]
            return {**last, "filesLeft": sorted(name for name in names if "." in name)}

        return observe(described, place.scrubber)

    return run


# --- vectors and second opinions --------------------------------------------------------------------------------------


def _likeness(cards: list[ModelCard]) -> Iterator[Case]:
    for card in cards:
        if ModelUse.EMBEDDING in card.uses:
            usd = cost_of_images(card, 1)
            yield Case(
                f"embed {card.id}", f"{card.name}: the vector of a grey picture", _embed(card), usd, usd
            )
        if ModelUse.JUDGE in card.uses:
            usd = cost_of_tokens(card, *judge_for(card).at_most(card, 1, _ASPECTS))
            what = f"{card.name}: an opinion on a picture and itself"
            yield Case(f"judge {card.id}", what, _judge(card), usd, usd)


def _embed(card: ModelCard) -> Run:
    def run(place: Place) -> Observation:
        native = embedder_for(card).body(_picture(side=SIDE // 2), card, min(card.limits["dimensions"]))
        return _invoked(place.client("bedrock-runtime"), card.id, encode_body(native, card), place)

    return run


def _judge(card: ModelCard) -> Run:
    def run(place: Place) -> Observation:
        picture = _picture(side=SIDE // 2)
        body = judge_for(card).body([picture], picture, card, _ASPECTS)
        return observe(
            lambda: place.client("bedrock-runtime").converse(modelId=card.id, **body), place.scrubber
        )

    return run


# --- what must be refused, and cost nothing --------------------------------------------------------------------------


def _refusals(cards: list[ModelCard]) -> Iterator[Case]:
    by_kind = {kind: card for card in reversed(cards) if card.mode == "sync" for kind in card.kinds}
    art, paint = by_kind.get(Kind.CONCEPT_ART), by_kind.get(Kind.ELEMENT)
    if art:
        usd = _price(art, Kind.CONCEPT_ART)
        yield Case("unsigned", "a call without a signature", _unsigned(art), at_most=usd)
        yield Case("wrong signature", "a call signed with another secret", _forged(art), at_most=usd)
        yield Case("unknown model", "a model that never was", _invoke(art, model="stability.sd9-v1:0"))
        yield Case("ended model", f"{_ENDED}, which has reached its end", _invoke(art, model=_ENDED))
        yield Case(
            "long prompt",
            "a prompt of 10,001 characters",
            _invoke(art, {"prompt": "x" * 10_001}),
            at_most=usd,
        )
        yield Case(
            "wrong field", "a field the model doesn't have", _invoke(art, {"sampler": "x"}), at_most=usd
        )
    if paint:
        small = base64.b64encode(_picture(white_left=True, side=SIDE // 2).data).decode()
        what = "a mask of another size than its picture"
        yield Case("mask size", what, _invoke(paint, {"mask": small}), at_most=_price(paint, Kind.ELEMENT))
    yield Case("unknown invocation", "GetAsyncInvoke of an invocation that isn't there", _unknown_invocation)


def _unsigned(card: ModelCard) -> Run:
    return lambda place: _invoked(
        place.client("bedrock-runtime", unsigned=True), card.id, encode_body(_native(card), card), place
    )


def _forged(card: ModelCard) -> Run:
    return lambda place: _invoked(
        place.client("bedrock-runtime", place.keys.forged), card.id, encode_body(_native(card), card), place
    )


def _unknown_invocation(place: Place) -> Observation:
    arn = f"arn:aws:bedrock:{place.region}:{place.account_id}:async-invoke/abcdefghij12"
    client = place.client("bedrock-runtime")
    return observe(lambda: client.get_async_invoke(invocationArn=arn), place.scrubber)


# --- the bucket ------------------------------------------------------------------------------------------------------


def _storage() -> list[Case]:
    return [
        Case("presigned put", "a presigned PUT of exactly what was signed", _put(b"seven b")),
        Case("presigned put, other length", "the same with another Content-Length", _put(b"eight by")),
        Case(
            "presigned put, other type", "the same with another Content-Type", _put(b"seven b", "text/html")
        ),
        Case("copy if match", "a copy whose source is the one that was seen", _copy(changed=False)),
        Case("copy if changed", "a copy whose source was replaced meanwhile", _copy(changed=True)),
        Case("missing object", "GetObject of a key that isn't there", _missing),
    ]


def _put(data: bytes, media_type: str = "image/png") -> Run:
    def run(place: Place) -> Observation:
        wanted = {
            "Bucket": place.bucket,
            "Key": place.prefix + "put.png",
            "ContentType": "image/png",
            "ContentLength": 7,
        }
        url = place.client("s3").generate_presigned_url("put_object", Params=wanted, ExpiresIn=120)
        return observe_put(url, data, {"Content-Type": media_type}, place.scrubber)

    return run


def _copy(*, changed: bool) -> Run:
    def run(place: Place) -> Observation:
        s3, source = place.client("s3"), place.prefix + "source.bin"
        seen = s3.put_object(Bucket=place.bucket, Key=source, Body=b"as it was seen")["ETag"]
        if changed:
            s3.put_object(Bucket=place.bucket, Key=source, Body=b"as it is now")
        return observe(
            lambda: s3.copy_object(
                Bucket=place.bucket,
                Key=place.prefix + "copy.bin",
                CopySource={"Bucket": place.bucket, "Key": source},
                CopySourceIfMatch=seen,
            ),
            place.scrubber,
        )

    return run


def _missing(place: Place) -> Observation:
    s3 = place.client("s3")
    return observe(lambda: s3.get_object(Bucket=place.bucket, Key=place.prefix + "nothing"), place.scrubber)


# --- sessions --------------------------------------------------------------------------------------------------------


def _sessions() -> list[Case]:
    return [
        Case("assume role", "AssumeRole with a session policy", _assumed, needs_role=True),
        Case(
            "session policy",
            "an object outside the session's policy, which the role itself may write",
            _outside,
            needs_role=True,
        ),
        Case("foreign role", "AssumeRole of a role that isn't there", _foreign),
    ]


def _policy(place: Place) -> str:
    allowed = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{place.bucket}/{place.prefix}inside/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def _role(place: Place) -> Role:
    if place.role is None:
        raise ValueError("this case needs a role")
    return place.role


def _assumed(place: Place) -> Observation:
    role = _role(place)
    sts = place.client("sts", role.caller)
    return observe(
        lambda: sts.assume_role(
            RoleArn=role.arn, RoleSessionName="circletake-conform", Policy=_policy(place), **role.arguments
        ),
        place.scrubber,
    )


def _outside(place: Place) -> Observation:
    role = _role(place)
    keys = assume(role, place.client("sts", role.caller), Policy=_policy(place))
    s3 = place.client("s3", keys)
    return observe(
        lambda: s3.put_object(Bucket=place.bucket, Key=place.prefix + "outside.bin", Body=b"x"),
        place.scrubber,
    )


def _foreign(place: Place) -> Observation:
    caller = place.role.caller if place.role else place.keys
    sts = place.client("sts", caller)
    arn = f"arn:aws:iam::{place.account_id}:role/circletake-nobody-work"
    return observe(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="circletake-conform"), place.scrubber)
