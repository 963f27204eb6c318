"""The form of a catalogue file. Unknown keys, floats for money and contradictions are refused."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from circletake.dialects.registry import DIALECTS, EMBEDDERS, JUDGES, LANGUAGES
from circletake.domain.controls import CONTROLS
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelUse, PriceUnit


def _as_written(value: Any) -> Any:
    """Refuse a float: by the time we see it, it is no longer the number that was written."""
    if not isinstance(value, str):
        raise ValueError('write money in quotes, as "0.08"')  # noqa: TRY004 - pydantic reports ValueErrors
    return value


Money = Annotated[Decimal, BeforeValidator(_as_written), Field(ge=0, max_digits=12, decimal_places=6)]
Text = Annotated[str, Field(min_length=1)]
MediaType = Literal["image/png", "image/jpeg", "image/webp"]
DigitalSourceType = Literal["trainedAlgorithmicMedia", "algorithmicMedia"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceEntry(_Strict):
    unit: PriceUnit
    usd: Money
    usd_output: Money | None = None
    by_resolution: dict[str, Money] = {}
    as_of: date
    source: Text
    confirmed: bool

    @model_validator(mode="after")
    def _tokens_have_two_prices(self) -> Self:
        if (self.unit == "1000_tokens") != (self.usd_output is not None):
            raise ValueError("a price per token, and only that, needs usd_output beside usd")
        return self


class InputLimits(_Strict):
    min_side: PositiveInt
    max_side: PositiveInt | None = None
    min_pixels: PositiveInt | None = None
    max_pixels: PositiveInt | None = None
    max_ratio: Annotated[float, Field(ge=1)] | None = None
    max_bytes: PositiveInt
    media_types: Annotated[tuple[MediaType, ...], Field(min_length=1)]


class SlotLimits(InputLimits):
    required: Literal[True] | None = None  # the model can't do without, whatever the kind says
    polarity: Literal["white_changes", "black_changes"] | None = (
        None  # of a matte; white_changes unless given
    )


class ControlLimits(_Strict):
    values: tuple[str | int, ...] | None = None
    min: float | None = None
    max: float | None = None
    default: str | bool | int | float | None = None
    nearest: bool | None = None

    @model_validator(mode="after")
    def _default_is_offered(self) -> Self:
        if self.default is None:
            return self
        if self.values is not None and self.default not in self.values:
            raise ValueError("the default is not among the values")
        number = isinstance(self.default, int | float)
        if number and self.min is not None and self.default < self.min:  # type: ignore[operator]
            raise ValueError("the default is below the minimum")
        if number and self.max is not None and self.default > self.max:  # type: ignore[operator]
            raise ValueError("the default is above the maximum")
        return self


class Limits(_Strict):
    prompt: Literal["required", "refused"] | None = None  # where its kinds leave it open
    prompt_max_chars: PositiveInt | None = None
    negative_prompt_max_chars: PositiveInt | None = None
    search_prompt_max_chars: PositiveInt | None = None  # else as the prompt
    request_max_bytes: PositiveInt | None = None
    inputs: dict[InputSlot, SlotLimits] = {}
    controls: dict[str, ControlLimits] = {}
    picture: InputLimits | None = None  # a picture that is embedded or judged
    pictures_max: PositiveInt | None = None  # of one judgement
    picture_tokens: PositiveInt | None = None  # the most that one picture counts for
    output_tokens_max: PositiveInt | None = None  # of a judgement
    input_max_chars: PositiveInt | None = None  # of what a language model is sent at once
    written_tokens_max: PositiveInt | None = None  # of what a language model writes at once
    forced_tool: bool | None = None  # false: it refuses to be forced to use a tool
    temperature: bool | None = None  # false: it refuses a temperature
    dimensions: tuple[PositiveInt, ...] | None = None  # of a vector; the first is asked for


class Terms(_Strict):
    url: Text
    captured_on: date | None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    training_on_inputs: Text
    shared_with_provider: Text
    indemnity: Text
    source: Text


class NativeMode(_Strict):
    words: Text
    picture: Text


class NativeEntry(_Strict):
    """The members of the model's own language. Controls that aren't named here are sent under our names."""

    inputs: dict[InputSlot, Text] = {}
    controls: dict[str, Text] = {}
    search_prompt: Text | None = None
    mode: NativeMode | None = None  # what it calls a request of words alone, and one with a picture


class DraftEntry(_Strict):
    model: Text | None = None
    controls: dict[str, str | bool | int | float] = {}
    input_max_pixels: PositiveInt | None = None


class ModelEntry(_Strict):
    id: Text
    version: Text | None = None
    name: Text
    provider: Text
    dialect: Text
    kinds: tuple[Kind, ...] = ()
    uses: tuple[ModelUse, ...] = ()
    mode: Literal["sync", "async"]
    regions: Annotated[tuple[Text, ...], Field(min_length=1)]
    lifecycle: Literal["active", "legacy", "eol"]
    eol_on: date | None = None
    successor: str | None = None
    price: PriceEntry
    controls: tuple[str, ...]
    seed: Literal["honoured", "unsupported"]
    limits: Limits
    native: NativeEntry = NativeEntry()
    on_unknown: Literal["retry", "hold"]
    max_running: Annotated[int, Field(ge=0)]
    timeout_seconds: PositiveInt
    digital_source_type: DigitalSourceType
    terms: Terms
    unconfirmed: tuple[str, ...]

    @model_validator(mode="after")
    def _life_and_language_agree(self) -> Self:
        if self.lifecycle == "eol":
            if self.eol_on is None:
                raise ValueError("a model that ended needs eol_on")
            return self
        for book, wanted in (
            (DIALECTS, bool(self.kinds)),
            (EMBEDDERS, ModelUse.EMBEDDING in self.uses),
            (JUDGES, ModelUse.JUDGE in self.uses),
            (LANGUAGES, ModelUse.LANGUAGE in self.uses),
        ):
            if wanted and self.dialect not in book:
                raise ValueError(
                    f"there is no dialect {self.dialect!r} for that; there are: {', '.join(sorted(book))}"
                )
        if self.max_running < 1:
            raise ValueError("a live model needs max_running of 1 or more")
        return self

    @model_validator(mode="after")
    def _it_is_good_for_something(self) -> Self:
        if not self.kinds and not self.uses:
            raise ValueError("a model needs kinds or uses")
        if self.lifecycle == "eol":
            return self  # it is shown, never asked
        if self.kinds and self.price.unit == "1000_tokens":
            raise ValueError("takes are priced per image or per second")
        if ModelUse.EMBEDDING in self.uses and not (self.limits.dimensions and self.limits.picture):
            raise ValueError("an embedding model needs limits for dimensions and picture")
        judging = (self.limits.picture, self.limits.pictures_max, self.limits.picture_tokens)
        if ModelUse.JUDGE in self.uses and not (all(judging) and self.limits.output_tokens_max):
            raise ValueError(
                "a judge needs limits for picture, pictures_max, picture_tokens and output_tokens_max"
            )
        if ModelUse.JUDGE in self.uses and self.price.unit != "1000_tokens":
            raise ValueError("a judge is priced per token")
        if ModelUse.LANGUAGE in self.uses and not (
            self.limits.input_max_chars and self.limits.written_tokens_max
        ):
            raise ValueError("a language model needs limits for input_max_chars and written_tokens_max")
        if ModelUse.LANGUAGE in self.uses and self.price.unit != "1000_tokens":
            raise ValueError("a language model is priced per token")
        return self

    @model_validator(mode="after")
    def _controls_are_known(self) -> Self:
        for name in (*self.controls, *self.limits.controls):
            if name not in CONTROLS:
                raise ValueError(f"the API has no control {name!r}")
            if name not in self.controls:
                raise ValueError(f"limits name the control {name!r}, which is not among the model's controls")
        return self

    @model_validator(mode="after")
    def _its_kinds_can_be_asked(self) -> Self:
        if self.lifecycle != "eol" and self.kinds:
            for fault in (*_native_faults(self), *_kind_faults(self)):
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _every_length_sold_has_a_price(self) -> Self:
        if self.lifecycle == "eol" or self.price.unit != "second":
            return self
        if "duration_seconds" not in self.limits.controls:
            raise ValueError("a price per second needs limits for duration_seconds")
        resolution = self.limits.controls.get("resolution")
        for value in (resolution.values if resolution else None) or ():
            if value not in self.price.by_resolution:
                raise ValueError(f"there is no price for {value}")
        return self


def _native_faults(entry: ModelEntry) -> Iterator[str]:
    slots, members = entry.limits.inputs, entry.native.inputs
    for slot in sorted(slots.keys() - members.keys()):
        yield f"native.inputs doesn't say under which member a {slot.value} is sent"
    for slot in sorted(members.keys() - slots.keys()):
        yield f"native.inputs names {slot.value}, which has no limits.inputs"
    for name in entry.native.controls:
        if name not in entry.controls:
            yield f"native.controls names {name!r}, which is not among the model's controls"
    for kind in entry.kinds:
        sent = [members[slot] for slot in sorted(_sent(kind)) if slot in members]
        if len(set(sent)) < len(sent):
            yield f"native.inputs sends two pictures of a {kind.value} under one member"
        if RULES[kind].search == "required" and entry.native.search_prompt is None:
            yield f"{kind.value} needs native.search_prompt: the member of what is looked for"


def _kind_faults(entry: ModelEntry) -> Iterator[str]:
    limits = entry.limits.inputs
    for kind in entry.kinds:
        rule = RULES[kind]
        for slot in sorted(rule.required - rule.not_sent - limits.keys()):
            yield f"{kind.value} needs a {slot.value}, and limits.inputs has none"
        for slot, each in limits.items():
            if each.required and slot not in _sent(kind):
                yield f"the model needs a {slot.value}, and a {kind.value} has none"
        if rule.prompt == "required" and entry.limits.prompt == "refused":
            yield f"{kind.value} needs a prompt, and limits.prompt refuses it"


def _sent(kind: Kind) -> frozenset[InputSlot]:
    return RULES[kind].slots - RULES[kind].not_sent


class CatalogueFile(_Strict):
    version: Literal[1]
    defaults: dict[Kind | LanguageTask, Text] = {}
    drafts: dict[Kind, DraftEntry] = {}
    models: tuple[ModelEntry, ...] = ()
