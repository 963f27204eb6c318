"""People and their sign-in on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.people import Role
from circletake.records.people import IdentityProvider
from circletake.usecases.people.find_acts import Act
from circletake.usecases.people.find_people import KnownPerson
from circletake.usecases.people.keep_providers import ProviderWish
from services.api.keys import Principal
from services.api.schemas.common import Body, Reply, ShortText

Url = Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^https?://[\x21-\x7e]+$")]
Visible = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class ProviderBody(Body):
    """An OIDC provider that vouches for a studio's people."""

    issuer: Url = Field(
        description="As in its tokens' `iss` and its discovery document, to the letter; it never changes"
    )
    audience: Visible = Field(
        description="What its tokens have to hold in `aud`. Issuer and audience together are one studio's alone"
    )
    client_id: Visible | None = Field(
        default=None,
        description="A public client (authorization code, PKCE) with the redirect address `…/console/sign-in`:"
        " the console signs people in with it. Null: the console offers no sign-in for this studio",
    )
    sign_in_scope: ShortText = Field(
        default="openid profile", description="The scope that the console asks for"
    )
    jwks_uri: Url | None = Field(
        default=None, description="Where its keys are; null: as its discovery document says"
    )
    roles_claim: ShortText = Field(
        default="roles",
        description="The claim with a person's roles, by name or by path, for example `realm_access.roles`",
    )
    role_map: dict[Annotated[str, Field(min_length=1, max_length=200)], Role] = Field(
        default={},
        max_length=200,
        description="The provider's words for roles, and the role each gives. Empty: it uses the roles' own names",
    )
    name_claim: ShortText = Field(default="name", description="The claim with the name that people read")

    def to_wish(self) -> ProviderWish:
        return ProviderWish(**self.model_dump())


class ProviderReply(Reply):
    id: UUID
    name: str
    issuer: str
    audience: str
    client_id: str | None
    sign_in_scope: str
    jwks_uri: str | None
    roles_claim: str
    role_map: dict[str, Role]
    name_claim: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, provider: IdentityProvider) -> "ProviderReply":
        return cls.model_validate(provider)


class ProviderList(Reply):
    data: list[ProviderReply]

    @classmethod
    def of(cls, providers: list[IdentityProvider]) -> "ProviderList":
        return cls(data=[ProviderReply.of(each) for each in providers])


class WhoReply(Reply):
    """The caller, as the gateway sees it."""

    kind: Literal["key", "person"]
    tenant_id: UUID
    studio: str = Field(description="The tenant's slug")
    api_key_id: UUID | None = Field(description="Null for a person")
    person_id: UUID | None = Field(
        description="Null for a key. It stands on the record of what this person does"
    )
    name: str | None = Field(description="As the sign-in gives it; null for a key")
    roles: list[Role] = Field(description="Always empty for a key")
    scopes: list[str]

    @classmethod
    def of(cls, who: Principal) -> "WhoReply":
        return cls(
            kind="person" if who.person else "key",
            tenant_id=who.tenant_id,
            studio=who.storage.slug,
            api_key_id=who.api_key_id,
            person_id=who.person_id,
            name=who.person.name if who.person else None,
            roles=sorted(who.roles),
            scopes=sorted(who.scopes),
        )


class PersonReply(Reply):
    """Somebody who has signed in at least once."""

    id: UUID
    name: str
    roles: list[Role] = Field(description="As their last token had them")
    state: Literal["active", "suspended"] = Field(description="Nothing is taken from a suspended person")
    first_seen_at: datetime
    last_seen_at: datetime = Field(description="Within a minute")

    @classmethod
    def of(cls, person: KnownPerson) -> "PersonReply":
        return cls.model_validate(person)


class ActReply(Reply):
    """One act on a take. The person is the subject of the token it was done with."""

    act: Literal["circle", "uncircle", "reject", "reroute"]
    person_id: UUID | None = Field(description="See GET /v1/people")
    person: str | None = Field(description="Their name, as the sign-in gave it last")
    api_key_id: UUID | None = Field(
        description="Of a re-route, and of acts in the days before people signed in"
    )
    reason: str | None
    created_at: datetime

    @classmethod
    def of(cls, act: Act) -> "ActReply":
        return cls.model_validate(act)


class ActList(Reply):
    data: list[ActReply]

    @classmethod
    def of(cls, acts: Sequence[Act]) -> "ActList":
        return cls(data=[ActReply.of(each) for each in acts])
