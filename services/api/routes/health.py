"""Is the gateway up, and is what it rests on up."""

from typing import Literal

from fastapi import APIRouter

from services.api.schemas.common import Reply

router = APIRouter(tags=["operation"])


class Alive(Reply):
    status: Literal["alive"] = "alive"


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers. It says nothing of what it rests on: see `/readyz`."""
    return Alive()
