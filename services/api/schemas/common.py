"""What the wire types share."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give a time zone, for example 2026-11-22T18:00:00Z")
    return value.astimezone(UTC)


# Postgres stores no NUL in text. A pattern, not a validator: it stands in the document, and other limits
# on the same field are still told in characters.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
ShortText = Annotated[Text, Field(min_length=1, max_length=200)]
ExternalRef = Annotated[
    Text,
    Field(min_length=1, max_length=200, description="Your tracker's own id; it comes back in webhooks"),
]
Moment = Annotated[datetime, AfterValidator(_aware)]


def _written_out(value: object) -> object:
    if isinstance(value, str) and "T" not in value.upper():
        raise ValueError("write the time out, for example 2026-11-22T18:00:00Z")
    return value


WrittenMoment = Annotated[Moment, BeforeValidator(_written_out)]  # else a bare number is read as a Unix time
Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Letters, digits and . _ - only",
    ),
]
