"""A client that nobody here wrote: generated from the OpenAPI document by a standard generator, it does the whole job."""

import hashlib
import importlib
import importlib.util
import io
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import UUID

import aiohttp
import cv2
import numpy as np
import pytest

from services.embedded.stack import Stack
from tests.gateway import Studio

PACKAGE = "circletake_as_generated"
WIDTH, HEIGHT = 640, 360
# without hooks that format; these are told to be what they are for a client: files
FILES = dict.fromkeys(("text/csv", "application/pdf", "application/yaml"), "application/octet-stream")
CONFIG = {"post_hooks": [], "content_type_overrides": FILES}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def document(running: Stack, http: aiohttp.ClientSession) -> dict[str, Any]:
    async with http.get(running.api_url + "/v1/openapi.json") as answer:
        found: dict[str, Any] = await answer.json()
    return found


@pytest.fixture(scope="module")
def generated(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    place = tmp_path_factory.mktemp("client")
    (place / "openapi.json").write_text(json.dumps(document))
    (place / "config.json").write_text(json.dumps(CONFIG))
    command = [
        sys.executable,
        "-m",
        "openapi_python_client",
        "generate",
        "--path",
        str(place / "openapi.json"),
    ]
    command += [
        "--config",
        str(place / "config.json"),
        "--meta",
        "none",
        "--output-path",
        str(place / PACKAGE),
    ]
    subprocess.run(command, check=True, cwd=place, capture_output=True, timeout=120)
    sys.path.insert(0, str(place))
    try:
        yield importlib.import_module(PACKAGE)
    finally:
        sys.path.remove(str(place))
        for name in [each for each in sys.modules if each.split(".")[0] == PACKAGE]:
            del sys.modules[name]


class Pipeline:
    """A studio's script: calls operations of the generated client by their ids, and insists on an answer."""

    def __init__(self, generated: ModuleType, base: str, key: str) -> None:
        self.client = generated.AuthenticatedClient(base_url=base, token=key, timeout=60)
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self.types = importlib.import_module(f"{PACKAGE}.types")

    async def ask(self, operation_id: str, *path: Any, **arguments: Any) -> Any:
        tag = operation_id.split("_", maxsplit=1)[0]
        operation = importlib.import_module(f"{PACKAGE}.api.{tag}.{operation_id}")
        answer = await operation.asyncio(*path, client=self.client, **arguments)
        assert answer is not None, f"{operation_id}: an answer that the document doesn't declare"
        assert not isinstance(answer, self.models.Problem), answer
        return answer

    async def upload(self, http: aiohttp.ClientSession, shot: Any, name: str, png: bytes) -> UUID:
        body = self.models.MediaBody(
            production_id=shot.production_id,
            shot_id=shot.id,
            role=self.models.MediaRole(name),
            name=f"{name}.png",
            media_type=self.models.MediaBodyMediaType.IMAGEPNG,
            rights_basis=self.models.RightsBasis.OWNED,
            size=len(png),
            sha256=hashlib.sha256(png).hexdigest(),
        )
        declared = await self.ask("media_declare", body=body)
        headers = declared.upload.headers.to_dict()
        async with http.put(declared.upload.url, data=png, headers=headers) as put:
            assert put.status == 200, await put.text()
        done = await self.ask("media_complete", declared.id, prefer="wait=30")
        assert done.state == "ready", done.problem
        found: UUID = done.id
        return found

    async def generate(self, **body: Any) -> Any:
        wanted = self.models.GenerationBody.from_dict(body)
        accepted = await self.ask("generations_request", body=wanted, idempotency_key=body["external_ref"])
        done = await self.ask("generations_get", accepted.id, prefer="wait=30")
        assert done.state == "succeeded", done
        return done


@pytest.fixture
async def pipeline(generated: ModuleType, studio: Studio) -> Any:
    made = Pipeline(generated, studio.base, studio.key)
    async with made.client:
        yield made


def a_code() -> str:
    return f"GEN{secrets.token_hex(3)}"


def plate() -> bytes:
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([across % 256, down % 256, (across + down) % 256], axis=2).astype(np.uint8)
    done, png = cv2.imencode(".png", pixels)
    assert done
    return png.tobytes()


def test_the_generator_leaves_no_operation_out(generated: ModuleType, document: dict[str, Any]) -> None:
    """Every operation of the document has its module, under its tag and its own id."""
    missing = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if importlib.util.find_spec(
            f"{PACKAGE}.api.{operation['tags'][0].replace(' ', '_')}.{operation['operationId']}"
        )
        is None
    ]
    assert not missing


