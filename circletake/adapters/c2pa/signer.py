"""The ManifestSigner: XMP, then the C2PA manifest, then proof that the result verifies; or no file at all."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from circletake.adapters.c2pa.child import sign_file, verify_file
from circletake.adapters.c2pa.config import SigningConfig
from circletake.adapters.c2pa.errors import Refusal
from circletake.domain.permission.marks import Marks
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.ports import SignedFile, SigningFault, SignRequest, VerifyVerdict

# each brings its own manifests along: 50 ms on an idle core, and a storyboard has 500
SECONDS_PER_INGREDIENT = 0.6


class C2paManifestSigner:
    """Signs and verifies in the child processes of a pool; the pool belongs to whoever made it."""

    def __init__(self, config: SigningConfig, pool: ChildPool) -> None:
        self._config = config
        self._pool = pool

    async def sign(self, request: SignRequest) -> SignedFile:
        """Write `request.source`, signed, to `request.target`, in one step and on success only.

        Of a type that no manifest can be embedded in (OpenTimelineIO) the target is the manifest alone, to be kept
        beside the file.

        Raises SigningFault; `retryable` when the timestamp authority, KMS, the disk or the child process failed.
        """
        try:
            # made here, so that it goes away even when the child is killed
            with TemporaryDirectory(prefix=".signing-", dir=request.target.parent) as workplace:
                outcome = await self._pool.run(
                    partial(sign_file, self._config, request, Path(workplace)),
                    timeout_seconds=self._config.timeout_seconds
                    + len(request.ingredients) * SECONDS_PER_INGREDIENT,
                )
        except (ChildDied, ChildTimedOut) as error:
            raise SigningFault(f"the signing process failed: {error}", retryable=True) from error
        except OSError as error:
            raise SigningFault(f"no room beside the target: {error.strerror}", retryable=True) from error
        if isinstance(outcome, Refusal):
            raise SigningFault(outcome.message, retryable=outcome.retryable)
        return outcome

    async def verify(self, path: Path, media_type: str) -> VerifyVerdict:
        """Say what a file's manifest proves. Nothing that a file names is ever fetched.

        Raises OSError when the file can't be opened, ChildTimedOut when checking it takes too long.
        """
        try:
            return await self._pool.run(
                partial(verify_file, self._config, path, media_type),
                timeout_seconds=self._config.timeout_seconds,
            )
        except ChildDied:
            reason = "the process that read the manifest ended without an answer"
            marks = Marks("unreadable", reason=reason).as_json()
            return VerifyVerdict("unreadable", (reason,), (), None, None, None, None, {}, marks)
