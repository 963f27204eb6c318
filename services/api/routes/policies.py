"""Policy packs: what a buyer, a guild or the house asks, as data. Counsel signs them, productions choose them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from circletake.domain.errors import Refused
from circletake.domain.people import Person, Role
from circletake.domain.policy.packs import Pack, PackReference
from circletake.kit import clock
from circletake.usecases.idempotency import Answer
from circletake.usecases.policy import choose_packs, find_evaluation, keep_packs, sign_packs
from circletake.usecases.policy.stored_packs import SignatureView
from circletake.usecases.policy.try_policies import try_policies
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, reply
from services.api.schemas.generations import GenerationBody
from services.api.schemas.policies import (
    ChoicesBody,
    ChoicesReply,
    ChosenPackReply,
    EvaluationReply,
    FrozenEvaluationReply,
    PackList,
    PackReply,
    PackSummaryReply,
    SignatureBody,
    SignatureReply,
    UploadedPackReply,
    Version,
    WithdrawalBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["policies"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Counsel = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]
Chooser = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER, Role.RIGHTS_CLEARANCE_MANAGER))]
PackPath = Annotated[str, Path(max_length=64, description="The pack's `pack`")]

MAX_PACK_BYTES = 256 * 1024
YAML_TYPES = ("application/yaml", "text/yaml")
_CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in YAML_TYPES},
    }
}


class NotYaml(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "A policy pack is YAML"


async def pack_text(http: Request) -> bytes:
    """Read the text, no further than its bound."""
    content_type, *parameters = [
        part.strip() for part in http.headers.get("Content-Type", "").lower().split(";")
    ]
    charsets = {part.replace('"', "") for part in parameters if part.startswith("charset=")}
    if content_type not in YAML_TYPES or charsets - {"charset=utf-8"}:
        raise NotYaml(f"Send the pack in UTF-8, and say so in Content-Type: {' or '.join(YAML_TYPES)}.")
    length = http.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_PACK_BYTES:
        raise HTTPException(413)
    body = await http.body()
    if len(body) > MAX_PACK_BYTES:
        raise HTTPException(413)
    return body


def signer(who: Principal) -> Person:
    assert who.person is not None  # the dependency let a person in
    return who.person


@router.post(
    "/policy-packs",
    status_code=201,
    response_model=UploadedPackReply,
    openapi_extra=_CONTENT,
    responses=declared(409),
)
async def upload_pack(
    who: Writer, desk: Desk, claim: Claim, text: Annotated[bytes, Depends(pack_text)]
) -> Response:
    """Put a version of a policy pack of your own on record, as YAML of at most 256 KiB. A version never changes: the
    same text again changes nothing, another one is refused. It is active once your counsel has signed it. What is
    wrong with it is told with line and column, all at once."""

    def answer(pack: Pack, active: bool) -> Answer:
        shown = UploadedPackReply.of_pack(pack, active=active)
        return Answer(201, shown.model_dump_json().encode(), f"/v1/policy-packs/{pack.id}")

    answered = await keep_packs.upload_pack(
        desk.database,
        await seal_of(desk, who),
        desk.packs,
        tenant_id=who.tenant_id,
        actor=who.actor,
        text=text,
        claim=claim,
        answer=answer,
    )
    return reply(answered)


@router.get("/policy-packs")
async def list_packs(who: Reader, desk: Desk) -> PackList:
    """List every version of every policy pack, shipped ones and your own, and whether it is active."""
    found = await keep_packs.list_packs(desk.database, await seal_of(desk, who), desk.packs, who.tenant_id)
    return PackList(data=[PackSummaryReply.of_summary(each) for each in found])


@router.get("/policy-packs/{pack_id}")
async def get_pack(
    pack_id: PackPath,
    who: Reader,
    desk: Desk,
    version: Annotated[Version | None, Query(description="The newest one when left out")] = None,
) -> PackReply:
    """Read a version of a policy pack: its rules with their sources, its text, its signatures."""
    view = await keep_packs.get_pack(
        desk.database, await seal_of(desk, who), desk.packs, who.tenant_id, pack_id, version
    )
    return PackReply.of_view(view)


@router.post(
    "/policy-packs/{pack_id}/signatures",
    status_code=201,
    response_model=SignatureReply,
    responses=declared(409),
)
async def sign_pack(
    pack_id: PackPath, body: SignatureBody, who: Counsel, desk: Desk, claim: Claim
) -> Response:
    """Sign a version as your studio's counsel: from then on it is active, exactly as it is written now. A rights
    clearance manager does, never a key."""

    def answer(pack: PackReference, view: SignatureView) -> Answer:
        return Answer(201, SignatureReply.of(pack, view).body(), f"/v1/policy-packs/{pack.id}")

    answered = await sign_packs.sign_pack(
        desk.database,
        await seal_of(desk, who),
        desk.packs,
        tenant_id=who.tenant_id,
        person=signer(who),
        signing=body.to_signing(pack_id),
        claim=claim,
        answer=answer,
    )
    return reply(answered)


@router.post("/policy-packs/{pack_id}/signatures/{signature_id}/withdraw")
async def withdraw_signature(
    pack_id: PackPath, signature_id: UUID, body: WithdrawalBody, who: Counsel, desk: Desk
) -> SignatureReply:
    """Take a signature back: its version is no longer active, whichever production chose it. What it holds stays
    held."""
    pack, view = await sign_packs.withdraw_signature(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=signer(who),
        pack_id=pack_id,
        signature_id=signature_id,
        reason=body.reason,
    )
    return SignatureReply.of(pack, view)


@router.put("/productions/{production_id}/policy-packs", responses=declared(409))
async def choose_production_packs(
    production_id: UUID, body: ChoicesBody, who: Chooser, desk: Desk
) -> ChoicesReply:
    """Let a production go by these packs, in these versions, and by no others. Each has to be signed."""
    chosen = await choose_packs.choose_packs(
        desk.database,
        await seal_of(desk, who),
        desk.packs,
        tenant_id=who.tenant_id,
        person=signer(who),
        production_id=production_id,
        wanted=[(each.pack_id, each.version) for each in body.packs],
    )
    return ChoicesReply(packs=[ChosenPackReply.of_choice(each) for each in chosen])


@router.get("/productions/{production_id}/policy-packs")
async def list_production_packs(production_id: UUID, who: Reader, desk: Desk) -> ChoicesReply:
    """List the packs that a production goes by."""
    chosen = await choose_packs.list_chosen(desk.database, who.tenant_id, production_id)
    return ChoicesReply(packs=[ChosenPackReply.of_choice(each) for each in chosen])


@router.post("/policy-evaluations")
async def evaluate(body: GenerationBody, who: Reader, desk: Desk) -> EvaluationReply:
    """Ask what a production's packs say of a request without making it: free, writes nothing, calls nothing. The same
    body as `POST /v1/generations`, which needn't be complete. `no_rule_hit` means just that: it clears nothing."""
    evaluation, facts = await try_policies(
        desk.database,
        await seal_of(desk, who),
        desk.catalogue,
        desk.packs,
        desk.rules,
        tenant_id=who.tenant_id,
        request=body.to_request(),
        now=clock.now(),
    )
    return EvaluationReply.of(evaluation, facts)


@router.get("/generations/{generation_id}/policy-evaluation")
async def get_evaluation(generation_id: UUID, who: Reader, desk: Desk) -> FrozenEvaluationReply:
    """Read what the production's packs said of a generation when it was accepted: rules, versions, hashes and facts,
    frozen. 404 for one that was accepted without packs."""
    found = await find_evaluation.get_evaluation(
        desk.database, await seal_of(desk, who), desk.packs, who.tenant_id, generation_id
    )
    return FrozenEvaluationReply.of_frozen(generation_id, found)
