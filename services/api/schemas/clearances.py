"""Clearances of shots, and the models that a take can be made on instead, on the wire."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from circletake.domain.choice.clearances import ClearedSubject
from circletake.domain.takes import TakeState
from circletake.records.choice import ShotClearance
from circletake.usecases.choice.clearances import ClearanceView
from circletake.usecases.choice.reroute import Route, Routes
from services.api.schemas.common import Body, Reply, Text
from services.api.schemas.takes import ControlReply, Failure


class ClearanceBody(Body):
    """What the production may show in this shot. It is kept for people, and never sent to a model."""

    subjects: Annotated[list[ClearedSubject], Field(min_length=1, max_length=len(ClearedSubject))]
    statement: Annotated[Text, Field(min_length=1, max_length=4000)] = Field(
        description="Who cleared what, and on which grounds. Kept encrypted"
    )


class ClearanceSummary(Reply):
    """A clearance as it is named elsewhere: without its statement."""

    id: UUID
    subjects: list[ClearedSubject]
    cleared_by: UUID = Field(description="The person: see `GET /v1/people`")
    created_at: datetime

    @classmethod
    def of_row(cls, clearance: ShotClearance) -> "ClearanceSummary":
        return cls.model_validate(clearance)


class ClearanceReply(ClearanceSummary):
    shot_id: UUID
    production_id: UUID
    statement: str
    ended_at: datetime | None = Field(description="From then on it doesn't stand any more")
    ended_by: UUID | None

    @classmethod
    def of_view(cls, view: ClearanceView) -> "ClearanceReply":
        clearance = view.clearance
        return cls(
            id=clearance.id,
            subjects=[ClearedSubject(each) for each in clearance.subjects],
            cleared_by=clearance.cleared_by,
            created_at=clearance.created_at,
            shot_id=clearance.shot_id,
            production_id=clearance.production_id,
            statement=view.statement,
            ended_at=clearance.ended_at,
            ended_by=clearance.ended_by,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class ClearanceList(Reply):
    data: list[ClearanceReply]

    @classmethod
    def of(cls, views: Sequence[ClearanceView]) -> "ClearanceList":
        return cls(data=[ClearanceReply.of_view(view) for view in views])


class RerouteBody(Body):
    model: Annotated[Text, Field(min_length=1, max_length=256)] = Field(
        description="One of `GET /v1/takes/{take_id}/reroutes`"
    )
    reason: Annotated[Text, Field(min_length=1, max_length=2000)] = Field(
        description="Why, for the record. Kept encrypted"
    )


class RouteReply(Reply):
    """One model that would take the request as it is."""

    model: str
    name: str
    price_usd: Decimal = Field(description="Of the take")
    price_confirmed: bool = Field(description="Read in the provider's or AWS's own documentation")
    controls_report: list[ControlReply]
    differs: list[str] = Field(
        description="Controls of which something else would become than on the model that refused"
    )

    @classmethod
    def of_route(cls, route: Route) -> "RouteReply":
        made = route.made
        return cls(
            model=made.card.id,
            name=made.card.name,
            price_usd=made.price,
            price_confirmed=made.card.price.confirmed,
            controls_report=[
                ControlReply(control=line.control, state=line.state.value, sent=line.sent, note=line.note)
                for line in made.report
            ],
            differs=list(route.differs),
        )


class RouteList(Reply):
    """The models that a take can be made on instead. Nothing is sent to one before somebody chooses it."""

    take_id: UUID
    state: TakeState
    model: str = Field(description="The one that refused, or couldn't make it")
    failure: Failure | None
    clearances: list[ClearanceSummary] = Field(
        description="What the production cleared this shot to show: beside what it was refused for"
    )
    data: list[RouteReply] = Field(description="Cheapest first; empty when no other model takes the request")

    @classmethod
    def of_routes(cls, found: Routes) -> "RouteList":
        take = found.take
        return cls(
            take_id=take.id,
            state=TakeState(take.state),
            model=found.model,
            failure=Failure.of(take),
            clearances=[ClearanceSummary.of_row(each) for each in found.clearances],
            data=[RouteReply.of_route(route) for route in found.routes],
        )
