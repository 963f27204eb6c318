"""What the Dockerfiles and docker-compose.yml say, read without an engine."""

import json
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Stage:
    name: str
    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [text for each, text in self.lines if each == instruction]


def stages(dockerfile: Path) -> list[Stage]:
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", " ", text)
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(name.strip(), base.strip()))
        elif found:
            found[-1].lines.append((instruction, rest.strip()))
    return found


def chain(dockerfile: Path, target: str | None) -> list[Stage]:
    """Return the stage that is built and what it rests on, the base first."""
    every = stages(dockerfile)
    named = {stage.name: stage for stage in every}
    line = [named[target] if target else every[-1]]
    while line[0].base in named:
        line.insert(0, named[line[0].base])
    return line


@dataclass(frozen=True, slots=True)
class Image:
    """One image of ours as docker-compose.yml builds it."""

    service: str
    dockerfile: Path
    target: str | None

    def instructions(self, name: str) -> list[str]:
        return [text for stage in chain(self.dockerfile, self.target) for text in stage.all(name)]

    def copies(self) -> list[tuple[list[str], str]]:
        """Return what is copied from the build context: sources and destination."""
        parts = [shlex.split(text) for text in self.instructions("COPY")]
        return [(each[:-1], each[-1]) for each in parts if not each[0].startswith("--from=")]

    def lock(self) -> Path:
        (copied,) = [
            text for text in stages(self.dockerfile)[0].all("COPY") if text.startswith("requirements/")
        ]
        return REPOSITORY / copied.split()[0]

    def command(self) -> list[str]:
        given: list[str] = json.loads(self.instructions("CMD")[-1])
        return given

    def module(self) -> str:
        """Return the module the container runs."""
        command = self.command()
        return command[len(command) - command[::-1].index("-m")]

    def unpack(self, folder: Path) -> None:
        """Copy what the image would hold of this repository."""
        for sources, destination in self.copies():
            for source in sources:
                origin = REPOSITORY / source
                place = folder / destination
                if origin.is_dir():
                    shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"))
                    continue
                place = place / origin.name if destination.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin, place)


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return found


def images() -> list[Image]:
    """Return our images, each once, in the order of docker-compose.yml."""
    found: dict[str, Image] = {}
    for name, service in compose()["services"].items():
        if build := service.get("build"):
            image = Image(name, REPOSITORY / build["dockerfile"], build.get("target"))
            found.setdefault(service["image"], image)
    return list(found.values())


def locked(lock: Path) -> set[str]:
    """Return the distributions a lock file installs."""
    return set(re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), flags=re.MULTILINE))
