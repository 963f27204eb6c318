"""Policy packs as files and texts: outside the process, because people write them."""

from collections.abc import Sequence
from typing import Protocol

from circletake.domain.policy.packs import Pack


class PolicyShelf(Protocol):
    """The packs that are shipped, and a reader of those that studios write."""

    @property
    def shipped(self) -> Sequence[Pack]:
        """Every version of every shipped pack."""
        ...

    def read(self, text: bytes) -> Pack:
        """Read a text. Raises PackRefused with everything that is wrong with it."""
        ...

    def known(self, sha256: str) -> Pack | None:
        """Return a pack that was shipped or read before, by the SHA-256 of its text."""
        ...

    def keep(self, text: bytes) -> Pack:
        """Return the pack that this text makes, and remember it for a while. Raises PackRefused."""
        ...
