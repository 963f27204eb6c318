"""Facts: everything that a rule may look at. Each has a form, and a sentence for whoever writes rules.

None means that nobody said it, or that it isn't known: that is neither yes nor no.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from circletake.domain.kinds import RULES, InputSlot, Kind, MediaRole, RightsBasis
from circletake.domain.permission.consents import ReplicaType
from circletake.domain.policy.declaration import DeliverableStage, IntendedUse
from circletake.domain.review.states import VersionState


class Form(StrEnum):
    FLAG = "flag"  # true or false
    WORD = "word"  # one word
    WORDS = "words"  # any number of words, each once
    NUMBER = "number"


Value = bool | str | float | frozenset[str]


@dataclass(frozen=True, slots=True)
class FactType:
    """What a fact may be. `values`: the only words it takes; None: any."""

    form: Form
    means: str
    values: frozenset[str] | None = None


def _flag(means: str) -> Any:
    return field(default=None, metadata={"fact": FactType(Form.FLAG, means)})


def _word(means: str, values: type[StrEnum] | frozenset[str] | None = None) -> Any:
    taken = None if values is None else frozenset(str(each) for each in values)
    return field(default=None, metadata={"fact": FactType(Form.WORD, means, taken)})


def _words(means: str, values: type[StrEnum] | frozenset[str] | None = None) -> Any:
    taken = None if values is None else frozenset(str(each) for each in values)
    return field(default=None, metadata={"fact": FactType(Form.WORDS, means, taken)})


def _number(means: str) -> Any:
    return field(default=None, metadata={"fact": FactType(Form.NUMBER, means)})


class ConsultedRole(StrEnum):
    """Whose counsel may be asked of a rule."""

    DIRECTOR = "director"
    DIRECTOR_OF_PHOTOGRAPHY = "director_of_photography"
    PRODUCTION_DESIGNER = "production_designer"
    VFX_SUPERVISOR = "vfx_supervisor"
    COSTUME_DESIGNER = "costume_designer"
    EDITOR = "editor"
    WRITER = "writer"
    PERFORMER = "performer"


class ToldRole(StrEnum):
    """To whom material that AI made may be disclosed."""

    WRITER = "writer"
    DIRECTOR = "director"
    PERFORMER = "performer"
    GUILD = "guild"
    PARTNER = "partner"  # whoever commissions or buys the work
    INSURER = "insurer"
    OTHER = "other"


class Notice(StrEnum):
    """How far a synthetic performer's notice to the union is, from the least far on."""

    NONE = "none"
    NOTIFIED = "notified"
    BARGAINING = "bargaining"
    NO_AGREEMENT = "no_agreement"
    IN_ARBITRATION = "in_arbitration"
    AGREED = "agreed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One request as rules see it: ids, words, numbers and answers; never a prompt or a name."""

    # what the request declares
    deliverable_stage: str | None = _word("declared: temp, or part of a deliverable", DeliverableStage)
    intended_use: str | None = _word("declared: what it is made for", IntendedUse)
    involves_talent_likeness: bool | None = _flag("declared: a real person's likeness or voice is in it")
    involves_personal_data: bool | None = _flag("declared: personal data goes to the model")
    third_party_ip: bool | None = _flag("declared: it rests on somebody else's work, or refers to it")
    story_critical: bool | None = _flag("declared: it is a key element of the story")
    could_mislead: bool | None = _flag("declared: viewers could take it for a real event or person")
    ai_text: bool | None = _flag("declared: it rests on a script, an outline or a storyboard that AI made")
    media: frozenset[str] | None = _words(
        'declared: where it will be shown, for example theatrical; "*" is anywhere'
    )
    territory: frozenset[str] | None = _words('declared: countries by their two letters; "*" is worldwide')
    # what is asked for
    kind: str | None = _word("the kind of generation", Kind)
    has_shot: bool | None = _flag("it belongs to a shot; concept art may belong to the production only")
    takes: float | None = _number("how many takes are asked for")
    prompt_given: bool | None = _flag("it has a prompt")
    has_plate: bool | None = _flag("it works on a plate")
    input_roles: frozenset[str] | None = _words("the roles of the files that go in", MediaRole)
    rights_bases: frozenset[str] | None = _words("the rights bases of the files that go in", RightsBasis)
    generated_input: bool | None = _flag("a file that goes in was itself made by a model")
    creative_element: bool | None = _flag(
        "it makes or changes something that is designed: every kind but cleanup, and whatever is story critical"
    )
    # the model
    models: frozenset[str] | None = _words(
        "the ids of every model that it may be sent to: the one asked for, and those that its enforcement may climb to"
    )
    providers: frozenset[str] | None = _words("the providers of these models in the catalogue")
    model_lifecycles: frozenset[str] | None = _words(
        "the lives of these models in the catalogue", frozenset({"active", "legacy", "eol"})
    )
    model_trains_on_inputs: bool | None = _flag(
        "the terms of one of these models say that inputs are trained on"
    )
    model_shares_inputs: bool | None = _flag(
        "the terms of one of these models say that its provider sees inputs"
    )
    model_indemnity: bool | None = _flag("the terms of all of these models say that outputs are indemnified")
    # who is depicted
    depicts_character: bool | None = _flag("a character is depicted")
    depicts_performer: bool | None = _flag("a character that a performer portrays is depicted")
    synthetic_performer: bool | None = _flag("a human character that no performer portrays is depicted")
    synthetic_notice: str | None = _word(
        "how far the notice to the union is that the synthetic performer needs; of several, the least far",
        Notice,
    )
    minor_involved: bool | None = _flag("a performer who is depicted is a minor")
    replica_types: frozenset[str] | None = _words(
        "the replica types of the consents in force for who is depicted", ReplicaType
    )
    alters_recording: bool | None = _flag("it changes a photographed picture that shows a performer")
    # the production and its people
    labour_action: bool | None = _flag("the production's switch for labour actions is on")
    owned_source_only: bool | None = _flag("the production is in owned-source mode")
    shot_state: str | None = _word("the review state of the shot's newest version", VersionState)
    shot_exposure: float | None = _number(
        "the largest share of the frame, 0 to 1, that a model drew in a circled take of this shot so far"
    )
    consultations: frozenset[str] | None = _words(
        "the roles that were consulted, of this shot or its production"
    )
    disclosed_to: frozenset[str] | None = _words(
        "to whom material that AI made was disclosed in this production", ToldRole
    )


