"""Tables. Importing this package registers every one of them with `Record.metadata`."""

from circletake.records import (
    characters,
    consistency,
    context,
    events,
    exposure,
    generations,
    holds,
    media,
    money,
    people,
    performers,
    policies,
    review,
    rights,
    steps,
    tenancy,
)
from circletake.records.base import Record

__all__ = [
    "Record",
    "characters",
    "consistency",
    "context",
    "events",
    "exposure",
    "generations",
    "holds",
    "media",
    "money",
    "people",
    "performers",
    "policies",
    "review",
    "rights",
    "steps",
    "tenancy",
]
