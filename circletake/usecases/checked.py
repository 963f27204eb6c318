"""A check whose files are all judged, as its end is reckoned and drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from circletake.domain.consistency.profiles import Profile
from circletake.domain.consistency.words import CharacterKind
from circletake.records.consistency import CheckMaterial, ConsistencyCheck
from circletake.usecases.plan_check import CastLook
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import TenantAtWork


@dataclass(frozen=True, slots=True)
class CheckedShot:
    """One file of the check in story order, as people call it."""

    material: CheckMaterial
    label: str
    scene: str | None
    media_type: str
    judgements: Mapping[UUID, Row[Any]]  # by the check's subject


@dataclass(frozen=True, slots=True)
class CheckedSubject:
    id: UUID
    character_id: UUID
    name: str
    kind: CharacterKind
    deleted: bool  # meanwhile: its verdicts stay on record, it is shown no more


@dataclass(frozen=True, slots=True)
class Checked:
    """A check whose files are all judged."""

    step: ClaimedStep
    tenant: TenantAtWork
    check: ConsistencyCheck
    subjects: Sequence[CheckedSubject]
    shots: Sequence[CheckedShot]
    looks: Mapping[UUID, str]  # names
    cast: Sequence[CastLook]
    profiles: Mapping[UUID, Profile]  # by character

    def profile(self, subject: CheckedSubject) -> Profile:
        return self.profiles[subject.character_id]

    def line(self, subject: CheckedSubject) -> list[CheckedShot]:
        """The shots in which this subject was judged."""
        return [shot for shot in self.shots if subject.id in shot.judgements]
