"""Checks of a model's native JSON, worded as Bedrock words a schema violation.

Bedrock's texts are those of the everit JSON schema validator: `#/pointer: expected maxLength: 512, actual: 536`.
All violations of one request are reported together.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection
from typing import Any

from services.bedrock.errors import malformed
from services.bedrock.pictures import Header, UnreadablePicture, read_header

_TYPE_NAMES = ((bool, "Boolean"), (int, "Integer"), (float, "Double"), (str, "String"), (list, "JSONArray"))


def read_json(body: bytes) -> Any:
    """Parse a native body; raises the malformed-request fault on anything that isn't strict JSON in UTF-8."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise malformed() from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _type_name(value: object) -> str:
    if value is None:
        return "Null"
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "JSONObject")


class Checker:
    """Reads the members of one JSON object and collects what is wrong with them.

    A getter returns its default when the member is absent or wrong; call `finish` before using any value.
    """

    def __init__(self, document: Any, pointer: str = "#", violations: list[str] | None = None) -> None:
        self.violations: list[str] = [] if violations is None else violations
        self._pointer = pointer
        self._seen: set[str] = set()
        if isinstance(document, dict):
            self._members: dict[str, Any] = document
        else:
            self._members = {}
            self.violations.append(f"{pointer}: expected type: JSONObject, found: {_type_name(document)}")
            self._seen.add("")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def refuse(self, name: str, what: str) -> None:
        self.violations.append(f"{self._pointer}/{name}: {what}" if name else f"{self._pointer}: {what}")

    def finish(self) -> None:
        """Report members that no getter asked for, then raise if anything at all was wrong."""
        self.close()
        if self.violations:
            raise malformed(*self.violations)

    def close(self) -> None:
        for name in self._members:
            if name not in self._seen:
                self.refuse("", f"extraneous key [{name[:64]}] is not permitted")

    def _get(self, name: str, kinds: tuple[type, ...], expected: str, *, required: bool) -> Any:
        self._seen.add(name)
        if name not in self._members:
            if required and "" not in self._seen:
                self.refuse("", f"required key [{name}] not found")
            return None
        value = self._members[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.refuse(name, f"expected type: {expected}, found: {_type_name(value)}")
            return None
        return value

    def text(self, name: str, *, minimum: int = 0, maximum: int | None = None, required: bool = False) -> str:
        """A string of so many characters (code points)."""
        value = self._get(name, (str,), "String", required=required)
        if value is None:
            return ""
        if len(value) < minimum:
            self.refuse(name, f"expected minLength: {minimum}, actual: {len(value)}")
        if maximum is not None and len(value) > maximum:
            self.refuse(name, f"expected maxLength: {maximum}, actual: {len(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            self.refuse(name, "is not valid Unicode text")
        return str(value)

    def choice(self, name: str, values: Collection[str], default: str, *, required: bool = False) -> str:
        value = self._get(name, (str,), "String", required=required)
        if value is None:
            return default
        if value not in values:
            self.refuse(name, f"{value[:64]} is not a valid enum value")
            return default
        return str(value)

    def integer(self, name: str, minimum: int, maximum: int, default: int) -> int:
        value = self._get(name, (int,), "Integer", required=False)
        return default if value is None else int(self._bounded(name, value, minimum, maximum))

    def number(
        self, name: str, minimum: float, maximum: float, default: float, *, required: bool = False
    ) -> float:
        value = self._get(name, (int, float), "Number", required=required)
        return default if value is None else float(self._bounded(name, value, minimum, maximum))

    def _bounded(self, name: str, value: float, minimum: float, maximum: float) -> float:
        if value < minimum:
            self.refuse(name, f"{value} is not greater or equal to {minimum}")
            return minimum
        if value > maximum:
            self.refuse(name, f"{value} is not less or equal to {maximum}")
            return maximum
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self._get(name, (bool,), "Boolean", required=False)
        return default if value is None else bool(value)

    def child(self, name: str, *, required: bool = False) -> "Checker | None":
        """A nested object, whose violations are collected here."""
        self._seen.add(name)
        if name not in self._members:
            if required:
                self.refuse("", f"required key [{name}] not found")
            return None
        return Checker(self._members[name], f"{self._pointer}/{name}", self.violations)

    def picture(
        self,
        name: str,
        formats: Collection[str],
        limits: Callable[[Header], str | None],
        *,
        required: bool = False,
    ) -> tuple[bytes, Header] | None:
        """A picture as plain base64; `limits` says what is wrong with its size, or None."""
        value = self._get(name, (str,), "String", required=required)
        if value is None:
            return None
        try:
            data = base64.b64decode(value, validate=True)
            header = read_header(data)
        except (binascii.Error, ValueError):
            self.refuse(name, "is not valid base64")
            return None
        except UnreadablePicture:
            self.refuse(name, f"is not a readable image of a supported format: {', '.join(sorted(formats))}")
            return None
        wrong = (
            f"image format {header.format} is not supported: use {', '.join(sorted(formats))}"
            if header.format not in formats
            else limits(header)
        )
        if wrong is not None:
            self.refuse(name, wrong)
            return None
        return data, header
