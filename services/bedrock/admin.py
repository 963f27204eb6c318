"""The server's own calls, under `/_offline/`: health for everyone, faults and the call log for the operator."""

import hmac
import ipaddress
import json
from urllib.parse import parse_qsl

from services.bedrock.calls import CallLog
from services.bedrock.faults import BadRule, FaultBook
from services.bedrock.http import Answer, Request, json_answer
from services.bedrock.settings import ADMIN_TOKEN_VARIABLE, Settings

PREFIX = "/_offline/"
_MAX_ROWS = 10_000


class Admin:
    def __init__(self, settings: Settings, book: FaultBook, log: CallLog) -> None:
        self._settings = settings
        self._book = book
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
        return self._faults(request, route)

    def _faults(self, request: Request, route: tuple[str, str]) -> Answer:
        match route:
            case ("GET", "faults"):
                return json_answer({"faults": self._book.rules()})
            case ("POST", "faults"):
                return self._add(request)
            case ("DELETE", "faults"):
                self._book.clear()
            case ("DELETE", path) if path.startswith("faults/"):
                self._book.clear(path.removeprefix("faults/"))
            case _:
                return json_answer({"message": "no such call"}, 404)
        return Answer(204, b"")

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

    def _add(self, request: Request) -> Answer:
        try:
            return json_answer(self._book.add(json.loads(request.body or b"")), 201)
        except (ValueError, RecursionError):
            return json_answer({"message": "the body is not JSON"}, 400)
        except BadRule as error:
            return json_answer({"message": str(error)}, 400)

    async def _calls(self, request: Request) -> Answer:
        query = dict(parse_qsl(request.query))
        after, limit = query.get("after", "0"), query.get("limit", "1000")
        if not after.isdecimal() or not limit.isdecimal() or not 1 <= int(limit) <= _MAX_ROWS:
            return json_answer({"message": f"after and limit (1 to {_MAX_ROWS}) are integers"}, 400)
        rows = await self._log.read(int(after), int(limit))
        return json_answer({"calls": rows, "next_after": rows[-1]["id"] if rows else int(after)})
