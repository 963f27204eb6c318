"""What the wire types share."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


class Body(BaseModel):
    """What a client sends: an unknown field is an error, so that nothing asked for is dropped silently."""

    model_config = ConfigDict(extra="forbid")


class Reply(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[T]):
    """A page of a list, newest first. There are no totals."""

    data: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one")


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give a time zone, for example 2026-11-22T18:00:00Z")
    return value.astimezone(UTC)


Text = Annotated[str, AfterValidator(_no_nul)]
ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
ExternalRef = Annotated[
    str,
    Field(min_length=1, max_length=200, description="Your tracker's own id; it comes back in webhooks"),
    AfterValidator(_no_nul),
]
Moment = Annotated[datetime, AfterValidator(_aware)]
Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Letters, digits and . _ - only",
    ),
]
