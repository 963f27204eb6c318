"""Policy packs: rules of a buyer, a guild or a house, as data, each with its source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from circletake.domain.people import Role
from circletake.domain.policy.conditions import Condition


class Outcome(StrEnum):
    """What comes of the rules, from the mildest to the worst. There is no "clear": a rule may hold, never release."""

    NO_RULE_HIT = "no_rule_hit"
    NOTIFY = "notify"
    NEEDS_APPROVAL = "needs_approval"
    PROHIBITED = "prohibited"

    @property
    def weight(self) -> int:
        return list(Outcome).index(self)


RULE_OUTCOMES = frozenset({Outcome.NOTIFY, Outcome.NEEDS_APPROVAL, Outcome.PROHIBITED})


class Seen(StrEnum):
    """How well a source is known to who wrote the rule."""

    READ = "read"  # in the document itself
    SECOND_HAND = "second_hand"  # in what others wrote about it: check it before you rely on it


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from. One of `url` and `document` is given; `date` is YYYY, YYYY-MM or YYYY-MM-DD."""

    title: str
    date: str
    seen: Seen
    url: str | None = None
    document: str | None = None
    note: str | None = None


class Record(StrEnum):
    """A record that a rule may ask for."""

    CONSULTATION = "consultation"  # somebody of this role was consulted
    DISCLOSURE = "disclosure"  # material that AI made was disclosed to somebody of this role


@dataclass(frozen=True, slots=True)
class Requirement:
    """A record without which the rule hits."""

    record: Record
    role: str

    def __str__(self) -> str:
        return f"{self.record}({self.role})"

    @classmethod
    def of(cls, written: str) -> "Requirement":
        """Read what `str` gave."""
        record, _, role = written.removesuffix(")").partition("(")
        return cls(Record(record), role)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. It hits when its condition holds and a record that it requires, if it does, isn't there."""

    id: str
    says: str
    outcome: Outcome
    when: Condition
    source: Source
    requires: tuple[Requirement, ...] = ()
    released_by: frozenset[Role] = frozenset({Role.APPROVER})


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a pack. It never changes: other rules are another version."""

    id: str
    version: int
    dated: date
    title: str
    rules: tuple[Rule, ...]
    sha256: str  # of its text, byte for byte
    about: str = ""
    text: bytes = b""

    @property
    def reference(self) -> "PackReference":
        return PackReference(self.id, self.version, self.sha256)


@dataclass(frozen=True, slots=True, order=True)
class PackReference:
    """Which pack, which version, and what its text was."""

    id: str
    version: int
    sha256: str

    def stored(self) -> dict[str, str | int]:
        return {"pack_id": self.id, "version": self.version, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class PackFault:
    """One thing that is wrong with a pack's text. Lines and columns from 1; `key` is where it stands."""

    line: int
    column: int
    key: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.key}: {self.reason}"


class PackRefused(Exception):
    """A text that makes no pack, with everything that is wrong with it."""

    def __init__(self, name: str, faults: Sequence[PackFault]) -> None:
        super().__init__("\n".join(f"{name}:{fault}" for fault in faults))
        self.faults = tuple(faults)
