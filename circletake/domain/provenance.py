"""The words of provenance, and the digital source type computed from lineage; nobody types it by hand.

Sources: C2PA Technical Specification 2.4, the IPTC Digital Source Type NewsCodes, CAWG Training and Data Mining
Assertion 1.1, PLUS LDF.
"""

from collections.abc import Iterable
from enum import StrEnum

SPEC_VERSION = "2.4.0"
IPTC_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DATA_MINING_PROHIBITED = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"  # PLUS LDF, IPTC 2023.1

ACTIONS_LABEL = "c2pa.actions.v2"
AI_DISCLOSURE_LABEL = "c2pa.ai-disclosure"
TRAINING_MINING_LABEL = "cawg.training-mining"
GENERATION_LABEL = "com.circletake.generation"

TRAINING_MINING_USES = (
    "cawg.ai_inference",
    "cawg.ai_generative_training",
    "cawg.ai_training",
    "cawg.data_mining",
)
OVERSIGHT_LEVELS = frozenset({"fully_autonomous", "prompt_guided", "human_validated"})
RELATIONSHIPS = frozenset({"parentOf", "componentOf", "inputTo"})


class SourceType(StrEnum):
    """IPTC Digital Source Type codes, as last changed in 2025."""

    DIGITAL_CAPTURE = "digitalCapture"
    COMPUTATIONAL_CAPTURE = "computationalCapture"
    NEGATIVE_FILM = "negativeFilm"
    POSITIVE_FILM = "positiveFilm"
    PRINT = "print"
    HUMAN_EDITS = "humanEdits"
    COMPOSITE_CAPTURE = "compositeCapture"
    ALGORITHMICALLY_ENHANCED = "algorithmicallyEnhanced"
    DATA_DRIVEN_MEDIA = "dataDrivenMedia"
    DIGITAL_CREATION = "digitalCreation"
    VIRTUAL_RECORDING = "virtualRecording"
    SCREEN_CAPTURE = "screenCapture"
    COMPOSITE = "composite"
    COMPOSITE_SYNTHETIC = "compositeSynthetic"
    TRAINED_ALGORITHMIC_MEDIA = "trainedAlgorithmicMedia"
    COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA = "compositeWithTrainedAlgorithmicMedia"
    ALGORITHMIC_MEDIA = "algorithmicMedia"

    @property
    def uri(self) -> str:
        return IPTC_SOURCE_TYPES + self.value


_CAPTURED = frozenset(
    {
        SourceType.DIGITAL_CAPTURE,
        SourceType.COMPUTATIONAL_CAPTURE,
        SourceType.NEGATIVE_FILM,
        SourceType.POSITIVE_FILM,
        SourceType.PRINT,
        SourceType.COMPOSITE_CAPTURE,
    }
)
_SYNTHETIC = frozenset(
    {
        SourceType.TRAINED_ALGORITHMIC_MEDIA,
        SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA,
        SourceType.COMPOSITE_SYNTHETIC,
    }
)


# --- the digital source type ----------------------------------------------------------------------------------


def source_type_of_take(
    model_source_type: str, *, on_plate: bool, plate_source_type: str | None = None
) -> SourceType:
    """Compute the type of a take from its lineage.

    `model_source_type` is the catalogue's type of the model; `on_plate` says whether its result was laid back onto a
    plate, and `plate_source_type` what that was, where it is known: a region filled in what such a model made is
    still wholly of that type. Raises ValueError for a model type that makes no pictures of its own: then the
    catalogue is wrong.
    """
    alike = on_plate and plate_source_type == model_source_type
    match SourceType(model_source_type), on_plate and not alike:
        case SourceType.TRAINED_ALGORITHMIC_MEDIA, False:
            return SourceType.TRAINED_ALGORITHMIC_MEDIA
        case SourceType.TRAINED_ALGORITHMIC_MEDIA, True:
            return SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
        case SourceType.ALGORITHMIC_MEDIA, False:
            return SourceType.ALGORITHMIC_MEDIA
        case SourceType.ALGORITHMIC_MEDIA, True:
            return SourceType.COMPOSITE_SYNTHETIC
        case _:
            raise ValueError(f"a model's own source type is never {model_source_type}")


def source_type_of_composite(parts: Iterable[str]) -> SourceType:
    """Compute the type of a picture laid out from others: a contact sheet.

    A sheet without pictures is lettering drawn by an algorithm. One synthetic part makes the whole
    `compositeSynthetic`; only captures make `compositeCapture`; any other mix is `composite`.
    """
    types = {SourceType(part) for part in parts}
    if types <= {SourceType.ALGORITHMIC_MEDIA}:
        return SourceType.ALGORITHMIC_MEDIA
    if types & _SYNTHETIC:
        return SourceType.COMPOSITE_SYNTHETIC
    if types <= _CAPTURED:
        return SourceType.COMPOSITE_CAPTURE
    return SourceType.COMPOSITE


def source_type_of_proxy(original: str) -> SourceType:
    """Return the type of a proxy or poster: scaling and encoding change nothing about where a picture came from."""
    return SourceType(original)
