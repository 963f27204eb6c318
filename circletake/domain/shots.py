"""What a code, a frame range and the texts of the film context may be, wherever they come from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from circletake.domain.errors import Invalid
from circletake.domain.pictures import Violation

MAX_CODE = 64
MAX_EXTERNAL_REF = 200
MAX_NOTES = 10_000

# Frame numbers, in frames, both ends included. Negative ones are handles before a shot that starts at 0.
FRAME_MIN, FRAME_MAX = -999_999, 99_999_999

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_CODE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_CODE - 1}}}")


class CodeTaken(Invalid):
    """The code is in use: codes are unique per production, a production's own per studio."""

    status = 409
    code = "code_taken"
    title = "This code is taken"

    def __init__(self, what: str) -> None:
        super().__init__(
            [Violation("/code", "code_taken", f"Another {what} has this code: choose another one.")]
        )


@dataclass(frozen=True, slots=True)
class ShotValues:
    """What a shot says, apart from its code. `sequence` is a sequence's code; `notes` are in clear."""

    sequence: str | None = None
    frame_in: int | None = None
    frame_out: int | None = None
    external_ref: str | None = None
    notes: str | None = field(default=None, repr=False)
    conventional_bid_usd: Decimal | None = None  # what it would cost without AI


def code_violation(pointer: str, code: str) -> Violation | None:
    if _CODE.fullmatch(code):
        return None
    return Violation(
        pointer,
        "bad_code",
        f"Use 1 to {MAX_CODE} letters, digits and . _ - only, beginning with a letter or digit.",
    )


def text_violation(pointer: str, text: str, longest: int) -> Violation | None:
    """What keeps a text from being stored: no or too great a length, a NUL, half a surrogate pair."""
    if not text:
        return Violation(pointer, "empty", "Use null in place of an empty text.")
    if len(text) > longest:
        return Violation(pointer, "too_long", f"Keep it to {longest} characters.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return Violation(pointer, "bad_character", "Remove the NUL character or the broken Unicode.")
    return None


def amount_of(value: object) -> Decimal | None:
    """Return an amount in US dollars, to the cent: 0 to 999,999,999,999.99. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    return Decimal(str(value)) if _AMOUNT.fullmatch(str(value)) else None


def frame_violations(frame_in: int | None, frame_out: int | None) -> Iterator[Violation]:
    """What is wrong with a range. One end may be known before the other; both are included in the shot."""
    for pointer, frame in (("/frame_in", frame_in), ("/frame_out", frame_out)):
        if frame is not None and not FRAME_MIN <= frame <= FRAME_MAX:
            yield Violation(pointer, "out_of_range", f"Use a frame from {FRAME_MIN} to {FRAME_MAX}.")
    if frame_in is not None and frame_out is not None and frame_out < frame_in:
        yield Violation("/frame_out", "frame_range", "frame_out is before frame_in.")
