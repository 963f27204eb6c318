"""What came out of the demo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Outcome:
    """What is left to show: takes, contact sheets, and the register as CSV."""

    takes: list[Take] = field(default_factory=list)
    sheets: list[Output] = field(default_factory=list)
    register: str = ""


def path_of(folder: Path, output: Output) -> Path:
    """Where a file is kept: under the name the API gives it."""
    return folder / Path(output.media["name"]).name
