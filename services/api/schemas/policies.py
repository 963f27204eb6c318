"""Policy packs, signatures, choices and evaluations on the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.people import Role
from circletake.domain.policy.conditions import shown
from circletake.domain.policy.evaluate import Evaluation, Hit
from circletake.domain.policy.facts import Facts, stored
from circletake.domain.policy.packs import Outcome, Pack, PackReference, Rule, Seen, Source
from circletake.usecases.policy.choose_packs import MAX_CHOSEN, ChosenPack
from circletake.usecases.policy.find_evaluation import FrozenEvaluation
from circletake.usecases.policy.keep_packs import PackSummary, PackView
from circletake.usecases.policy.sign_packs import Signing
from circletake.usecases.policy.stored_packs import SignatureView, StoredVersion
from services.api.schemas.common import Body, Reply, Text

PackId = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$", description="The pack's `pack`"),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[int, Field(ge=1, le=999_999_999)]
Origin = Literal["own", "shipped"]


class PackReferenceReply(Reply):
    pack_id: str
    version: int
    sha256: str = Field(description="Of the pack's text, byte for byte")

    @classmethod
    def of(cls, pack: PackReference) -> "PackReferenceReply":
        return cls(pack_id=pack.id, version=pack.version, sha256=pack.sha256)


class UploadedPackReply(PackReferenceReply):
    title: str
    rules: int = Field(description="How many rules it has")
    active: bool = Field(description="An uploaded version is active once counsel has signed it")

    @classmethod
    def of_pack(cls, pack: Pack, *, active: bool) -> "UploadedPackReply":
        return cls(
            pack_id=pack.id,
            version=pack.version,
            sha256=pack.sha256,
            title=pack.title,
            rules=len(pack.rules),
            active=active,
        )


class PackSummaryReply(PackReferenceReply):
    title: str
    dated: date
    origin: Origin
    rules: int = Field(description="How many rules it has")
    active: bool = Field(description="A signature on this version stands")
    signature_id: UUID | None
    signed_by: UUID | None = Field(description="The person")
    signed_at: datetime | None

    @classmethod
    def of_summary(cls, summary: PackSummary) -> "PackSummaryReply":
        found = summary.version
        signature = found.signature
        return cls(
            pack_id=found.pack.id,
            version=found.pack.version,
            sha256=found.pack.sha256,
            title=summary.title,
            dated=date.fromisoformat(summary.dated),
            origin=_origin(found.origin),
            rules=summary.rules,
            active=found.active,
            signature_id=signature.id if signature else None,
            signed_by=signature.signed_by if signature else None,
            signed_at=signature.created_at if signature else None,
        )


def _origin(value: str) -> Origin:
    return "own" if value == "own" else "shipped"


class PackList(Reply):
    """Every version of every pack, by id, newest version first."""

    data: list[PackSummaryReply]


class RuleSourceReply(Reply):
    """Where a rule comes from, and whether whoever wrote it had read that or heard of it."""

    title: str
    date: str = Field(description="YYYY, YYYY-MM or YYYY-MM-DD")
    seen: Seen
    url: str | None
    document: str | None
    note: str | None

    @classmethod
    def of(cls, source: Source) -> "RuleSourceReply":
        return cls(
            title=source.title,
            date=source.date,
            seen=source.seen,
            url=source.url,
            document=source.document,
            note=source.note,
        )


class RuleReply(Reply):
    id: str
    says: str = Field(description="Why, in one sentence")
    outcome: Outcome
    when: Any = Field(description="The condition, as it could be written in a pack")
    requires: list[str] = Field(description="Records without which it hits")
    released_by: list[Role] = Field(description="Who may release what it holds")
    source: RuleSourceReply

    @classmethod
    def of(cls, rule: Rule) -> "RuleReply":
        return cls(
            id=rule.id,
            says=rule.says,
            outcome=rule.outcome,
            when=shown(rule.when),
            requires=[str(each) for each in rule.requires],
            released_by=sorted(rule.released_by) if rule.outcome is Outcome.NEEDS_APPROVAL else [],
            source=RuleSourceReply.of(rule.source),
        )


class SignatureReply(Reply):
    """A person's signature, as the studio's counsel, on one version of a pack."""

    id: UUID
    pack_id: str
    version: int
    sha256: str = Field(description="Of the text that was signed")
    signed_by: UUID = Field(description="The person")
    signed_at: datetime
    reference: str | None = Field(description="Counsel's own reference")
    ledger_entry_id: UUID
    withdrawn_at: datetime | None
    withdrawn_by: UUID | None
    reason: str | None = Field(description="Why it was withdrawn")

    @classmethod
    def of(cls, pack: PackReference, view: SignatureView) -> "SignatureReply":
        row = view.signature
        return cls(
            id=row.id,
            pack_id=pack.id,
            version=pack.version,
            sha256=row.sha256,
            signed_by=row.signed_by,
            signed_at=row.created_at,
            reference=view.reference,
            ledger_entry_id=row.ledger_entry_id,
            withdrawn_at=row.withdrawn_at,
            withdrawn_by=row.withdrawn_by,
            reason=view.reason,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class PackVersionReply(PackReferenceReply):
    active: bool

    @classmethod
    def of_version(cls, found: StoredVersion) -> "PackVersionReply":
        return cls(
            pack_id=found.pack.id,
            version=found.pack.version,
            sha256=found.pack.sha256,
            active=found.active,
        )


class PackReply(PackReferenceReply):
    """A version of a pack with its rules."""

    title: str
    about: str
    dated: date
    origin: Origin
    active: bool
    rules: list[RuleReply]
    text: str = Field(description="The pack as it was written: YAML")
    versions: list[PackVersionReply] = Field(description="Every version of this pack, newest first")
    signatures: list[SignatureReply] = Field(description="Every one that was ever given, newest first")

    @classmethod
    def of_view(cls, view: PackView) -> "PackReply":
        pack = view.pack
        by_row = {each.row.id: each.pack for each in view.versions if each.row is not None}
        return cls(
            pack_id=pack.id,
            version=pack.version,
            sha256=pack.sha256,
            title=pack.title,
            about=pack.about,
            dated=pack.dated,
            origin=_origin(view.origin),
            active=view.active,
            rules=[RuleReply.of(rule) for rule in pack.rules],
            text=pack.text.decode("utf-8-sig"),
            versions=[PackVersionReply.of_version(each) for each in view.versions],
            signatures=[
                SignatureReply.of(by_row[each.signature.policy_pack_id], each) for each in view.signatures
            ],
        )


class SignatureBody(Body):
    version: Version
    sha256: Sha256 | None = Field(
        default=None, description="Of the text that was read: refused when the version's text is another one"
    )
    reference: Annotated[Text, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="Counsel's own reference, for example of a memo; kept encrypted"
    )

    def to_signing(self, pack_id: str) -> Signing:
        return Signing(pack_id, self.version, self.sha256, self.reference)


class WithdrawalBody(Body):
    reason: Annotated[Text, Field(min_length=1, max_length=2000, description="Why; kept encrypted")]


class ChoiceBody(Body):
    pack_id: PackId
    version: Version


class ChoicesBody(Body):
    packs: Annotated[list[ChoiceBody], Field(max_length=MAX_CHOSEN)]


class ChosenPackReply(PackReferenceReply):
    active: bool = Field(description="false: its signature was withdrawn, and its rules aren't asked")
    chosen_by: UUID = Field(description="The person")
    chosen_at: datetime

    @classmethod
    def of_choice(cls, chosen: ChosenPack) -> "ChosenPackReply":
        return cls(
            pack_id=chosen.pack.id,
            version=chosen.pack.version,
            sha256=chosen.pack.sha256,
            active=chosen.active,
            chosen_by=chosen.choice.chosen_by,
            chosen_at=chosen.choice.created_at,
        )


class ChoicesReply(Reply):
    packs: list[ChosenPackReply]


class HitReply(Reply):
    """A rule that speaks against the request."""

    rule: str
    pack_id: str
    version: int
    outcome: Outcome
    says: str = Field(description="Why, in one sentence")
    requires: list[str] = Field(description="Records that are missing, for example `consultation(director)`")
    released_by: list[Role] = Field(
        description="Of which one is enough; empty for what nobody has to release"
    )
    source: RuleSourceReply

    @classmethod
    def of(cls, hit: Hit) -> "HitReply":
        return cls(
            rule=hit.rule,
            pack_id=hit.pack,
            version=hit.version,
            outcome=hit.outcome,
            says=hit.says,
            requires=[str(each) for each in hit.requires],
            released_by=sorted(hit.released_by) if hit.outcome is Outcome.NEEDS_APPROVAL else [],
            source=RuleSourceReply.of(hit.source),
        )


class EvaluationReply(Reply):
    """What the production's packs say of a request. `no_rule_hit` means just that: it clears nothing."""

    outcome: Outcome = Field(description="The worst of the hits'")
    hits: list[HitReply]
    packs: list[PackReferenceReply] = Field(description="Those that were asked")
    not_active: list[PackReferenceReply] = Field(
        description="Chosen for the production, but without a signature: these weren't asked"
    )
    facts: dict[str, Any] = Field(description="What the rules looked at; what isn't in it wasn't said")

    @classmethod
    def of(cls, evaluation: Evaluation, facts: Facts) -> "EvaluationReply":
        return cls(
            outcome=evaluation.outcome,
            hits=[HitReply.of(hit) for hit in evaluation.hits],
            packs=[PackReferenceReply.of(pack) for pack in evaluation.packs],
            not_active=[PackReferenceReply.of(pack) for pack in evaluation.not_active],
            facts=stored(facts),
        )


class FrozenEvaluationReply(EvaluationReply):
    """What the packs said of a generation when it was accepted. It never changes."""

    generation_id: UUID
    evaluated_at: datetime

    @classmethod
    def of_frozen(cls, generation_id: UUID, found: FrozenEvaluation) -> "FrozenEvaluationReply":
        said = EvaluationReply.of(found.evaluation, found.facts)
        return cls(**dict(said), generation_id=generation_id, evaluated_at=found.evaluated_at)
