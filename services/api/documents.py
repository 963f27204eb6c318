"""The OpenAPI document of one application: what FastAPI derives, and what it can't know."""

import re
import threading
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.api import problems

_METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
_FIRST_SENTENCE = re.compile(r"\S.*?(?=[.;:](?:\s|$)|$)", re.DOTALL)
_PARAMETER = re.compile(r"\\{[a-z_]+\\}")


def operation_id(route: APIRoute) -> str:
    """Names that a generated client can be read by: `generations_request`, `takes_circle`."""
    tag = str(route.tags[0]) if route.tags else "gateway"
    return f"{tag}_{route.name}".replace("-", "_").replace(" ", "_")


def describe(app: FastAPI, path: str, *, read_by_hand: Sequence[type[BaseModel]] = ()) -> None:
    """Let the application give its document at `path`, and 405 answers that name every method.

    `read_by_hand`: bodies that a route parses itself, and that FastAPI therefore doesn't know. The document takes
    seconds and is made once, for whoever asks first, on a thread: a coroutine would keep everybody else waiting.
    """
    by_hand: list[type[BaseModel]] = [problems.Problem, *read_by_hand]
    one_at_a_time = threading.Lock()

    def document() -> dict[str, Any]:
        with one_at_a_time:
            return _document(app, by_hand)

    @app.get(path, include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(document())

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to change it
    app.state.allowed = lambda path: allowed(app.openapi(), path)


def _document(app: FastAPI, by_hand: Sequence[type[BaseModel]]) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            webhooks=app.webhooks.routes,
            license_info=app.license_info,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in by_hand:
            schemas.update(_schemas(model))
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for item in document["paths"].values():
            for method in _METHODS & item.keys():
                _summarise(item[method])
                _keep_to_3_1(item[method])
        app.openapi_schema = document
    return app.openapi_schema


def _summarise(operation: dict[str, Any]) -> None:
    """Say in one line what it does: FastAPI makes the line from the function's name, which may be just `get`."""
    found = _FIRST_SENTENCE.match(operation.get("description", ""))
    if found:
        operation["summary"] = " ".join(found[0].split())


def _keep_to_3_1(operation: dict[str, Any]) -> None:
    """FastAPI describes the events of a stream with `itemSchema`, which OpenAPI has from 3.2 on."""
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            content.pop("itemSchema", None)


def allowed(document: dict[str, Any], path: str) -> list[str]:
    """Return the methods that a path takes, in alphabetical order; none for a path that isn't in the document."""
    found: set[str] = set()
    exact = {path: document["paths"][path]} if path in document["paths"] else document["paths"]
    for template, item in exact.items():
        if re.fullmatch(_PARAMETER.sub("[^/]+", re.escape(template)), path):
            found |= {method.upper() for method in item if method in _METHODS}
    return sorted(found)


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    return {model.__name__: schema, **parts}
