"""Every route, by who calls it."""

from fastapi import APIRouter

from services.api.routes import admin, generations, health, takes

TENANT: list[APIRouter] = [generations.router, takes.router]
OPEN: list[APIRouter] = [health.router]
ADMIN: list[APIRouter] = [*admin.ROUTERS]
WEBHOOKS: list[APIRouter] = []
