"""The operator's routes."""

from fastapi import APIRouter

from services.api.routes.admin import (
    beta,
    identity_providers,
    invoices,
    keys,
    models,
    queue,
    settlements,
    tenants,
)

ROUTERS: list[APIRouter] = [
    tenants.router,
    keys.router,
    beta.router,
    identity_providers.router,
    queue.router,
    settlements.router,
    invoices.router,
    models.router,
]
