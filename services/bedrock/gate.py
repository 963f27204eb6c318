"""Who calls, and may they: the signature first, then the session policy."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.bedrock import clock, policy, sigv4
from services.bedrock.credentials import KeyRing, KeysFileUnusable, LongLivedKey, SessionStore
from services.bedrock.errors import access_denied, expired_token, unknown_key
from services.bedrock.http import Request
from services.bedrock.models import REGIONS
from services.bedrock.sigv4 import Authorization

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified session of an assumed role."""

    access_key_id: str
    role_arn: str
    session_name: str
    arn: str
    region: str
    policy: str | None = field(repr=False)
    tags: Mapping[str, str] = field(repr=False)


class Gate:
    def __init__(self, keys: KeyRing, sessions: SessionStore, region: str, account: str) -> None:
        self._keys = keys
        self._sessions = sessions
        self._region = region
        self._account = account

    def long_lived(self, access_key_id: str) -> LongLivedKey | None:
        """None for an unknown key, and for every key while the file of them can't be used."""
        try:
            return self._keys.get(access_key_id)
        except KeysFileUnusable as error:
            log.warning("keys file unusable: %s", error)
            return None

    def caller(self, request: Request) -> Caller:
        """The session that signed a model call. Raises the fault that Bedrock answers otherwise."""
        authorization = sigv4.read_authorization(request.headers)
        session = self._sessions.get(authorization.access_key_id)
        if session is None:
            self._refuse_long_lived(request, authorization)
            raise unknown_key()
        if request.headers.get("x-amz-security-token", "") != session.token:
            raise unknown_key()
        region = self._here(authorization)
        sigv4.verify(
            request.signed, authorization, session.secret, service="bedrock", region=region, at=clock.now()
        )
        if session.expires_at <= clock.now():
            raise expired_token()
        return Caller(
            access_key_id=session.access_key_id,
            role_arn=session.role_arn,
            session_name=session.session_name,
            arn=session.assumed_role_arn,
            region=region,
            policy=session.policy,
            tags=session.tags,
        )

    def _here(self, authorization: Authorization) -> str:
        """The Region a call is for: one server stands for every Region that has a model of ours."""
        return authorization.region if authorization.region in REGIONS else self._region

    def _refuse_long_lived(self, request: Request, authorization: Authorization) -> None:
        key = self.long_lived(authorization.access_key_id)
        if key is None:
            return
        region = self._here(authorization)
        sigv4.verify(
            request.signed, authorization, key.secret, service="bedrock", region=region, at=clock.now()
        )
        raise access_denied(
            f"User: arn:aws:iam::{self._account}:user/{key.name} is not authorized to perform this operation because "
            "no identity-based policy allows it: assume a role"
        )

    def authorize(self, caller: Caller, action: str, resources: Sequence[str]) -> None:
        """Raise AccessDeniedException unless the session policy allows the action on every resource."""
        context = {
            "aws:requestedregion": caller.region,
            "aws:principalarn": caller.role_arn,
            "aws:principalaccount": self._account,
            **{f"aws:principaltag/{name}".lower(): value for name, value in caller.tags.items()},
        }
        for resource in resources:
            if not policy.allows(caller.policy, action, resource, context):
                raise access_denied(
                    f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because no "
                    f"session policy allows the {action} action"
                )
