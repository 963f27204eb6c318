"""What every event of a generation carries."""

from typing import Any

from circletake.records.generations import Generation


def event_data(generation: Generation, **more: Any) -> dict[str, Any]:
    """What every event of a generation carries: ids, and the references by which a tracker knows them."""
    return {
        "production_id": str(generation.production_id),
        "shot_id": str(generation.shot_id) if generation.shot_id else None,
        "external_ref": generation.external_ref,
        "production_external_ref": generation.context_refs.get("production"),
        "shot_external_ref": generation.context_refs.get("shot"),
        **more,
    }
