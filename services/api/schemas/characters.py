"""Characters, looks and the reference sets that define them, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from circletake.domain.consistency.words import CharacterKind, ReferenceFinding
from circletake.records.characters import Character, Look, Reference, ReferenceSet
from circletake.records.context import Shot
from circletake.usecases.edit_characters import MAX_LOOK_SHOTS
from circletake.usecases.find_characters import CharacterView, LookView, SetView
from circletake.usecases.keep_references import faces_of, open_findings
from services.api.schemas.common import Body, ExternalRef, Reply, Text
from services.api.schemas.context import EditBody

MAX_DESCRIPTION = 10_000

Detail = Annotated[Text, Field(min_length=1, max_length=2_000)]
Description = Annotated[
    Text,
    Field(min_length=1, max_length=MAX_DESCRIPTION, description="Kept encrypted; lists don't show it"),
]
ScriptName = Annotated[
    Text, Field(min_length=1, max_length=200, description="As the script writes it; unique in the production")
]
LookName = Annotated[Text, Field(min_length=1, max_length=200, description="Unique for the character")]
# any number of a picture's faces that a person could still tell apart
FigureNumber = Annotated[int, Field(ge=0, le=999)]

DETAILS = ("wardrobe", "hair", "age", "wounds", "notes")
KIND_ABOUT = (
    "human: a photographed or photoreal person, known by the face; creature and object: known by the whole of"
    " them; stylised: drawn or animated"
)


class CharacterBody(Body):
    """Someone in the script, or something that has to stay the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "human",
                    "script_name": "MARA",
                    "description": "Forty, keeper of the lighthouse; a scar over the left brow.",
                    "external_ref": "sg:Character/1182",
                }
            ]
        }
    )

    kind: CharacterKind = Field(description=KIND_ABOUT)
    script_name: ScriptName
    description: Description | None = None
    external_ref: ExternalRef | None = None


class CharacterEdit(EditBody):
    kind: CharacterKind = Field(
        default_factory=lambda: CharacterKind.HUMAN, description="Fixed once it has looks"
    )
    script_name: ScriptName = Field(default_factory=str)
    description: Description | None = None
    external_ref: ExternalRef | None = None


class CharacterSummary(Reply):
    """A character as lists show it: without the description."""

    id: UUID
    production_id: UUID
    kind: CharacterKind
    script_name: str | None = Field(description="null once it is deleted")
    external_ref: str | None
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    created_at: datetime
    deleted_at: datetime | None

    @staticmethod
    def fields_of(character: Character) -> dict[str, Any]:
        shown = {name: getattr(character, name) for name in CharacterSummary.model_fields}
        return shown | {"script_name": None if character.deleted_at else character.script_name}

    @classmethod
    def of(cls, character: Character) -> "CharacterSummary":
        return cls(**cls.fields_of(character))


class CharacterReply(CharacterSummary):
    description: str | None

    @classmethod
    def of_view(cls, view: CharacterView) -> "CharacterReply":
        return cls(**cls.fields_of(view.character), description=view.description)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class LookBody(Body):
    """One appearance of a character. The details are kept encrypted; lists don't show them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "storm night",
                    "wardrobe": "oilskin coat, dark green, collar up",
                    "hair": "wet, tied back",
                    "age": "40",
                    "wounds": "cut on the right cheek, fresh",
                }
            ]
        }
    )

    name: LookName
    wardrobe: Detail | None = None
    hair: Detail | None = None
    age: Detail | None = None
    wounds: Detail | None = None
    notes: Detail | None = None

    def details(self) -> dict[str, str]:
        return self.model_dump(include=set(DETAILS), exclude_none=True)


class LookEdit(EditBody):
    name: LookName = Field(default_factory=str)
    wardrobe: Detail | None = None
    hair: Detail | None = None
    age: Detail | None = None
    wounds: Detail | None = None
    notes: Detail | None = None

    def details(self) -> dict[str, str | None]:
        return self.model_dump(include=set(DETAILS), exclude_unset=True)


class LookSummary(Reply):
    """A look as lists show it: without its details."""

    id: UUID
    character_id: UUID
    name: str | None = Field(description="null once it is deleted")
    version: int = Field(
        description="In quotes it is the ETag, for If-Match; a change of its shots counts too"
    )
    created_at: datetime
    deleted_at: datetime | None

    @staticmethod
    def fields_of(look: Look) -> dict[str, Any]:
        shown = {name: getattr(look, name) for name in LookSummary.model_fields}
        return shown | {"name": None if look.deleted_at else look.name}

    @classmethod
    def of(cls, look: Look) -> "LookSummary":
        return cls(**cls.fields_of(look))


class LookReply(LookSummary):
    wardrobe: str | None
    hair: str | None
    age: str | None
    wounds: str | None
    notes: str | None

    @classmethod
    def of_view(cls, view: LookView) -> "LookReply":
        return cls(**cls.fields_of(view.look), **{name: view.details.get(name) for name in DETAILS})

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class LookShotsBody(Body):
    """The shots that the look holds for, all of them: what isn't named is taken away."""

    shot_ids: list[UUID] = Field(default=[], max_length=MAX_LOOK_SHOTS)
    sequence_ids: list[UUID] = Field(
        default=[], max_length=200, description="All shots that these have now; later ones aren't added"
    )


