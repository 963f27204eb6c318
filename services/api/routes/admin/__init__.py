"""The operator's routes."""

from fastapi import APIRouter

from services.api.routes.admin import keys, tenants

ROUTERS: list[APIRouter] = [tenants.router, keys.router]
