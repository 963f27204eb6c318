"""The sign-ins that vouch for a studio's people, as the operator enters them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from circletake.domain.errors import Conflict, NotFound, invalid
from circletake.domain.people import Role
from circletake.kit import logs
from circletake.records.people import IdentityProvider
from circletake.records.session import Database
from circletake.usecases.keep_keys import lock_tenant

log = logs.logger(__name__)

MAX_PROVIDERS = 20


@dataclass(frozen=True, slots=True)
class ProviderWish:
    """What the operator says of a provider. `role_map` empty: its words are our roles."""

    issuer: str
    audience: str
    client_id: str | None = None
    sign_in_scope: str = "openid profile"
    jwks_uri: str | None = None
    roles_claim: str = "roles"
    role_map: Mapping[str, Role] = field(default_factory=dict)
    name_claim: str = "name"


async def put_provider(
    database: Database,
    tenant_id: UUID,
    name: str,
    wish: ProviderWish,
    *,
    url_problem: Callable[[str], str | None],
) -> tuple[IdentityProvider, bool]:
    """Enter a provider or change it; returns it and whether it is new. A removed one of this name is back.

    Raises NotFound, Invalid for an address that will never be asked, Conflict when the issuer would change (its
    subjects would become other people's), or when another provider in use has issuer and audience in common.
    """
    for pointer, url in (("/issuer", wish.issuer), ("/jwks_uri", wish.jwks_uri)):
        problem = url_problem(url) if url is not None else None
        if problem:
            raise invalid(pointer, "bad_url", problem)
    try:
        async with database.role() as session:
            await lock_tenant(session, tenant_id)
            provider = await _find(session, tenant_id, name)
            created = provider is None
            if provider is None:
                await _require_room(session, tenant_id)
                provider = IdentityProvider(tenant_id=tenant_id, name=name, issuer=wish.issuer)
                session.add(provider)
            elif provider.issuer != wish.issuer:
                raise Conflict(
                    "A provider keeps its issuer, because subjects mean people within it: enter another one.",
                    code="issuer_fixed",
                )
            _write(provider, wish)
            await session.flush()
            await session.refresh(provider)
    except IntegrityError:
        raise Conflict(
            "Another provider in use has this issuer and audience: a token would belong to two studios.",
            code="audience_taken",
        ) from None
    log.info("identity_provider_set", tenant_id=tenant_id, name=name)
    return provider, created


async def list_providers(database: Database, tenant_id: UUID) -> Sequence[IdentityProvider]:
    """Return the providers in use, by name. Raises NotFound for an unknown tenant."""
    async with database.role() as session:
        await lock_tenant(session, tenant_id)
        return list(
            await session.scalars(
                select(IdentityProvider)
                .where(IdentityProvider.tenant_id == tenant_id, IdentityProvider.state == "active")
                .order_by(IdentityProvider.name)
            )
        )


async def get_provider(database: Database, tenant_id: UUID, name: str) -> IdentityProvider:
    async with database.role() as session:
        return await _in_use(session, tenant_id, name)


async def remove_provider(database: Database, tenant_id: UUID, name: str) -> None:
    """Take no token of this provider any more. Its people stay on the record."""
    async with database.role() as session:
        (await _in_use(session, tenant_id, name)).state = "removed"
    log.info("identity_provider_removed", tenant_id=tenant_id, name=name)


def _write(provider: IdentityProvider, wish: ProviderWish) -> None:
    for column, value in asdict(wish).items():
        setattr(provider, column, value)
    provider.role_map = {word: role.value for word, role in wish.role_map.items()}
    provider.state = "active"


async def _require_room(session: AsyncSession, tenant_id: UUID) -> None:
    count = await session.scalar(select(func.count()).where(IdentityProvider.tenant_id == tenant_id))
    if (count or 0) >= MAX_PROVIDERS:
        raise Conflict(f"A tenant may have {MAX_PROVIDERS} providers.", code="too_many_providers")


async def _in_use(session: AsyncSession, tenant_id: UUID, name: str) -> IdentityProvider:
    provider = await _find(session, tenant_id, name)
    if provider is None or provider.state != "active":
        raise NotFound("identity provider")
    return provider


async def _find(session: AsyncSession, tenant_id: UUID, name: str) -> IdentityProvider | None:
    found: IdentityProvider | None = await session.scalar(
        select(IdentityProvider)
        .where(IdentityProvider.tenant_id == tenant_id, IdentityProvider.name == name)
        .with_for_update()
    )
    return found
