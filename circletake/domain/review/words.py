"""The words of authorship."""

from enum import StrEnum


class AuthorAct(StrEnum):
    """What a person did to a take. Selection, arrangement and modification are where the U.S. Copyright Office looks
    for human authorship (88 FR 16190, 16 March 2023); prompts alone it doesn't count, so they stand apart."""

    SELECTED = "selected"
    ARRANGED = "arranged"
    MASKED = "masked"
    PAINTED = "painted"
    EDITED = "edited"
    PROMPTED = "prompted"
