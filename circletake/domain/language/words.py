"""The tasks that language models are asked to do, and what a studio may send and say about them."""

import unicodedata
from enum import StrEnum


class LanguageTask(StrEnum):
    """What is asked of a language model. A production locks a model for each, as it does for a kind."""

    SCRIPT_BREAKDOWN = "script_breakdown"
    SHOT_PROMPT = "shot_prompt"


class RequestState(StrEnum):
    """`waiting`: accepted and not sent yet, for a reason that passes; `filtered`: a safety filter refused it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FILTERED = "filtered"
    CANCELED = "canceled"


OPEN_STATES = frozenset({RequestState.QUEUED, RequestState.RUNNING, RequestState.WAITING})
MAX_SCRIPT = 60_000  # characters, whatever a model may take
MAX_NOTES = 10_000
MAX_CHARACTERS = 20  # of a shot that a prompt is asked for


def normal_text(text: str) -> str:
    """Return a text as it is compared with what AI wrote: other spacing, letter case or Unicode form is no other
    text."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
