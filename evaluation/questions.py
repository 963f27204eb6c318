"""What is asked of the judge, and what it answered. The truth stands beside the question, never inside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.words import Aspect, CharacterKind, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Member:
    """A character as the judge knows it: which pictures are its references. `identity` joins looks of one."""

    key: str
    kind: CharacterKind
    references: tuple[Path, ...]
    identity: str = ""


Cast = tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Is `asked` the same in this picture as in its references?

    `lone` looks at the largest face only: pairs are about the person a picture shows, not about who stands behind.
    """

    picture: Path
    cast: Cast
    asked: str
    lone: bool = False
    expected: tuple[str, ...] = ()  # who should be in the shot; empty: only `asked`


@dataclass(frozen=True, slots=True)
class AspectAnswer:
    """`probability` is None where the aspect could not be judged; `reasons` then say why."""

    probability: float | None
    values: tuple[float, ...]
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    verdict: Verdict
    score: float | None
    aspects: Mapping[Aspect, AspectAnswer] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    face_px: float = 0.0
    judgement: MaterialJudgement | None = (
        None  # None: the picture could not be read, or there were no references
    )

    def probability(self, aspect: Aspect) -> float | None:
        found = self.aspects.get(aspect)
        return found.probability if found else None

    @property
    def broken(self) -> list[Aspect]:
        return [aspect for aspect, each in self.aspects.items() if each.verdict is Verdict.FAIL]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `eval-scores.csv`. `verdict` is the shot's, `aspect_verdict` this aspect's alone."""

    part: str
    group: str
    aspect: str
    subject: str
    references: Sequence[str]
    query: str
    same: bool | None
    score: float | None
    values: Sequence[float] = ()
    verdict: str = ""
    aspect_verdict: str = ""
    grade: str = ""
    reasons: Sequence[str] = ()
