"""The people of a stack, in a file of its home: who they are, their studio, their roles and a generated password."""

import contextlib
import fcntl
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.embedded.home import write_private

ROLES = ("requester", "reviewer", "approver", "rights_clearance_manager", "production_manager")
_READABLE = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that is easily mistaken
_STUDIO = re.compile(r"[a-z][a-z0-9-]{1,39}")


class Refused(ValueError):
    """This can't be a person here; the text says why."""


@dataclass(frozen=True, slots=True)
class LocalPerson:
    subject: str
    studio: str  # its slug
    name: str
    roles: tuple[str, ...]
    password: str = field(repr=False)


def audience_of(studio: str) -> str:
    """Return the audience, and client id, by which a studio's tokens are its own."""
    return f"circletake:{studio}"


class PeopleFile:
    """Read anew for each use, so that who is added from a terminal can sign in at once."""

    def __init__(self, home: Path) -> None:
        self._file = home / "people.json"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time: the provider's threads, and who adds people from a terminal."""
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def all(self) -> list[LocalPerson]:
        if not self._file.exists():
            return []
        stored = json.loads(self._file.read_text())
        return [LocalPerson(**{**each, "roles": tuple(each["roles"])}) for each in stored]

    def of(self, studio: str) -> list[LocalPerson]:
        return [person for person in self.all() if person.studio == studio]

    def find(self, studio: str, subject: str) -> LocalPerson | None:
        found = [person for person in self.of(studio) if person.subject == subject]
        return found[0] if found else None

    def put(self, studio: str, name: str, roles: Iterable[str], subject: str | None = None) -> LocalPerson:
        """Add a person, or give a known subject of this studio another name and other roles. Raises Refused."""
        told = tuple(dict.fromkeys(roles))
        unknown = [role for role in told if role not in ROLES]
        if unknown:
            raise Refused(f"There is no role {', '.join(unknown)}; there are: {', '.join(ROLES)}.")
        if not _STUDIO.fullmatch(studio):
            raise Refused("Name the studio by its slug, for example northlight.")
        if not name.strip() or not name.isprintable():
            raise Refused("Give the person a name that can be read.")
        with self._alone():
            everybody = self.all()
            key = (studio, subject or f"{secrets.token_hex(8)}")
            before = {(each.studio, each.subject): each for each in everybody}
            password = before[key].password if key in before else _password()
            before[key] = LocalPerson(key[1], studio, name.strip(), told, password)
            write_private(self._file, json.dumps([asdict(each) for each in before.values()], indent=1))
        return before[key]


def _password() -> str:
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(3))
