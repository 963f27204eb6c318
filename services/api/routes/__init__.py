"""Every route, by who calls it."""

from fastapi import APIRouter

from services.api.routes import (
    admin,
    budgets,
    characters,
    consistency_checks,
    console,
    enforcements,
    episodes,
    events,
    generations,
    health,
    holds,
    looks,
    media,
    models,
    people,
    productions,
    profiles,
    quotes,
    references,
    register,
    sequences,
    shots,
    takes,
    usage,
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
    characters.router,
    looks.router,
    references.router,
    profiles.router,
    consistency_checks.router,
    generations.router,
    takes.router,
    holds.router,
    enforcements.router,
    models.router,
    people.router,
    quotes.router,
    budgets.router,
    usage.router,
    media.router,
    verify.router,
    webhooks.router,
    webhooks.deliveries,
    events.router,
]
OPEN: list[APIRouter] = [health.router, console.router]
ADMIN: list[APIRouter] = [*admin.ROUTERS, console.admin_router]
WEBHOOKS: list[APIRouter] = [webhook_events.router]
