"""The import rules of pyproject.toml, each broken on purpose in a copy of the tree.

A rule that nobody has seen failing may be checking nothing: a renamed package makes it pass for ever.
"""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("circletake", "services")

# contract id, file that breaks it (appended to, or made), the forbidden import
BREACHES = [
    ("arrows", "circletake/usecases/tools.py", "import circletake.adapters.aws"),
    ("arrows", "circletake/domain/takes.py", "import circletake.ports"),
    ("arrows", "circletake/kit/ids.py", "import circletake.domain.takes"),
    ("arrows", "circletake/records/base.py", "import circletake.usecases.tools"),
    ("arrows", "circletake/newcomer.py", ""),
    ("product-under-services", "circletake/usecases/tools.py", "import services.worker.runner"),
    ("records-of-usecases", "circletake/adapters/s3/store.py", "import circletake.records.base"),
    ("adapters-apart", "circletake/adapters/s3/store.py", "import circletake.adapters.sts.sessions"),
    ("adapters-apart", "circletake/adapters/aws.py", "import circletake.adapters.s3.store"),
    ("services-apart", "services/embedded/own.py", "import services.bedrock.settings"),
    ("stdlib-only", "circletake/domain/takes.py", "import pydantic"),
    ("stdlib-only", "circletake/kit/ids.py", "import sqlalchemy"),
    ("gateway-fence", "services/api/app.py", "import circletake.adapters.webhooks.sender"),
    # not imported by the gateway itself, but by what it imports
    ("gateway-fence", "circletake/usecases/request_generation.py", "import numpy"),
    ("worker-fence", "services/worker/runner.py", "import starlette.requests"),
    ("dispatcher-fence", "services/dispatcher/loop.py", "import circletake.adapters.aws"),
    ("offline-models-apart", "services/bedrock/app.py", "import circletake.kit.clock"),
    ("settings-at-the-roots", "circletake/usecases/tools.py", "import circletake.settings"),
    ("settings-at-the-roots", "services/api/app.py", "from circletake.settings import Settings"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages beside the configuration."""
    root = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    return root


@contextmanager
def planted(file: Path, line: str) -> Iterator[None]:
    before = file.read_bytes() if file.exists() else None
    file.write_bytes((before or b"") + f"\n{line}\n".encode())
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)


def lint(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", *arguments],
        cwd=root,
        env={"COLUMNS": "400"},  # a narrow terminal wraps the contracts' names
        capture_output=True,
        text=True,
        check=False,
    )


def contracts() -> dict[str, str]:
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract["name"] for contract in table}


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    """What is in the repository follows its own import rules."""
    done = lint(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES)
def test_a_forbidden_import_is_caught(tree: Path, contract: str, file: str, line: str) -> None:
    """A change that breaks a rule is refused, and the rule is named."""
    with planted(tree / file, line):
        done = lint(tree, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contracts()[contract]} BROKEN" in done.stdout


def test_no_contract_goes_untried() -> None:
    """A new rule has to be seen failing before it counts."""
    assert {contract for contract, _, _ in BREACHES} == contracts().keys()


@pytest.mark.parametrize("package", ["domain", "kit"])
def test_the_rules_of_the_product_need_no_library(package: str) -> None:
    """Domain and kit run on a bare Python, whatever library a later change may think of."""
    for file in sorted((REPOSITORY / "circletake" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                roots = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots = {(node.module or "circletake").partition(".")[0]}
            else:
                continue
            assert roots <= sys.stdlib_module_names | {"circletake"}, f"{file}:{node.lineno}"