class LookShotReply(Reply):
    shot_id: UUID
    code: str
    sequence_id: UUID | None

    @classmethod
    def of(cls, shot: Shot) -> "LookShotReply":
        return cls(shot_id=shot.id, code=shot.code, sequence_id=shot.sequence_id)


SetState = Literal["draft", "approved", "superseded"]
ReferenceState = Literal["inspecting", "waiting", "ready", "unusable"]


class ReferenceSetBody(Body):
    copy_latest: bool = Field(
        default=False,
        description="Begin with what the latest approved version has and is still usable, instead of empty",
    )


class ReferenceBody(Body):
    """A picture that shows the look: front, three-quarter and profile, and the whole costume."""

    media_id: UUID = Field(
        description="A ready picture of the same production with a known rights_basis; its role is reference,"
        " plate, clean_plate or take"
    )
    figure: FigureNumber | None = Field(
        default=None, description="Which face, where several are in the picture; `faces` lists them"
    )


class ReferenceEdit(Body):
    figure: FigureNumber | None = Field(
        description="A number of `faces`; null leaves the choice to the inspection"
    )


class ApproveBody(Body):
    accept_findings: bool = Field(
        default=False, description="Approve though something is wrong with some pictures; it is put on record"
    )


class BoxReply(Reply):
    """Pixels of the picture as it is shown; may reach outside it."""

    left: int
    top: int
    width: int
    height: int


class FaceReply(Reply):
    figure: int = Field(description="Its number, for the choice")
    box: BoxReply
    face_px: float = Field(description="Pixels between the eye centres")


class FindingReply(Reply):
    """Something that is wrong with a picture as a reference."""

    code: ReferenceFinding
    blocking: bool = Field(description="true: it can't be approved; false: a person may accept it")
    detail: str
    reference_id: UUID | None = Field(default=None, description="Of near_duplicate: the other picture")
    aspects: list[str] = Field(
        default=[], description="Of does_not_match: in what it differs from the others"
    )


class ReferenceReply(Reply):
    """A picture of a reference set, and what is wrong with it."""

    id: UUID
    reference_set_id: UUID
    media_id: UUID
    state: ReferenceState = Field(
        description="inspecting; waiting: the evaluator is down, it is tried again; ready, perhaps with findings;"
        " unusable: a finding is blocking"
    )
    findings: list[FindingReply]
    figure: int | None = Field(description="The face that is the character's; null without one")
    box: BoxReply | None = Field(description="Of that face")
    face_px: float | None = Field(description="Pixels between its eye centres")
    faces: list[FaceReply] = Field(description="What there is to choose from, where several faces were found")
    created_at: datetime
    inspected_at: datetime | None

    @classmethod
    def of(cls, reference: Reference) -> "ReferenceReply":
        plain = cls.model_fields.keys() - {"findings", "faces"}
        return cls(
            **{name: getattr(reference, name) for name in plain},
            findings=[FindingReply.model_validate(each) for each in open_findings(reference)],
            faces=[FaceReply.model_validate(each) for each in faces_of(reference)],
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class ReferenceSetSummary(Reply):
    """One version of the pictures that define a look."""

    id: UUID
    look_id: UUID
    version: int
    state: SetState = Field(
        description="Checks compare with the approved one; superseded by a later version, by the withdrawal of one"
        " of its files, or because the look was deleted"
    )
    approved_by: UUID | None = Field(description="The API key, in the days before people signed in")
    approved_by_person: UUID | None = Field(description="The person: see GET /v1/people")
    approved_at: datetime | None
    ledger_entry_id: UUID | None = Field(description="Of the entry that records the approval")
    created_at: datetime

    @staticmethod
    def fields_of(found: ReferenceSet) -> dict[str, Any]:
        return {name: getattr(found, name) for name in ReferenceSetSummary.model_fields}

    @classmethod
    def of(cls, found: ReferenceSet) -> "ReferenceSetSummary":
        return cls(**cls.fields_of(found))


class ReferenceSetReply(ReferenceSetSummary):
    references: list[ReferenceReply]

    @classmethod
    def of_view(cls, view: SetView) -> "ReferenceSetReply":
        shown = [ReferenceReply.of(each) for each in view.references]
        return cls(**cls.fields_of(view.set), references=shown)

    def body(self) -> bytes:
        return self.model_dump_json().encode()
