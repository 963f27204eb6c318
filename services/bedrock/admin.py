"""The server's own calls, under `/_offline/`: health for everyone, for the operator the call log and the controls
(`faults`, `drift`, `subjects`, `models`, `versions`: GET lists, POST adds, DELETE removes one or all)."""

import hmac
import ipaddress
import json
from urllib.parse import parse_qsl, unquote

from services.bedrock.calls import CallLog
from services.bedrock.controls import REFUSALS, Book, Controls
from services.bedrock.http import Answer, Request, json_answer
from services.bedrock.settings import ADMIN_TOKEN_VARIABLE, Settings

PREFIX = "/_offline/"
_MAX_ROWS = 10_000


class Admin:
    def __init__(self, settings: Settings, controls: Controls, log: CallLog) -> None:
        self._settings = settings
        self._books = controls.books()
        self._log = log

    async def answer(self, request: Request) -> Answer:
        route = (request.method, request.path.removeprefix(PREFIX))
        if route == ("GET", "health"):
            return json_answer(
                {"status": "ok", "region": self._settings.region, "account": self._settings.account}
            )
        refused = self._refuse(request)
        if refused is not None:
            return json_answer({"message": refused}, 403)
        if route == ("GET", "calls"):
            return await self._calls(request)
        return self._control(request, route[1])

    def _control(self, request: Request, path: str) -> Answer:
        name, _, entry = path.partition("/")
        book = self._books.get(name)
        if book is not None and request.method == "DELETE":
            book.clear(unquote(entry) or None)
            return Answer(204, b"")
        if book is not None and not entry and request.method == "GET":
            return json_answer({name: book.rules()})
        if book is not None and not entry and request.method == "POST":
            return self._add(book, request)
        return json_answer({"message": "no such call"}, 404)

    def _refuse(self, request: Request) -> str | None:
        token = self._settings.admin_token
        if token is None:
            return f"closed: {ADMIN_TOKEN_VARIABLE} is not set"
        try:
            local = ipaddress.ip_address(request.client).is_loopback
        except ValueError:
            local = False
        if not local:
            return "open to this machine only"
        given = request.headers.get("authorization", "").encode("latin-1")
        return (
            None
            if hmac.compare_digest(given, f"Bearer {token}".encode())
            else "wrong or missing bearer token"
        )

    @staticmethod
    def _add(book: Book, request: Request) -> Answer:
        try:
            return json_answer(book.add(json.loads(request.body or b"")), 201)
        except (ValueError, RecursionError):
            return json_answer({"message": "the body is not JSON"}, 400)
        except REFUSALS as error:
            return json_answer({"message": str(error)}, 400)

    async def _calls(self, request: Request) -> Answer:
        query = dict(parse_qsl(request.query))
        after, limit = query.get("after", "0"), query.get("limit", "1000")
        if not after.isdecimal() or not limit.isdecimal() or not 1 <= int(limit) <= _MAX_ROWS:
            return json_answer({"message": f"after and limit (1 to {_MAX_ROWS}) are integers"}, 400)
        rows = await self._log.read(int(after), int(limit))
        return json_answer({"calls": rows, "next_after": rows[-1]["id"] if rows else int(after)})
