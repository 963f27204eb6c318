"""How long before a model's end productions are told of it."""

from datetime import date

MARKS = (180, 90, 60, 30, 14, 7, 3, 1, 0)  # days
NOTICE_DAYS = MARKS[0]


def days_left(eol_on: date, day: date) -> int:
    """Return the days until the model ends; 0 on the day it does and ever after."""
    return max(0, (eol_on - day).days)


def mark_reached(eol_on: date, day: date) -> int | None:
    """Return the newest mark that has come by `day`, None while the end is farther away than the first one. A late look
    finds the newest only: what it missed says nothing that is still so."""
    left = days_left(eol_on, day)
    return min((mark for mark in MARKS if mark >= left), default=None)
