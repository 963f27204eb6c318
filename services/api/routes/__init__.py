"""Every route, by who calls it."""

from fastapi import APIRouter

from services.api.routes import (
    admin,
    episodes,
    events,
    generations,
    health,
    media,
    productions,
    register,
    sequences,
    shots,
    takes,
    verify,
    webhook_events,
    webhooks,
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
    webhooks.router,
    webhooks.deliveries,
    events.router,
]
OPEN: list[APIRouter] = [health.router]
ADMIN: list[APIRouter] = [*admin.ROUTERS]
WEBHOOKS: list[APIRouter] = [webhook_events.router]
