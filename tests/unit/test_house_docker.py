"""Images, compose file and locks, held to what they promise without a container engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.embedded.s3 import find_python
from tests.unit.house_images import REPOSITORY, Image, compose, images, locked, stages

SERVICES = compose()["services"]
EXAMPLE = REPOSITORY / ".env.example"
LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))

# imports a container's command as if nothing but its own lock were installed
IMPORT = """
import importlib, importlib.metadata, json, re, sys
command, installed = sys.argv[1], set(json.loads(sys.argv[2]))
owners = importlib.metadata.packages_distributions()
class Lock:
    def find_spec(self, name, path=None, target=None):
        owned_by = {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners.get(name.partition(".")[0], [])}
        if owned_by and not owned_by & installed:
            raise ModuleNotFoundError(f"No module named {name!r} in this image", name=name)
sys.meta_path.insert(0, Lock())
importlib.import_module(command)
"""


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return service.get("environment", {})


def start(image: Image, tree: Path, installed: set[str]) -> subprocess.CompletedProcess[str]:
    python = find_python() if image.lock().name == "s3.txt" else Path(sys.executable)
    module = image.module()
    package = (tree / Path(*module.split("."))).is_dir()
    return subprocess.run(
        [python, "-c", IMPORT, f"{module}.__main__" if package else module, json.dumps(sorted(installed))],
        cwd=tree,
        env={"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_when_it_is_well(name: str) -> None:
    """`docker compose up --wait` waits for every service; the one that runs to its end is waited for by its end."""
    service = SERVICES[name]
    waited_for = [
        other["depends_on"][name]["condition"]
        for other in SERVICES.values()
        if name in other.get("depends_on", {})
    ]
    if service["healthcheck"].get("disable"):
        assert set(waited_for) == {"service_completed_successfully"}
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert set(waited_for) <= {"service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    """Nobody is root, gains privileges or keeps capabilities, and no image is whatever is newest."""
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in {"0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert re.fullmatch(r"[a-z0-9/]+:(?!latest)[0-9][\w.-]*", service["image"])
    if "build" in service:
        assert service["read_only"] is True


def test_only_the_gateway_and_the_bucket_server_are_published_and_on_loopback() -> None:
    """Nothing of the stack is reachable from another machine."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "s3"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_databases_and_models_have_no_way_out() -> None:
    """What isn't published and posts no webhooks sits on a network without a gateway."""
    assert compose()["networks"]["inside"]["internal"] is True
    for name, service in SERVICES.items():
        outside = name in {"api", "s3"} or name.startswith("worker")
        assert ("outside" in service["networks"]) is outside, name


def test_each_process_is_given_its_own_database_roles_only() -> None:
    """The owner's password reaches migrations alone, the operator's the gateway alone."""
    roles = {
        name: {variable for variable in environment_of(service) if "DATABASE__" in variable}
        for name, service in SERVICES.items()
    }
    of = {role: {name for name, given in roles.items() if any(role in each for each in given)} for role in
          ("OWNER", "APP", "DISPATCHER", "OPERATOR")}  # fmt: skip
    workers = {name for name in SERVICES if name.startswith("worker")}
    assert of["OWNER"] == {"migrate"}
    assert of["OPERATOR"] == {"api"}
    assert of["APP"] == {"api"} | workers
    assert of["DISPATCHER"] == {"dispatcher"} | workers


