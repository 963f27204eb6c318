"""People and keys: who acts. A person is the subject of a token that the studio's own sign-in issued."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from circletake.domain.api_keys import Scope


class Role(StrEnum):
    """What a person is in a production, as the studio's sign-in says it."""

    REQUESTER = "requester"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    RIGHTS_CLEARANCE_MANAGER = "rights_clearance_manager"
    PRODUCTION_MANAGER = "production_manager"


# what a role lets a person do through the API, in the words of a key's scopes
ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.REQUESTER: frozenset({Scope.READ, Scope.WRITE, Scope.GENERATE}),
    Role.REVIEWER: frozenset({Scope.READ, Scope.REVIEW}),
    Role.APPROVER: frozenset({Scope.READ, Scope.REVIEW}),
    Role.RIGHTS_CLEARANCE_MANAGER: frozenset({Scope.READ, Scope.WRITE}),
    Role.PRODUCTION_MANAGER: frozenset({Scope.READ, Scope.WRITE, Scope.GENERATE, Scope.WEBHOOKS}),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signed in. `name` is for people to read: it goes into no log, event or ledger entry."""

    id: UUID
    name: str = field(repr=False)
    roles: frozenset[Role]


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


def scopes_of(roles: Collection[Role]) -> frozenset[str]:
    """Return everything that one of the roles allows."""
    return frozenset(scope.value for role in roles for scope in ROLE_SCOPES[role])


def named(roles: Collection[Role]) -> str:
    """Return the roles as a sentence has them: `approver or production_manager`."""
    return " or ".join(sorted(roles))


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by its path: Keycloak keeps roles under `realm_access.roles`. None if missing."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def roles_in(claims: Mapping[str, Any], name: str, mapping: Mapping[str, str]) -> frozenset[Role]:
    """Return the roles that a token gives. `mapping` turns the provider's words into ours; when it is empty the
    provider uses ours. Words that mean nothing here are left out."""
    told = claim(claims, name)
    words = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
    ours = mapping or {role.value: role.value for role in Role}
    return frozenset(Role(ours[word]) for word in words if isinstance(word, str) and word in ours)
