"""On what ground a request's inputs may be used: every reason why they may not, with what to do about it.

The rules: nobody may use a file whose basis is unknown. A licence is one that has a number, a term that holds today and
the hash of its document. In owned-source mode at least one picture must be the studio's own, licensed or made for
hire; what is in the public domain may stand beside it and isn't enough by itself, because anybody else may make the
same from it. A file whose maker refuses inference is only used where a rights record says why it may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from circletake.domain.kinds import InputSlot, RightsBasis
from circletake.domain.pictures import Violation

OWNED_SOURCE = frozenset({RightsBasis.OWNED, RightsBasis.LICENSED, RightsBasis.WORK_FOR_HIRE})
_FROM_A_PLATE = frozenset({"compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})


@dataclass(frozen=True, slots=True)
class Licence:
    """What the newest rights record says of a licence. `until` is its last day; None: it has no end."""

    licence_id: str | None
    term_from: date | None
    term_until: date | None
    evidence_sha256: str | None


@dataclass(frozen=True, slots=True)
class InputRights:
    """One input. `output_type`: the digital source type of a file that was made here; None: it was brought."""

    basis: RightsBasis
    licence: Licence | None = None
    inference_refused: bool = False
    overridden: bool = False
    output_type: str | None = None
    is_output: bool = False

    @property
    def is_owned_source(self) -> bool:
        """Whether owned-source mode may rest on it. A take counts only where a plate's own pixels are in it: what a
        model made out of nothing isn't a source."""
        if self.basis not in OWNED_SOURCE:
            return False
        return not self.is_output or self.output_type in _FROM_A_PLATE


def input_violations(
    inputs: Mapping[InputSlot, InputRights], *, owned_source_only: bool, on: date
) -> list[Violation]:
    """Return everything that is wrong with the rights of a request's inputs. `on`: today in the production's zone."""
    found = []
    for slot, rights in inputs.items():
        found += _violations(f"/inputs/{slot}", slot, rights, on)
    if owned_source_only and not found:
        found += _source_violations(inputs)
    return found


def _violations(pointer: str, slot: InputSlot, rights: InputRights, on: date) -> list[Violation]:
    found = []
    if rights.basis is RightsBasis.UNKNOWN:
        found.append(
            Violation(
                pointer,
                "rights_unknown",
                f"Nobody said on what ground this {slot} may be used: record its rights_basis"
                " (POST /v1/media/{id}/rights-records).",
            )
        )
    if rights.basis is RightsBasis.LICENSED:
        found += _licence_violations(pointer, slot, rights.licence, on)
    if rights.inference_refused and not rights.overridden:
        found.append(
            Violation(
                pointer,
                "ai_inference_not_allowed",
                f"This {slot} carries a mark of its maker that refuses AI inference: use another file, or have a"
                " rights clearance manager record why it may be used (ai_inference_override).",
            )
        )
    return found


def _licence_violations(pointer: str, slot: InputSlot, licence: Licence | None, on: date) -> list[Violation]:
    missing = _missing_of(licence)
    if licence is None or missing:
        return [
            Violation(
                pointer,
                "licence_incomplete",
                f"This {slot} is licensed, and its rights record lacks: {', '.join(missing)}. Record it"
                " (POST /v1/media/{id}/rights-records).",
            )
        ]
    assert licence.term_from is not None
    if on < licence.term_from:
        return [
            Violation(
                pointer,
                "licence_not_begun",
                f"The licence of this {slot} begins on {licence.term_from}: ask again then, or record another.",
            )
        ]
    if licence.term_until is not None and on > licence.term_until:
        return [
            Violation(
                pointer,
                "licence_ended",
                f"The licence of this {slot} ended on {licence.term_until}: record its renewal, or use another file.",
            )
        ]
    return []


def _missing_of(licence: Licence | None) -> list[str]:
    wanted = {
        "licence_id": licence.licence_id if licence else None,
        "term_from": licence.term_from if licence else None,
        "evidence_sha256": licence.evidence_sha256 if licence else None,
    }
    return [name for name, value in wanted.items() if not value]


def _source_violations(inputs: Mapping[InputSlot, InputRights]) -> list[Violation]:
    sources = {slot: rights for slot, rights in inputs.items() if slot is not InputSlot.MATTE}
    if any(rights.is_owned_source for rights in sources.values()):
        return []
    if not sources:
        message = (
            "This production is in owned-source mode: give a plate or a reference that is owned, licensed or made"
            " for hire."
        )
        return [Violation("/inputs", "owned_source_required", message)]
    return [
        Violation(
            f"/inputs/{slot}",
            "owned_source_required",
            f"This production is in owned-source mode, and this {slot} isn't owned, licensed or made for hire"
            f"{' by somebody: a model made it out of nothing' if rights.is_output else ''}:"
            " give a plate or a reference that is.",
        )
        for slot, rights in sources.items()
    ]
