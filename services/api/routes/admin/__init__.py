"""The operator's routes."""

from fastapi import APIRouter

from services.api.routes.admin import keys, models, queue, tenants

ROUTERS: list[APIRouter] = [tenants.router, keys.router, queue.router, models.router]
