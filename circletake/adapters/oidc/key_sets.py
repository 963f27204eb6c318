"""The public keys of every provider, fetched when they are needed and kept for as long as they may be trusted."""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from circletake.adapters.oidc.fetching import DocumentFetcher, FetchFailed
from circletake.kit import logs
from circletake.ports import Issuer, SignInDown, SignInPlaces

log = logs.logger(__name__)

FRESH_SECONDS = 600.0  # then they are fetched again, so that a key that was withdrawn stops
STALE_SECONDS = 24 * 3600.0  # how long they go on working while the provider is down
AGAIN_SECONDS = 30.0  # between two fetches that an unknown key id asked for, or that failed
_MOST_KEYS = 64
_RSA_BITS = (2048, 8192)  # RFC 7518 §3.3, and a bound on what one signature costs

SigningKey = RSAKey | ECKey | OKPKey
_TYPES: Mapping[str, type[SigningKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}


@dataclass(slots=True)
class _Known:
    """What is known of one provider. Times are monotonic; -inf: never."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: list[SigningKey] = field(default_factory=list)
    places: SignInPlaces | None = None
    placed: float = float("-inf")  # the last look for them
    fetched: float = float("-inf")  # with success
    tried: float = float("-inf")
    failed: bool = False  # the last try


class KeySets:
    """`now` is a monotonic clock in seconds."""

    def __init__(self, fetcher: DocumentFetcher, *, now: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._now = now
        self._known: dict[tuple[str, str | None], _Known] = {}
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="oidc")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def url_problem(self, url: str) -> str | None:
        return self._fetcher.problem(url)

    async def keys(self, issuer: Issuer, key_id: str | None) -> list[SigningKey]:
        """Return the issuer's keys, freshly fetched when none has this id and enough time has passed since the last
        try. Raises SignInDown when there are none to judge by."""
        known = self._of(issuer)
        if self._enough(known, key_id):
            return known.keys
        async with known.lock:
            # somebody else may have fetched them while this one waited
            if not self._enough(known, key_id) and self._now() - known.tried >= AGAIN_SECONDS:
                await self._refresh(issuer, known)
        usable = self._now() - known.fetched < STALE_SECONDS
        if usable and (_has(known.keys, key_id) or not known.failed):
            return known.keys
        raise SignInDown

    async def places(self, issuer: Issuer) -> SignInPlaces:
        """Return where people sign in, as the discovery document says; it is looked at every ten minutes."""
        known = self._of(issuer)
        async with known.lock:
            age = self._now() - known.placed
            if age >= (FRESH_SECONDS if known.places else AGAIN_SECONDS):
                known.placed = self._now()
                known.places = await self._find_places(issuer)
        if known.places is None:
            raise SignInDown
        return known.places

    async def _find_places(self, issuer: Issuer) -> SignInPlaces | None:
        try:
            found = await self._in_thread(self._configuration, issuer)
        except FetchFailed:
            return None
        told = [str(found.get(name)) for name in ("authorization_endpoint", "token_endpoint")]
        return None if any(map(self._fetcher.problem, told)) else SignInPlaces(*told)

    def _of(self, issuer: Issuer) -> _Known:
        return self._known.setdefault((issuer.url, issuer.jwks_uri), _Known())

    def _enough(self, known: _Known, key_id: str | None) -> bool:
        return self._now() - known.fetched < FRESH_SECONDS and _has(known.keys, key_id)

    async def _refresh(self, issuer: Issuer, known: _Known) -> None:
        known.tried = self._now()
        try:
            known.keys = await self._in_thread(self._fetch_keys, issuer)
        except FetchFailed:
            known.failed = True
            log.warning("sign_in_keys_unavailable", url_host=issuer.url)
        else:
            known.failed, known.fetched = False, self._now()

    async def _in_thread(self, work: Callable[[Issuer], Any], issuer: Issuer) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, issuer)

    def _configuration(self, issuer: Issuer) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §4: the document has to name the issuer that it was asked for."""
        found = self._fetcher.fetch(issuer.url.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer.url:
            raise FetchFailed("The discovery document is another issuer's.")
        return found

    def _fetch_keys(self, issuer: Issuer) -> list[SigningKey]:
        address = issuer.jwks_uri or self._configuration(issuer).get("jwks_uri")
        listed = self._fetcher.fetch(str(address)).get("keys")
        if not isinstance(listed, list):
            raise FetchFailed("The key set has no keys.")
        found = [_import(each) for each in listed[:_MOST_KEYS]]
        return [key for key in found if key is not None]


def _has(keys: list[SigningKey], key_id: str | None) -> bool:
    return any(key_id is None or key.get("kid") == key_id for key in keys)


def _import(jwk: Any) -> SigningKey | None:
    """Return a public key that may verify signatures here; None for every other entry (RFC 7517 §5)."""
    kind = _TYPES.get(str(jwk.get("kty"))) if isinstance(jwk, dict) else None
    if kind is None or jwk.get("use", "sig") != "sig" or jwk.get("crv") != _CURVES.get(jwk["kty"]):
        return None
    try:
        if kind is RSAKey and not _RSA_BITS[0] <= _bits(jwk.get("n")) <= _RSA_BITS[1]:
            return None
        return kind.import_key({name: value for name, value in jwk.items() if name not in {"x5c", "key_ops"}})
    except (JoseError, ValueError, TypeError):
        return None


def _bits(number: Any) -> int:
    text = str(number)
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).bit_length()