async def test_a_generated_client_completes_the_job(
    generated: ModuleType, pipeline: Pipeline, studio: Studio, http: aiohttp.ClientSession
) -> None:
    """From an empty account to circled, proved and downloaded takes, with nothing but generated code."""
    ask, models = pipeline.ask, pipeline.models
    production = await ask(
        "productions_create_production", body=models.ProductionBody(code=a_code(), title="The Lighthouse")
    )
    shot = await ask("shots_create_shot", production.id, body=models.ShotBody(code="AGM_104_TCC_0010"))
    plate_id = await pipeline.upload(http, shot, "plate", plate())

    context = {"production_id": str(production.id), "shot_id": str(shot.id), "seed": 7}
    extended = await pipeline.generate(
        **context,
        kind="set_extension",
        prompt="the cliff goes on to the left",
        inputs={"plate": str(plate_id)},
        controls={"extend": {"left": 64}},
        external_ref="SG-1",
    )
    concept = await pipeline.generate(
        **context, kind="concept_art", prompt="a lighthouse over a black sea", takes=2, external_ref="SG-2"
    )
    assert [len(each.takes) for each in (extended, concept)] == [1, 2]

    take = await ask("takes_get", extended.takes[0].id)
    assert (take.state, take.billed, take.seed) == ("succeeded", "true", 7)
    editor = Pipeline(generated, studio.base, (await studio.person("reviewer")).key)
    async with editor.client:
        circled = await editor.ask("takes_circle", take.id, body=models.ActReason(reason="the one"))
    assert circled.circled

    verified = await ask("verify_verify", body=models.VerifyBody(take_id=take.id), prefer="wait=30")
    assert (verified.state, verified.status) == ("done", "trusted")

    granted = await ask("media_download", take.media_id)
    async with http.get(granted.url) as answer:
        png = await answer.read()
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (HEIGHT, WIDTH + 64, 3)

    register = (await ask("productions_get_ai_register_csv", production.id)).splitlines()
    assert len(register) == 1 + 3
    assert sum(str(concept.id).encode() in line for line in register) == 2


def test_a_generated_client_imports_a_shot_list(generated: ModuleType, studio: Studio) -> None:
    """A file goes up as a file, and every row is answered."""
    create = importlib.import_module(f"{PACKAGE}.api.productions.productions_create_production")
    upload = importlib.import_module(f"{PACKAGE}.api.shots.shots_import_production_shots")
    models = importlib.import_module(f"{PACKAGE}.models")
    types = importlib.import_module(f"{PACKAGE}.types")
    rows = io.BytesIO(b"code,sequence\nTCC_0010,TCC\nTCC_0020,TCC\n")
    with generated.AuthenticatedClient(base_url=studio.base, token=studio.key, timeout=60) as client:
        production = create.sync(client=client, body=models.ProductionBody(code=a_code(), title="Imported"))
        report = upload.sync(production.id, client=client, body=types.File(payload=rows))
    assert [row.outcome for row in report.rows] == ["created", "created"]


async def test_a_generated_client_reads_what_was_wrong(pipeline: Pipeline) -> None:
    """A refusal is a typed problem with pointers, not an exception or nothing."""
    operation = importlib.import_module(f"{PACKAGE}.api.generations.generations_request")
    body = pipeline.models.GenerationBody.from_dict(
        {"production_id": "01a20000-0000-7000-8000-000000000000", "kind": "concept_art", "takes": 21}
    )
    problem = await operation.asyncio(client=pipeline.client, body=body)
    assert isinstance(problem, pipeline.models.Problem)
    assert {error.pointer for error in problem.errors} >= {"/production_id", "/takes", "/prompt"}
