"""What packs say of a request. Rules only ever add: no rule takes back what another one says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from circletake.domain.people import Role
from circletake.domain.permission.holds import HoldLine, HoldReason, NewHold
from circletake.domain.policy.conditions import holds
from circletake.domain.policy.facts import Facts
from circletake.domain.policy.packs import (
    Outcome,
    Pack,
    PackReference,
    Record,
    Requirement,
    Rule,
    Source,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that speaks against the request, and the sentence that says why."""

    rule: str
    pack: str
    version: int
    outcome: Outcome
    says: str
    source: Source
    released_by: frozenset[Role]
    requires: tuple[Requirement, ...] = ()  # the records that are missing

    @property
    def name(self) -> str:
        """The rule's name across packs: `pack@version/rule`."""
        return f"{self.pack}@{self.version}/{self.rule}"

    def told(self) -> dict[str, Any]:
        """The hit as a refusal tells it."""
        return {
            "rule": self.rule,
            "pack_id": self.pack,
            "version": self.version,
            "says": self.says,
            "source": self.source.title,
        }

    def stored(self) -> dict[str, Any]:
        """The hit without its sentence, which the pack's version keeps."""
        return {
            "rule": self.rule,
            "pack_id": self.pack,
            "version": self.version,
            "outcome": self.outcome.value,
            "released_by": sorted(self.released_by),
            "requires": [str(each) for each in self.requires],
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The worst outcome of all hits. `not_active`: chosen for the production, but not signed (any more)."""

    outcome: Outcome
    hits: tuple[Hit, ...]
    packs: tuple[PackReference, ...]  # those that were looked at
    not_active: tuple[PackReference, ...] = ()

    def of(self, outcome: Outcome) -> tuple[Hit, ...]:
        return tuple(hit for hit in self.hits if hit.outcome is outcome)

    def new_holds(self) -> tuple[NewHold, ...]:
        """Return the holds to open: one for each group of people that rules ask for, all of which have to release."""
        groups: dict[frozenset[Role], list[Hit]] = {}
        for hit in self.of(Outcome.NEEDS_APPROVAL):
            groups.setdefault(hit.released_by, []).append(hit)
        return tuple(
            NewHold(
                reason=HoldReason.AWAITING_APPROVAL,
                lines=tuple(HoldLine(hit.name, hit.says) for hit in hits),
                details={"requires": sorted({str(each) for hit in hits for each in hit.requires})},
                released_by=roles,
            )
            for roles, hits in groups.items()
        )


def evaluate(packs: Iterable[Pack], facts: Facts, *, not_active: Sequence[PackReference] = ()) -> Evaluation:
    """Ask every rule of every pack. The worst outcome wins; no hit is `no_rule_hit`, which permits nothing."""
    looked_at = tuple(packs)
    hits = tuple(hit for pack in looked_at for rule in pack.rules if (hit := _ask(pack, rule, facts)))
    return Evaluation(_worst(hits), hits, tuple(pack.reference for pack in looked_at), tuple(not_active))


def _worst(hits: Iterable[Hit]) -> Outcome:
    return max((hit.outcome for hit in hits), key=lambda each: each.weight, default=Outcome.NO_RULE_HIT)


def _ask(pack: Pack, rule: Rule, facts: Facts) -> Hit | None:
    if not holds(rule.when, facts):
        return None
    missing = tuple(each for each in rule.requires if not _is_there(each, facts))
    if rule.requires and not missing:
        return None
    return Hit(
        rule.id, pack.id, pack.version, rule.outcome, rule.says, rule.source, rule.released_by, missing
    )


def _is_there(requirement: Requirement, facts: Facts) -> bool:
    match requirement.record:
        case Record.CONSULTATION:
            found = facts.consultations
        case Record.DISCLOSURE:
            found = facts.disclosed_to
    return requirement.role in (found or frozenset())
