"""The conformance programme's own rubrics, over files we sign."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circletake.adapters.c2pa.child import sign_file
from circletake.ports import SignedFile
from tests.integration import c2pa_studio as make
from tests.integration.c2pa_rubric import evaluate, run_rubric

CONFORMANCE = "asset-rubric-conformance0.2-spec2.4.yml"
INTEGRITY = "asset-rubric-integrity.yml"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[make.Studio]:
    with make.studio(tmp_path_factory.mktemp("pki")) as made:
        yield made


def _signed(studio: make.Studio, directory: Path, name: str) -> Path:
    source = directory / f"source{Path(name).suffix}"
    if source.suffix == ".mp4":
        make.video(source)
    else:
        make.picture(source, seed=1)
    ingredients = []
    if name == "on_plate.png":
        matte = make.picture(directory / "matte.png", seed=3)
        plate = make.signed_by_library(
            studio, make.picture(directory / "p.png", seed=2), directory / "plate.png"
        )
        element = make.picture(directory / "element.tif", seed=4)
        ingredients = [
            make.ingredient(plate),
            make.ingredient(matte, "inputTo"),
            make.ingredient(element, "componentOf", digital_source_type="digitalCapture"),
        ]
    (directory / "work").mkdir()
    outcome = sign_file(
        studio.config, make.request(source, directory / name, *ingredients), directory / "work"
    )
    assert isinstance(outcome, SignedFile), outcome
    return outcome.path


@pytest.mark.parametrize("name", ["on_plate.png", "created.jpg", "created.mp4", "created.tif"])
@pytest.mark.parametrize("rubric", [CONFORMANCE, INTEGRITY])
def test_passes_every_rule_of_the_rubric(studio: make.Studio, tmp_path: Path, name: str, rubric: str) -> None:
    """A signed output passes every check that the conformance programme makes of a file."""
    findings = run_rubric(make.reference_files() / rubric, studio.crjson(_signed(studio, tmp_path, name)))
    assert len(findings) == (6 if rubric == INTEGRITY else 31)
    assert [finding for finding in findings if not finding.passed] == []


def _spoil(manifest: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a path, or take it away (None)."""
    *way, last = path.split("/")
    place: Any = manifest
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("mandatory_spec_version", "claim.v2/claim_generator_info/specVersion", None),
        ("mandatory_spec_version", "claim.v2/claim_generator_info/specVersion", "2.2.0"),
        ("mandatory_all_actions_included", "assertions/c2pa.actions.v2/allActionsIncluded", None),
        (
            "mandatory_dst_for_perceptible_transformations",
            "assertions/c2pa.actions.v2/actions/1/digitalSourceType",
            None,
        ),
        ("no_dst_for_opened_action", "assertions/c2pa.actions.v2/actions/0/digitalSourceType", "x"),
        ("opened_action_ingredient_reference", "assertions/c2pa.actions.v2/actions/0/parameters", None),
        ("inception_action_position", "claim.v2/created_assertions", []),
        ("no_deprecated_actions", "assertions/c2pa.actions.v2/actions/1/action", "c2pa.saved"),
        ("no_unsupported_actions", "assertions/c2pa.actions.v2/actions/1/action", "c2pa.magic"),
        ("no_unrecognized_custom_actions", "assertions/c2pa.actions.v2/actions/1/action", "magic"),
        (
            "no_unrecognized_custom_action_parameters",
            "assertions/c2pa.actions.v2/actions/1/parameters/strength",
            3,
        ),
        ("no_unrecognized_custom_assertions", "assertions/generation", {}),
        ("no_unsupported_assertions", "assertions/c2pa.made-up", {}),
        ("no_deprecated_assertions", "assertions/stds.iptc", {}),
        ("active_manifest_urn", "label", "urn:uuid:1"),
        ("ingredient_relationship_values", "assertions/c2pa.ingredient.v3/relationship", "cousinOf"),
        ("ingredient_v3_choice", "assertions/c2pa.ingredient.v3/digitalSourceType", "x"),
        (
            "valid_success",
            "validationResults/failure",
            [{"code": "assertion.dataHash.mismatch"}],
        ),
        ("well_formed_data_present", "validationResults", None),
    ],
)
def test_rubric_notices_a_spoilt_manifest(
    studio: make.Studio, tmp_path: Path, rule: str, path: str, value: Any
) -> None:
    """Each rule fails on a manifest that breaks it: a pass above is not an expression we misread."""
    rubric = make.reference_files() / CONFORMANCE
    document = copy.deepcopy(studio.crjson(_signed(studio, tmp_path, "on_plate.png")))
    _spoil(document["manifests"][0], path, value)
    broken = {finding.rule for finding in run_rubric(rubric, document) if not finding.passed}
    assert f"validation:{rule}" in broken


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('a[?k == "x"].v', [1, 3]),
        ('a[?k == "x"] | [0].v', 1),
        ("a[].n[]", [7, 8, 9]),
        ("a[?n != null][].n | [0]", [7, 8]),
        ("values(o)[?q != null][].q[]", [5]),
        ("'dotted.name'.deep", "yes"),
        ('missing.field || `["d"]`', ["d"]),
        ("!missing && `2`", 2),
        ('if(length(a) >= 3, "many", "few")', "many"),
        ('split("2.4.0", ".")[1] * 1', 4.0),
        ("o | keys(@)", ["p", "r"]),
        ('a[?n != null] | [].keys(@)[] | [?!contains(`["k","v"]`, @)]', ["n", "n"]),
    ],
)
def test_expressions_mean_what_json_formula_says(expression: str, expected: Any) -> None:
    """Projection, filter, flatten, pipe and precedence give json-formula's results."""
    document = {
        "a": [{"k": "x", "v": 1, "n": [7, 8]}, {"k": "y", "v": 2}, {"k": "x", "v": 3, "n": [9]}],
        "o": {"p": {"q": [5]}, "r": {}},
        "dotted.name": {"deep": "yes"},
    }
    assert evaluate(expression, document) == expected
