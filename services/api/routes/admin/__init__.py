"""The operator's routes."""

from fastapi import APIRouter

from services.api.routes.admin import identity_providers, keys, models, queue, tenants

ROUTERS: list[APIRouter] = [
    tenants.router,
    keys.router,
    identity_providers.router,
    queue.router,
    models.router,
]
