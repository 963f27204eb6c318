"""The operator's routes."""

from fastapi import APIRouter

from services.api.routes.admin import identity_providers, keys, models, queue, settlements, tenants

ROUTERS: list[APIRouter] = [
    tenants.router,
    keys.router,
    identity_providers.router,
    queue.router,
    settlements.router,
    models.router,
]
