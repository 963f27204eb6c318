"""People and keys: who acts. A person is the subject of a token that the studio's own sign-in issued."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a person is in a production, as the studio's sign-in says it."""

    REQUESTER = "requester"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    RIGHTS_CLEARANCE_MANAGER = "rights_clearance_manager"
    PRODUCTION_MANAGER = "production_manager"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: an API key, or a person who signed in. Exactly one is given, but for the platform itself."""

    api_key_id: UUID | None = None
    person_id: UUID | None = None

    def for_ledger(self) -> dict[str, str | None]:
        """The two fields by which a ledger entry names who acted."""
        return {
            "by_key": str(self.api_key_id) if self.api_key_id else None,
            "by_person": str(self.person_id) if self.person_id else None,
        }


PLATFORM = Actor()
