"""The `webhooks` section of the OpenAPI document: what each event type sends. None of these are our routes."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import PlainTextResponse

from services.api.schemas.events import (
    AnimaticData,
    BatchData,
    BudgetData,
    ChallengeData,
    CheckData,
    ConsentData,
    DigestData,
    DisabledData,
    DrawingData,
    EnforcementData,
    ExposureData,
    FellBackData,
    GenerationData,
    GoldenRunData,
    HoldData,
    JudgedTakeData,
    LabourActionData,
    MediaData,
    ModelChoiceData,
    ModelEndingData,
    PolicyNoticeData,
    ReferenceData,
    ScriptBreakdownData,
    ShotPromptData,
    TakeData,
    TestData,
    VersionData,
    WebhookMessage,
)

_SENT: dict[str, tuple[Any, str]] = {
    "generation.queued": (WebhookMessage[GenerationData], "A request for takes was accepted."),
    "generation.finished": (
        WebhookMessage[GenerationData],
        "Every take has ended, and the contact sheet is drawn.",
    ),
    "generation.held": (
        WebhookMessage[GenerationData],
        "A request waits for something a person has to settle.",
    ),
    "batch.completed": (
        WebhookMessage[BatchData],
        "Every generation of a batch has finished. Sent once, whatever is retried later.",
    ),
    "batch.paused": (
        WebhookMessage[BatchData],
        "Nothing more of a batch goes to a model until it is resumed.",
    ),
    "batch.resumed": (WebhookMessage[BatchData], "A paused batch goes on."),
    "batch.canceled": (
        WebhookMessage[BatchData],
        "A batch is being canceled; `batch.completed` says when every generation has ended.",
    ),
    "hold.opened": (
        WebhookMessage[HoldData],
        "A request, or one take of it, waits for a person: `released_by` says whose decision it is.",
    ),
    "hold.released": (WebhookMessage[HoldData], "A person released a hold; what only it kept runs."),
    "hold.declined": (WebhookMessage[HoldData], "A person declined a hold; what it kept is canceled."),
    "hold.lifted": (WebhookMessage[HoldData], "A hold's cause is gone, or what it kept has ended."),
    "policy.notified": (
        WebhookMessage[PolicyNoticeData],
        "A request hit rules of a policy pack that only want it told; it runs.",
    ),
    "labour_action.began": (
        WebhookMessage[LabourActionData],
        "A production holds everything during a labour action.",
    ),
    "labour_action.ended": (WebhookMessage[LabourActionData], "A production's labour action is over."),
    "take.succeeded": (WebhookMessage[TakeData], "A take is in your bucket, signed."),
    "take.failed": (WebhookMessage[TakeData], "A take failed; `code` says why."),
    "take.filtered": (WebhookMessage[TakeData], "A model's or guardrail's safety filter refused a take."),
    "take.canceled": (WebhookMessage[TakeData], "A take was canceled."),
    "take.expired": (
        WebhookMessage[TakeData],
        "A take's deadline passed before it started; it cost nothing.",
    ),
    "take.fell_back": (
        WebhookMessage[FellBackData],
        "A model couldn't make a take; another one of the production's list makes it, as a new take.",
    ),
    "take.circled": (WebhookMessage[TakeData], "Somebody chose a take."),
    "take.uncircled": (WebhookMessage[TakeData], "Somebody took their choice back."),
    "take.rejected": (WebhookMessage[TakeData], "Somebody rejected a take."),
    "take.judged": (WebhookMessage[JudgedTakeData], "A take was compared with the characters of a check."),
    "version.submitted": (WebhookMessage[VersionData], "A circled take was submitted to review."),
    "version.status_changed": (WebhookMessage[VersionData], "A person changed a version's status."),
    "inbox.digest": (
        WebhookMessage[DigestData],
        "Once a day while something waits for people: how much, for which role, and since when.",
    ),
    "reference.inspected": (
        WebhookMessage[ReferenceData],
        "A picture was looked at as a reference; `findings` says what is wrong with it.",
    ),
    "consistency_check.judged": (
        WebhookMessage[CheckData],
        "Every verdict of a check is there; its continuity sheet is being drawn.",
    ),
    "consistency_check.waiting": (
        WebhookMessage[CheckData],
        "A check waits for an evaluator that is down; it goes on by itself.",
    ),
    "consistency_check.finished": (
        WebhookMessage[CheckData],
        "A check has ended, with its continuity sheet or a failure `code`.",
    ),
    "consistency_enforcement.finished": (
        WebhookMessage[EnforcementData],
        "An enforcement has stopped: a take passed, or `stop_reason` says why none did.",
    ),
    "script_breakdown.finished": (
        WebhookMessage[ScriptBreakdownData],
        "A language model has broken a script page down, or `code` says why it hasn't.",
    ),
    "shot_prompt.finished": (
        WebhookMessage[ShotPromptData],
        "A language model has proposed a prompt, or `code` says why it hasn't.",
    ),
    "exposure.warning": (
        WebhookMessage[ExposureData],
        "The share of AI in a production, sequence or shot went past a limit that warns.",
    ),
    "exposure.limit": (
        WebhookMessage[ExposureData],
        "Something goes past a limit that holds or blocks: a held request, a take an approver circled, a cut.",
    ),
    "budget.soft": (
        WebhookMessage[BudgetData],
        "A budget passed its soft threshold; told again only after it was at or below it.",
    ),
    "budget.hard": (
        WebhookMessage[BudgetData],
        "A request found no room in a budget and is held; told once, until there is room again.",
    ),
    "consent.granted": (WebhookMessage[ConsentData], "A performer's consent was put on record as granted."),
    "consent.declined": (WebhookMessage[ConsentData], "A performer's consent was put on record as declined."),
    "consent.revoked": (
        WebhookMessage[ConsentData],
        "A consent was taken back: what relies on it and hasn't reached a model is held.",
    ),
    "consent.expiring": (WebhookMessage[ConsentData], "The term of a consent ends within 30 days."),
    "consent.expired": (WebhookMessage[ConsentData], "The term of a consent has ended."),
    "storyboard.drawn": (
        WebhookMessage[DrawingData],
        "A storyboard's PDF and stills are in your bucket, or couldn't be made: `state` says which.",
    ),
    "animatic.finished": (
        WebhookMessage[AnimaticData],
        "An animatic is in your bucket, or couldn't be made: `state` says which.",
    ),
    "model.ending": (
        WebhookMessage[ModelEndingData],
        "A model that a production chose, lists or used lately ends: from 180 days before, at ever shorter notice.",
    ),
    "golden_run.finished": (
        WebhookMessage[GoldenRunData],
        "Golden shots were made again and held against what was approved: `verdict` is the gravest.",
    ),
    "model_choice.changed": (
        WebhookMessage[ModelChoiceData],
        "A person chose a production's model for a kind, changed the choice or gave it up.",
    ),
    "media.ready": (WebhookMessage[MediaData], "An upload was looked at and can be used."),
    "media.refused": (WebhookMessage[MediaData], "An upload was refused; `code` says why."),
    "endpoint.challenge": (
        WebhookMessage[ChallengeData],
        "Sent to a new or changed URL only: answer 2xx with the value of `data.challenge`.",
    ),
    "endpoint.disabled": (WebhookMessage[DisabledData], "Another of your endpoints gets nothing more."),
    "endpoint.test": (
        WebhookMessage[TestData],
        "You asked for it with `POST /v1/webhook-endpoints/{id}/test`.",
    ),
}

_CHALLENGE = "endpoint.challenge"
_ECHOED = "The value of `data.challenge`, as plain text or as JSON."
_RECEIVED = "Received; any 2xx will do. Answer before you work on it: there are 20 seconds."
_ANSWERS: dict[int | str, dict[str, Any]] = {
    "410": {"description": "Stop: this endpoint is disabled at once."},
    "429": {"description": "Slow down; Retry-After is honoured, as with 502, 503 and 504."},
    "default": {"description": "Failed, a redirect too: tried again, ten times over about 76 hours."},
}

Id = Annotated[
    str,
    Header(alias="webhook-id", description="The event's id, the same on every try: ignore one you have seen"),
]
Timestamp = Annotated[
    int, Header(alias="webhook-timestamp", description="Unix seconds of this try: refuse old ones")
]
Signature = Annotated[
    str,
    Header(
        alias="webhook-signature",
        description="Standard Webhooks: `v1` (HMAC-SHA256, `whsec_`) and `v1a` (ed25519, `whpk_`) over"
        " `id.timestamp.body`, separated by spaces; one that fits is enough",
    ),
]


def _receiver(model: Any) -> Callable[..., None]:
    def receive(
        body: model,
        webhook_id: Id,
        webhook_timestamp: Timestamp,
        webhook_signature: Signature,
    ) -> None: ...

    return receive


def _section() -> APIRouter:
    section = APIRouter()
    for event_type, (model, summary) in _SENT.items():
        section.add_api_route(
            event_type,
            _receiver(model),
            methods=["POST"],
            name=event_type,
            summary=summary,
            operation_id=f"on_{event_type.replace('.', '_')}",
            tags=["webhooks"],
            status_code=200 if event_type == _CHALLENGE else 204,
            response_class=PlainTextResponse,
            response_description=_ECHOED if event_type == _CHALLENGE else _RECEIVED,
            responses=_ANSWERS,
        )
    return section


router = _section()
