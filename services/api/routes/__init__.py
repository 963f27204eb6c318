"""Every route, by who calls it."""

from fastapi import APIRouter

from services.api.routes import generations, takes

TENANT: list[APIRouter] = [generations.router, takes.router]
OPEN: list[APIRouter] = []
ADMIN: list[APIRouter] = []
WEBHOOKS: list[APIRouter] = []
