"""The queue, models and webhooks on the operator's wire: ids, states and counts, no content."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.pictures import ModelCard
from circletake.kit import clock
from circletake.ports import ModelCatalogue
from circletake.usecases.watch_models import ModelLoad
from circletake.usecases.watch_queue import QueueView
from services.api.schemas.common import Body, Reply
from services.api.schemas.models import ModelReply

StepState = Literal["ready", "rung", "running", "external", "done", "dead"]


class LaneReply(Reply):
    lane: str
    ready: int = Field(description="May run now")
    deferred: int = Field(description="Wait for their time: a retry, a poll, a backed-off call")
    rung: int = Field(description="Offered to a worker, not yet claimed")
    running: int
    external: int = Field(description="An asynchronous call is under way at the model")
    dead: int = Field(description="Dead letters")
    oldest_ready_seconds: float | None = Field(description="How long the oldest ready step has been due")
    workers: int = Field(description="Alive in this lane")
    slots: int


class QueueReply(Reply):
    """The queue now. What is done isn't counted."""

    lanes: list[LaneReply]
    steps: dict[str, int] = Field(description="By state, over all lanes; `ready` includes the deferred")
    dispatcher_alive: bool

    @classmethod
    def of(cls, view: QueueView) -> "QueueReply":
        lanes = view.lanes
        return cls(
            lanes=[LaneReply.model_validate(lane) for lane in lanes],
            steps={
                "ready": sum(lane.ready + lane.deferred for lane in lanes),
                "rung": sum(lane.rung for lane in lanes),
                "running": sum(lane.running for lane in lanes),
                "external": sum(lane.external for lane in lanes),
                "dead": sum(lane.dead for lane in lanes),
            },
            dispatcher_alive=view.dispatcher_alive,
        )


class StepReply(Reply):
    """One unit of queued work."""

    id: UUID
    tenant_id: UUID
    kind: str
    lane: str
    state: StepState
    capped_by: str = Field(description="Whose cap counts it: a model's id, `endpoint:<id>`, or nothing")
    priority: int
    run_at: datetime
    deadline_at: datetime | None
    attempt: int
    crashes: int = Field(description="How often its worker was lost")
    crashes_alone: int = Field(description="Of those, alone in the isolation lane")
    ring_no: int
    rung_at: datetime | None
    generation_id: UUID | None
    take_id: UUID | None
    subject_id: UUID | None = Field(description="What it is about when that is neither")
    trouble: str | None = Field(description="The last failure's code")
    created_at: datetime
    finished_at: datetime | None


class RequeuedReply(Reply):
    """The new take that was made for a dead letter."""

    step_id: UUID
    generation_id: UUID
    take_id: UUID
    retry_of: UUID | None


class AdminModelReply(ModelReply):
    """A model with its load. The last four are null until a dispatcher has seen the model."""

    in_flight: int | None = Field(description="Calls rung, running or under way at the model")
    max_running: int | None = Field(description="The ceiling now")
    cap: float | None = Field(
        description="How many may be in flight now; throttling halves it, quiet raises it"
    )
    throttled_at: datetime | None

    @classmethod
    def of_load(cls, card: ModelCard, catalogue: ModelCatalogue, load: ModelLoad | None) -> "AdminModelReply":
        return cls(
            **cls.fields_of(card, catalogue, clock.now().date()),
            in_flight=load.in_flight if load else None,
            max_running=load.max_running if load else None,
            cap=load.cap if load else None,
            throttled_at=load.throttled_at if load else None,
        )


class AdminModelList(Reply):
    data: list[AdminModelReply]


class CeilingBody(Body):
    max_running: Annotated[int, Field(ge=1, le=1000, description="Steps in flight at this model, at most")]


class WebhookHealthReply(Reply):
    """One tenant's endpoints, and what is still owed to them."""

    tenant_id: UUID
    slug: str
    active: int
    unverified: int
    disabled: int
    failing: int = Field(description="Endpoints whose last deliveries failed")
    failing_since: datetime | None = Field(description="Of the one that fails longest")
    pending: int = Field(description="Deliveries not yet made")
    oldest_pending_at: datetime | None