def test_no_secret_is_in_the_repository() -> None:
    """Every secret comes from .env, whose example holds names only, and compose refuses to start without one."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(\w+)(?=[:}])", text))
    named = dict(line.split("=", 1) for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#")
    assert asked == set(named)
    secrets = {name for name, value in named.items() if not value}
    assert set(named) - secrets == {"API_PORT", "S3_PORT"}
    for name in secrets:
        assert f"${{{name}:?}}" in text
        assert not re.search(rf"\$\{{{name}(?!:\?)", text)


def test_a_new_env_file_holds_a_different_secret_for_every_name() -> None:
    """`sh infra/docker/new-env.sh > .env` is all a newcomer does about secrets."""
    made = [
        subprocess.run(
            ["sh", "infra/docker/new-env.sh"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    first, second = (dict(line.split("=", 1) for line in text.splitlines()) for text in made)
    assert first.keys() == second.keys()
    values = [value for name, value in {**first}.items() if not name.endswith("_PORT")]
    values += [value for name, value in {**second}.items() if not name.endswith("_PORT")]
    assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"[A-Za-z0-9]{20,}", value) for value in values)


@pytest.mark.parametrize("image", images(), ids=lambda image: image.service)
def test_an_image_is_built_from_what_is_there_and_runs_as_nobody(image: Image) -> None:
    """Every COPY has its source, the libraries come hashed from one lock, and the last user isn't root."""
    for sources, _ in image.copies():
        assert all((REPOSITORY / source).exists() for source in sources), sources
    assert image.lock() in LOCKS
    build = " ".join(stages(image.dockerfile)[0].all("RUN"))
    assert "uv pip sync" in build
    assert "--require-hashes" in build
    assert image.instructions("USER")[-1] == SERVICES[image.service]["user"]
    assert image.instructions("STOPSIGNAL") == ["SIGTERM"]
    assert image.instructions("HEALTHCHECK")
    assert ":latest" not in image.dockerfile.read_text()


@pytest.mark.parametrize("image", images(), ids=lambda image: image.service)
def test_an_image_holds_what_its_command_imports(image: Image, tmp_path: Path) -> None:
    """The command of every image starts from the files copied into it and the libraries of its own lock."""
    image.unpack(tmp_path)
    done = start(image, tmp_path, locked(image.lock()))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "library"),
    [("api", "fastapi"), ("dispatcher", "sqlalchemy"), ("bedrock", "pillow"), ("tsa", "asn1crypto")],
)
def test_a_library_missing_from_the_lock_is_noticed(name: str, library: str, tmp_path: Path) -> None:
    """An import that an image's lock doesn't cover fails here, not at the first start of the container."""
    (image,) = [image for image in images() if image.service == name]
    image.unpack(tmp_path)
    done = start(image, tmp_path, locked(image.lock()) - {library})
    assert "in this image" in done.stderr


@pytest.mark.parametrize("image", images(), ids=lambda image: image.service)
def test_images_share_no_more_of_the_product_than_they_need(image: Image, tmp_path: Path) -> None:
    """The gateway's image has no model server, the offline servers' no use case, and none has tests."""
    image.unpack(tmp_path)
    services = {each.name for each in (tmp_path / "services").iterdir() if each.is_dir()} if (
        tmp_path / "services"
    ).exists() else set()  # fmt: skip
    own = {"migrate": set(), "tsa": {"embedded"}, "s3": {"embedded"}, "worker-1": {"worker"}}
    assert services == own.get(image.service, {image.service})
    if image.service in {"bedrock", "s3", "tsa"}:
        assert not (tmp_path / "circletake" / "usecases").exists()
    assert not (tmp_path / "tests").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_locks_hold_versions_and_hashes_and_no_download_host(lock: Path) -> None:
    """A lock installs the same files from whichever index a studio mirrors."""
    text = lock.read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


@pytest.mark.parametrize(
    "lock",
    [lock for lock in LOCKS if lock.stem not in {"s3", "weights", "weights-build"}],
    ids=lambda lock: lock.stem,
)
def test_images_install_what_the_tests_ran_with(lock: Path) -> None:
    """Every extra holds the versions of the development lock. (The S3 server pins its own botocore, apart; what
    converts the networks is in no image.)"""
    pins = [set(re.findall(r"^([a-z0-9._-]+==\S+)", each.read_text(), flags=re.MULTILINE)) for each in
            (lock, REPOSITORY / "requirements" / "dev.txt")]  # fmt: skip
    assert pins[0]
    assert pins[0] <= pins[1]
