"""What a language model is given, and the prompt that it proposes."""

from dataclasses import dataclass, field

from circletake.domain.kinds import RULES, Kind
from circletake.domain.pictures import Violation
from circletake.domain.shots import text_violation

MAX_PROMPT = 10_000  # characters of a prompt, as POST /v1/generations takes it
MAX_NEGATIVE = 10_000
MAX_SEARCH = 10_000
MAX_WHY = 2_000


@dataclass(frozen=True, slots=True)
class ScriptPage:
    """One script page or scene, unchanged."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CharacterBrief:
    """A character as the production describes them: a name, a description, a look."""

    name: str = field(repr=False)
    description: str | None = field(repr=False, default=None)
    look: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class PromptBrief:
    """What a prompt is proposed from. `prompt_max`: the characters that the model it is for takes."""

    kind: Kind
    notes: str = field(repr=False)
    characters: tuple[CharacterBrief, ...] = field(repr=False, default=())
    prompt_max: int = MAX_PROMPT

    @property
    def searched(self) -> bool:
        """Say whether such a generation also needs words for what is looked for in its plate."""
        return RULES[self.kind].search == "required"


@dataclass(frozen=True, slots=True)
class ProposedPrompt:
    """What a model proposes. It is shown to a person and never sent on by itself."""

    prompt: str = field(repr=False)
    negative_prompt: str | None = field(repr=False)
    search_prompt: str | None = field(repr=False)
    why: str | None = field(repr=False)

    def as_json(self) -> dict[str, str | None]:
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "search_prompt": self.search_prompt,
            "why": self.why,
        }


def prompt_problems(proposed: ProposedPrompt) -> list[Violation]:
    """Return what keeps a proposal from being one: no prompt, or texts that nothing could take."""
    found = [
        text_violation("/prompt", proposed.prompt, MAX_PROMPT),
        *(
            None if text is None else text_violation(pointer, text, longest)
            for pointer, text, longest in (
                ("/negative_prompt", proposed.negative_prompt, MAX_NEGATIVE),
                ("/search_prompt", proposed.search_prompt, MAX_SEARCH),
                ("/why", proposed.why, MAX_WHY),
            )
        ),
    ]
    return [each for each in found if each is not None]


def takes_prompt(kind: Kind) -> bool:
    """Say whether a generation of this kind has a prompt to propose."""
    return RULES[kind].prompt != "refused"
