"""What a production may clear a shot to show. It is for people to see beside a filter's refusal, never for a model."""

from enum import StrEnum


class ClearedSubject(StrEnum):
    PERIOD_WEAPONS = "period_weapons"
    MODERN_WEAPONS = "modern_weapons"
    BATTLE = "battle"
    BLOOD = "blood"
    INJURY = "injury"
    DEATH = "death"
    MEDICAL = "medical"
    NUDITY = "nudity"
    INTIMACY = "intimacy"
    SUBSTANCES = "substances"  # alcohol, tobacco, drugs
    HISTORICAL_SYMBOLS = "historical_symbols"
    CHILD_IN_DANGER = "child_in_danger"
    HARM_TO_ANIMALS = "harm_to_animals"
    OTHER = "other"  # the statement says what
