"""Figures that the reader registered under a name, so that takes of one character can be made without a real model.

A prompt that has the name as a word gets the figure: set into a place that the rest of the prompt names, at sizes and in
light that change with the seed. In memory: a restart forgets them.
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from services.bedrock.pictures import UnreadablePicture, decode_image, read_header

Box = tuple[float, float, float, float]

MAX_SUBJECTS = 50
_MAX_SIDE = 4_096
_MIN_SIDE = 64
_LEAST_FACE = 24
_NAME = re.compile(r"\w[\w \-']{0,63}")
_EDGES = 4


class BadSubject(Exception):
    """A subject that can't be registered: its message says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """`picture` is an encoded picture, `face` where its face is, in shares of it: left, top, width, height."""

    id: str
    name: str
    picture: bytes = field(repr=False)
    face: Box


class SubjectBook:
    def __init__(self) -> None:
        self._subjects: dict[str, Subject] = {}

    def add(self, document: object) -> dict[str, Any]:
        """`{"name", "picture": base64 PNG or JPEG, "face": {"left", "top", "width", "height"}}`; the same name replaces.

        A picture with transparency is cut out by it, another one by classical means around the face.
        """
        given = document if isinstance(document, dict) else {}
        unknown = set(given) - {"name", "picture", "face"}
        if unknown:
            raise BadSubject(f"unknown member: {', '.join(sorted(map(str, unknown)))}")
        name = given.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise BadSubject("name must be a word or a few, at most 64 characters")
        if len(self._subjects) >= MAX_SUBJECTS and name.casefold() not in self._subjects:
            raise BadSubject(f"at most {MAX_SUBJECTS} subjects are kept: delete one")
        picture = read_picture(given.get("picture"), "picture")
        face = read_box(given.get("face"), "face")
        header = read_header(picture)
        if min(face[2] * header.width, face[3] * header.height) < _LEAST_FACE:
            raise BadSubject(f"face must be at least {_LEAST_FACE} pixels wide and high")
        subject = Subject(secrets.token_hex(6), name, picture, face)
        self._subjects[name.casefold()] = subject
        return _shown(subject)

    def rules(self) -> list[dict[str, Any]]:
        return [_shown(subject) for subject in self._subjects.values()]

    def clear(self, subject_id: str | None = None) -> None:
        self._subjects = {
            name: subject
            for name, subject in self._subjects.items()
            if subject_id is not None and subject.id != subject_id
        }

    def named_in(self, prompt: str) -> Subject | None:
        """The subject whose name comes first in the prompt, as a whole word."""
        text = prompt.casefold()
        found = [
            (match.start(), subject)
            for name, subject in self._subjects.items()
            if (match := re.search(rf"\b{re.escape(name)}\b", text))
        ]
        return min(found, key=lambda each: each[0])[1] if found else None

    def any_of(self) -> tuple[Subject, ...]:
        """All, newest last: to look for in a picture whose prompt names nobody."""
        return tuple(self._subjects.values())


def read_picture(value: object, member: str) -> bytes:
    try:
        data = base64.b64decode(value if isinstance(value, str) else "", validate=True)
        header = read_header(data)
        if max(header.width, header.height) <= _MAX_SIDE:
            decode_image(data)  # a file that breaks off is refused now, not at the first take
    except (binascii.Error, ValueError, UnreadablePicture):
        raise BadSubject(f"{member} must be a PNG or JPEG picture as base64") from None
    if not _MIN_SIDE <= min(header.width, header.height) <= max(header.width, header.height) <= _MAX_SIDE:
        raise BadSubject(f"{member} must have sides from {_MIN_SIDE} to {_MAX_SIDE} pixels")
    return data


def read_box(value: object, member: str) -> Box:
    """A box in shares of a picture, inside it."""
    names = ("left", "top", "width", "height")
    given = value if isinstance(value, dict) else {}
    shares = [given.get(name) for name in names]
    if set(given) != set(names) or len(shares) != _EDGES:
        raise BadSubject(f"{member} needs left, top, width and height, in shares of the picture")
    numbers = [float(each) for each in shares if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != _EDGES:
        raise BadSubject(f"{member} needs numbers")
    left, top, width, height = numbers
    if not (0 <= left < 1 and 0 <= top < 1 and 0 < width <= 1 - left and 0 < height <= 1 - top):
        raise BadSubject(f"{member} must lie inside the picture, in shares of it from 0 to 1")
    return left, top, width, height


def _shown(subject: Subject) -> dict[str, Any]:
    left, top, width, height = subject.face
    face = {"left": left, "top": top, "width": width, "height": height}
    return {"id": subject.id, "name": subject.name, "face": face, "bytes": len(subject.picture)}
