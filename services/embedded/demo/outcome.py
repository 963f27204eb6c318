"""What came out of the demo."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.embedded.demo.studio import Output

ON_PLATE = ("set_extension", "cleanup", "element")


@dataclass(frozen=True, slots=True)
class Take:
    """A take with its generation and its downloaded file.

    `manifest` is the service's verdict on it, `mark` what people did: circled, rejected or nothing.
    """

    shot: str
    generation: Mapping[str, Any]
    take: Mapping[str, Any]
    output: Output
    manifest: str = ""
    mark: str = ""

    @property
    def kind(self) -> str:
        return str(self.generation["kind"])

    @property
    def asked_as(self) -> str:
        """Its kind, or that of the work by which it was made again."""
        return str(self._changes.get("kind") or self.kind)

    @property
    def model(self) -> str:
        return str(self._changes.get("model") or self.generation["model"])

    @property
    def _changes(self) -> Mapping[str, Any]:
        return self.take.get("changes") or {}


@dataclass(slots=True)
class Chapter:
    """What came of the sequence with a character in it.

    `takes`: the sequence's in story order, then those of the enforcement. `sheets`: continuity sheets by what they
    show, `documents`: one of them as PDF. `references` and `wrong`: names of pictures in the output folder. `said`: of
    the enforcement's takes, by id. `made`: US dollars for takes that the enforcement made. `quoted`: for the sequence,
    without those. `events`: the webhooks that all of it caused.
    """

    takes: list[Take] = field(default_factory=list)
    sheets: dict[str, Output] = field(default_factory=dict)
    documents: list[Output] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    made: Decimal = Decimal(0)
    events: Counter[str] = field(default_factory=Counter)
    quoted: Decimal = Decimal(0)


@dataclass(slots=True)
class Outcome:
    """What is left to show: takes, contact sheets, the chapter with the character, what came of the script page, and the
    register as CSV."""

    takes: list[Take] = field(default_factory=list)
    sheets: list[Output] = field(default_factory=list)
    chapter: Chapter = field(default_factory=Chapter)
    season: list[Output] = field(default_factory=list)
    register: str = ""

    @property
    def all_takes(self) -> list[Take]:
        return self.takes + self.chapter.takes

    @property
    def circled(self) -> list[str]:
        """The takes, by id, that are circled at the end."""
        return [one.take["id"] for one in self.all_takes if one.mark == "circled"]


def path_of(folder: Path, output: Output) -> Path:
    """Where a file is kept: under the name the API gives it."""
    return folder / Path(output.media["name"]).name
