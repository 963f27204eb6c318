"""All that the reader of this server may set while it runs: faults, drift, subjects, models brought by ARN, versions."""

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from services.bedrock.drift import BadDrift, Drift, DriftBook
from services.bedrock.faults import BadRule, FaultBook
from services.bedrock.models import BadModel, BroughtModels, Model
from services.bedrock.orders import (
    ClipOrder,
    InpaintOrder,
    LinesOrder,
    PanelOrder,
    PictureOrder,
    StyleGuideOrder,
)
from services.bedrock.subjects import BadSubject, Subject, SubjectBook
from services.bedrock.versions import BadVersion, VersionBook
from services.bedrock.work import NOBODY, Cast

REFUSALS = (BadRule, BadDrift, BadSubject, BadModel, BadVersion)

# where what a prompt names is drawn anew, so that a registered character can be in it
_DRAWN_FROM_WORDS = PanelOrder | InpaintOrder | LinesOrder | StyleGuideOrder | ClipOrder


class Book(Protocol):
    """What every control is: a list of entries with ids."""

    def add(self, document: object) -> dict[str, Any]:
        """Take an entry and return it as it is kept. Raises one of REFUSALS."""
        ...

    def rules(self) -> list[dict[str, Any]]: ...

    def clear(self, entry_id: str | None = None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Controls:
    faults: FaultBook
    drift: DriftBook
    subjects: SubjectBook
    models: BroughtModels
    versions: VersionBook

    def books(self) -> dict[str, Book]:
        """By the name they have under `/_offline/`."""
        return {
            "faults": self.faults,
            "drift": self.drift,
            "subjects": self.subjects,
            "models": self.models,
            "versions": self.versions,
        }

    def cast_for(self, order: PictureOrder | ClipOrder, model: Model, tenant: str) -> Cast:
        """Who is in this call and what goes wrong with them; a drift that strikes is counted."""
        drift = self.drift.strike(order, model.names, tenant)
        named = self.subjects.named_in(order.prompt) if isinstance(order, _DRAWN_FROM_WORDS) else None
        version = self.versions.of(model.names)
        if drift is None and named is None and version is None:
            return NOBODY
        return Cast(named, self.subjects.any_of() if drift else (), drift, version)


def write_cast(cast: Cast) -> str | None:
    """A cast as JSON, so that a run that is taken up again has the same. None for nobody."""
    if cast.empty:
        return None
    return json.dumps(asdict(cast), default=lambda data: base64.b64encode(data).decode())


def read_cast(text: str | None) -> Cast:
    """The cast that `write_cast` wrote."""
    if text is None:
        return NOBODY
    document = json.loads(text)
    drift = document["drift"]
    if drift is not None:
        other = drift["face_picture"]
        drift["face_picture"] = None if other is None else base64.b64decode(other)
        drift["at"] = None if drift["at"] is None else tuple(drift["at"])
    return Cast(
        None if document["named"] is None else _subject(document["named"]),
        tuple(_subject(each) for each in document["known"]),
        None if drift is None else Drift(**drift),
        document.get("version"),
    )


def _subject(document: dict[str, Any]) -> Subject:
    picture = base64.b64decode(document["picture"])
    return Subject(document["id"], document["name"], picture, tuple(document["face"]))
