"""Every route, by who calls it."""

from fastapi import APIRouter

from services.api.routes import (
    admin,
    episodes,
    generations,
    health,
    media,
    productions,
    register,
    sequences,
    shots,
    takes,
    verify,
)

TENANT: list[APIRouter] = [
    productions.router,
    register.router,
    episodes.router,
    sequences.router,
    shots.router,
    generations.router,
    takes.router,
    media.router,
    verify.router,
]
OPEN: list[APIRouter] = [health.router]
ADMIN: list[APIRouter] = [*admin.ROUTERS]
WEBHOOKS: list[APIRouter] = []
