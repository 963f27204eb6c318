"""The refusals that permission gives, with what exactly is missing."""

from circletake.domain.errors import Conflict
from circletake.domain.permission.consents import Permission


def consent_required(permission: Permission) -> Conflict:
    """409 `consent_required`: one line for each thing that is missing."""
    return Conflict(
        permission.missing[0].says,
        code="consent_required",
        missing=[
            {
                "character_id": str(each.character_id),
                "performer_id": str(each.performer_id) if each.performer_id else None,
                "consent_id": str(each.consent_id) if each.consent_id else None,
                "code": each.code,
                "says": each.says,
            }
            for each in permission.missing
        ],
    )
