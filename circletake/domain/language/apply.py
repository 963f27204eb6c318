"""From the shots of a breakdown to rows that a production can import."""

from collections.abc import Collection

from circletake.domain.language.breakdown import Breakdown, ProposedShot, sequence_code
from circletake.domain.pictures import Violation
from circletake.domain.shot_files import ShotRow


def kept_shots(breakdown: Breakdown, codes: Collection[str] | None) -> tuple[list[int], list[Violation]]:
    """Return the places of the shots that a person kept, all of them without `codes`, and the codes that no shot
    has."""
    if codes is None:
        return list(range(len(breakdown.shots))), []
    known = {shot.code for shot in breakdown.shots}
    missing = [
        Violation(f"/shots/{index}", "unknown_shot", "The breakdown has no shot with this code.")
        for index, code in enumerate(codes)
        if code not in known
    ]
    wanted = set(codes)
    return [place for place, shot in enumerate(breakdown.shots) if shot.code in wanted], missing


def shot_notes(shot: ProposedShot) -> str:
    """Return what the shot's notes say in the production."""
    facts = [
        f"Size: {shot.size.value}" if shot.size else None,
        f"Camera: {shot.camera}" if shot.camera else None,
        f"Characters: {', '.join(shot.characters)}" if shot.characters else None,
        f"Props: {', '.join(shot.props)}" if shot.props else None,
    ]
    parts = [shot.description, "\n".join(each for each in facts if each), shot.notes or ""]
    return "\n\n".join(part for part in parts if part)


def shot_row(place: int, shot: ProposedShot, *, sequence: str | None, episode: str | None) -> ShotRow:
    """Return one shot as a row of an import. Without `sequence` each scene is one; `place` counts from 0."""
    given: dict[str, str | int | None] = {
        "sequence": sequence or sequence_code(shot.scene),
        "notes": shot_notes(shot),
    }
    if episode is not None:
        given["episode"] = episode
    return ShotRow(place + 1, shot.code, given)