VOCABULARY: Mapping[str, FactType] = {each.name: each.metadata["fact"] for each in fields(Facts)}


def value_of(facts: Facts, name: str) -> Value | None:
    """Return a fact by its name. Raises AttributeError for one that isn't in the vocabulary."""
    found: Value | None = getattr(facts, name)
    return found


def stored(facts: Facts) -> dict[str, Any]:
    """Return what is known, as JSON."""
    known = {name: value_of(facts, name) for name in VOCABULARY}
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in known.items()
        if value is not None
    }


def from_stored(document: Mapping[str, Any]) -> Facts:
    """Read what `stored` gave; a fact that is no longer one is left out."""
    known: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value
        for name, value in document.items()
        if name in VOCABULARY
    }
    return Facts(**known)


def is_creative(kind: Kind, *, story_critical: bool | None) -> bool:
    """Say whether something designed is made or changed. The directors' agreements speak of "creative elements" and
    list them for the whole of a film (DGA Basic Agreement 7-202: set design, casting, the script …); taking a wire
    or a rig out of a plate restores what was designed."""
    return kind is not Kind.CLEANUP or story_critical is True


def works_on_plate(kind: Kind, slots: frozenset[InputSlot]) -> bool:
    return RULES[kind].on_plate and InputSlot.PLATE in slots


def weakest_notice(found: Collection[str]) -> str | None:
    """Return the least far of the notices' states; None without any."""
    return min(found, key=[each.value for each in Notice].index, default=None)


def worst(answers: Collection[bool | None]) -> bool | None:
    """Answer whether one of several does: yes if one does, unknown if one may."""
    return True if True in answers else None if None in answers or not answers else False


def every(answers: Collection[bool | None]) -> bool | None:
    """Answer whether all of several do: no if one doesn't, unknown if one may not."""
    return False if False in answers else None if None in answers or not answers else True
