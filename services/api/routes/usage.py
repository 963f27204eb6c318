"""What was made and what it cost."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import PlainTextResponse

from circletake.domain.errors import invalid
from circletake.domain.money.usage import UsageBy
from circletake.usecases.money.usage import UsageAsked, find_usage
from services.api.auth import Reader
from services.api.problems import ALWAYS
from services.api.requests import wants_csv
from services.api.schemas.common import WrittenMoment
from services.api.schemas.usage import UsageReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/usage", tags=["usage"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
GroupBy = Annotated[
    list[UsageBy],
    Query(max_length=4, description="Name it again for several: `group_by=shot&group_by=model`"),
]
CSV = "text/csv"


@router.get(
    "",
    response_model=UsageReply,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
async def get(
    who: Reader,
    desk: Desk,
    group_by: GroupBy = [],  # noqa: B006 - FastAPI copies it
    production_id: UUID | None = None,
    since: Annotated[
        WrittenMoment | None, Query(alias="from", description="Takes that were asked for since then")
    ] = None,
    until: Annotated[WrittenMoment | None, Query(alias="to", description="And before then")] = None,
    accept: Annotated[
        str | None, Header(include_in_schema=False)
    ] = None,  # the answers' content types say it
) -> Response:
    """Read what was made and what it cost, in the groups you name: takes made, succeeded, filtered and circled, what
    is owed or may be, the cost of each circled take and the generation ratio. Grouped by shot alone, beside the shot's
    conventional bid the saving. `Accept: text/csv` gives the same as a table."""
    if since is not None and until is not None and since >= until:
        raise invalid("query.to", "out_of_range", "`to` must be later than `from`.")
    asked = UsageAsked(tuple(dict.fromkeys(group_by)), production_id, since, until)
    found = UsageReply.of(asked, await find_usage(desk.database, who.tenant_id, asked))
    if wants_csv(accept):
        return PlainTextResponse(
            found.csv(),
            media_type=CSV,
            headers={"Content-Disposition": 'attachment; filename="usage.csv"', "Vary": "Accept"},
        )
    return Response(
        found.model_dump_json(by_alias=True), media_type="application/json", headers={"Vary": "Accept"}
    )
