"""What a file's maker says of training, mining and inference, read from marks that stand in the file itself.

Sources: CAWG Training and Data Mining Assertion 1.1 (`constrained` counts as `notAllowed` for who doesn't hold the
permission it names), the assertion `c2pa.training-mining` of C2PA 1.x, PLUS LDF `DataMining` as IPTC 2023.1 took it up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LABELS = ("cawg.training-mining", "c2pa.training-mining")
USES = ("ai_inference", "ai_generative_training", "ai_training", "data_mining")
ALLOWED, NOT_ALLOWED, CONSTRAINED = "allowed", "notAllowed", "constrained"

_PREFIXES = ("cawg.", "c2pa.")
_STRICT = (ALLOWED, CONSTRAINED, NOT_ALLOWED)  # rising
_MAX_TEXT = 500
_MAX_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class Marks:
    """`state`: none | read | unreadable. `uses` holds what is said of each use; `labels` the assertions that say it.

    `inherited`: the file's own manifest is silent, that of the picture it was made from isn't.
    """

    state: str
    uses: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()
    constraints: Sequence[str] = ()
    inherited: bool = False
    data_mining: str | None = None  # the code that XMP names, for example DMI-PROHIBITED
    reason: str | None = None  # why they can't be read

    def as_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            **{use: self.uses.get(use) for use in USES},
            "labels": list(self.labels),
            "constraints": list(self.constraints),
            "inherited": self.inherited,
            "xmp_data_mining": self.data_mining,
            "reason": self.reason,
        }


def read_marks(assertions: Sequence[tuple[str, Any]]) -> Marks:
    """Read (label, data) of one manifest's assertions; of what is said twice, the stricter holds.

    A stranger wrote them: what isn't of the form they should have is passed over, but a word for a use that nobody
    knows counts as `constrained`, never as leave.
    """
    uses: dict[str, str] = {}
    labels: dict[str, None] = {}
    constraints: dict[str, None] = {}
    for label, data in assertions:
        base = label.split("__")[0]
        if base not in LABELS:
            continue
        entries = data.get("entries") if isinstance(data, Mapping) else None
        if not isinstance(entries, Mapping):
            continue
        for name, entry in list(entries.items())[:_MAX_ENTRIES]:
            use = _use(name)
            if use is None:
                continue
            labels[base] = None
            uses[use] = max(uses.get(use, ALLOWED), _word(entry), key=_STRICT.index)
            text = _constraint(entry)
            if text:
                constraints[text] = None
    return Marks("read" if uses else "none", uses, tuple(labels), tuple(constraints)[:_MAX_ENTRIES])


def inference_refused(mining: Mapping[str, Any] | None) -> bool:
    """Whether a file's kept marks refuse that a model is given it. A tenant's own output is its own to use again."""
    if not mining or mining.get("own_output"):
        return False
    return mining.get("ai_inference") in {NOT_ALLOWED, CONSTRAINED}


def _use(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    plain = next((name.removeprefix(each) for each in _PREFIXES if name.startswith(each)), name)
    return plain if plain in USES else None


def _word(entry: Any) -> str:
    said = entry.get("use") if isinstance(entry, Mapping) else entry
    plain = str(said).strip().lower().replace("_", "").replace("-", "") if isinstance(said, str) else ""
    known = {"allowed": ALLOWED, "notallowed": NOT_ALLOWED, "constrained": CONSTRAINED}
    return known.get(plain, CONSTRAINED)


def _constraint(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return None
    said = entry.get("constraint_info") or entry.get("constraints_info")
    return said[:_MAX_TEXT] if isinstance(said, str) else None
