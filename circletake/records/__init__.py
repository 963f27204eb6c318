"""Tables. Importing this package registers every one of them with `Record.metadata`."""

from circletake.records import (
    beta,
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
    "beta",
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
