"""Reading a screenplay page by its layout: scene headings, cues, dialogue and action. No language is understood.

The layout is the usual one of the trade: INT. or EXT. begins a scene, a line of capitals before speech is a cue, what
stands in round brackets under it is a direction, and everything else is action, paragraph by paragraph.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(
    r"(?:(?P<before>[0-9]+[A-Z]?)[.)]?\s+)?"
    r"(?P<where>INT\.?\s*/\s*EXT|EXT\.?\s*/\s*INT|I\s*/\s*E|INT|EXT)(?:\.|\s)\s*"
    r"(?P<rest>\S.*?)"
    r"(?:\s+(?P<after>[0-9]+[A-Z]?)\.?)?"
)
_TRANSITION = re.compile(r"(?:[A-Z .]+ TO:|FADE (?:IN|OUT)[:.]?|CONTINUED:?|\(?CONTINUED\)?:?|THE END\.?)")
_BRACKETS = re.compile(r"\s*\([^)]*\)")
_LONGEST_CUE = 40
_LONGEST_PARAGRAPH = 600  # longer action is taken apart between its sentences
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

# things that somebody handles; a page's own words decide, this only says which of them are things
PROPS = frozenset(
    each
    for line in (
        "axe bag basket bell binoculars blade book bottle bowl box bracelet briefcase bucket candle card",
        "cigarette coin compass cup diary envelope file flare flashlight flask folder fork glass gun",
        "hammer handcuffs helmet key keys knife ladder lamp lantern laptop letter lighter locket map mask match",
        "matches medal mirror money mug necklace newspaper notebook oar painting passport pen pencil phone photo",
        "photograph pipe pistol plate purse radio revolver rifle ring rope scissors shovel spoon suitcase sword",
        "syringe tablet tape telegram telephone ticket torch toy tray umbrella walkie-talkie wallet watch whistle wrench",
    )
    for each in line.split()
)
_AGED = re.compile(
    r"\b([A-Z][A-Z'’.-]+(?: [A-Z][A-Z'’.-]+)*)\s*[,(]\s*((?:early |mid |late |mid-|late-)?[0-9]{1,2}0?s?[^).]*)"
)


@dataclass(slots=True)
class Paragraph:
    """A piece of action, or somebody's speech (`speaker` is set)."""

    text: str = field(repr=False)
    speaker: str | None = field(repr=False, default=None)


@dataclass(slots=True)
class ScenePage:
    """`setting` is interior, exterior, interior_exterior or empty; what the page doesn't say is empty."""

    number: str
    heading: str = field(repr=False)
    setting: str = ""
    location: str = field(repr=False, default="")
    time_of_day: str = field(repr=False, default="")
    paragraphs: list[Paragraph] = field(repr=False, default_factory=list)

    @property
    def action(self) -> list[str]:
        return [each.text for each in self.paragraphs if each.speaker is None]

    @property
    def speakers(self) -> list[str]:
        return list(dict.fromkeys(each.speaker for each in self.paragraphs if each.speaker))


def read_page(text: str) -> list[ScenePage]:
    """Return the scenes of a page in order; what stands before the first heading is a scene of its own."""
    scenes: list[ScenePage] = []
    for block in _blocks(text):
        heading = _HEADING.fullmatch(block[0])
        if heading is not None:
            scenes.append(_scene(block[0], heading))
        lines = block[1:] if heading is not None else block
        if not lines:
            continue
        if not scenes:
            scenes.append(ScenePage("", "UNTITLED SCENE"))
        scenes[-1].paragraphs.extend(_paragraphs(lines))
    return scenes


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines between blank ones; a heading always begins a block, and transitions are left out."""
    block: list[str] = []
    for raw in text.splitlines():
        line = " ".join(raw.split())
        starts = bool(line) and _HEADING.fullmatch(line) is not None
        if (not line or starts) and block:
            yield block
            block = []
        if line and not _TRANSITION.fullmatch(line):
            block.append(line)
    if block:
        yield block


def _scene(line: str, heading: re.Match[str]) -> ScenePage:
    where = heading["where"].replace(" ", "")
    both = "/" in where
    setting = "interior_exterior" if both else "interior" if where.startswith("INT") else "exterior"
    location, _, time_of_day = heading["rest"].rpartition(" - ")
    if not location:
        location, time_of_day = time_of_day, ""
    number = heading["before"] or heading["after"] or ""
    return ScenePage(number, line, setting, location.strip(" -."), time_of_day.strip(" -."))


def _paragraphs(block: list[str]) -> Iterator[Paragraph]:
    if len(block) > 1 and is_cue(block[0]):
        speech = " ".join(line for line in block[1:] if not (line.startswith("(") and line.endswith(")")))
        yield Paragraph(speech, _BRACKETS.sub("", block[0]).strip())
        return
    piece = ""
    for sentence in _SENTENCE_END.split(" ".join(block)):
        if piece and len(piece) + len(sentence) > _LONGEST_PARAGRAPH:
            yield Paragraph(piece)
            piece = ""
        piece = f"{piece} {sentence}".strip()
    if piece:
        yield Paragraph(piece)


def is_cue(line: str) -> bool:
    """Say whether a line names who speaks next: capitals, short, no sentence."""
    name = _BRACKETS.sub("", line).strip()
    letters = [each for each in name if each.isalpha()]
    return bool(letters) and name == name.upper() and len(name) <= _LONGEST_CUE and name[-1] not in ".:!?"


def introduced(scenes: list[ScenePage]) -> dict[str, str]:
    """Return who is introduced in capitals with an age, and what stands there of them: MARA (30s, wet coat)."""
    found: dict[str, str] = {}
    for scene in scenes:
        for text in scene.action:
            for name, said in _AGED.findall(text):
                found.setdefault(name, said.strip(" ,"))
    return found


def mentions(text: str, name: str) -> bool:
    """Say whether a text has this name as whole words, in any letter case."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def props_in(text: str) -> list[str]:
    """Return the things of a text in the order in which they come, once each, in lower case."""
    words = re.findall(r"[a-z]+(?:-[a-z]+)?", text.lower())
    return list(dict.fromkeys(each for each in words if each in PROPS))
