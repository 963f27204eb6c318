import pytest

from circletake.domain.provenance import (
    SourceType,
    source_type_of_composite,
    source_type_of_proxy,
    source_type_of_take,
)


@pytest.mark.parametrize(
    ("model", "on_plate", "expected"),
    [
        ("trainedAlgorithmicMedia", False, "trainedAlgorithmicMedia"),
        ("trainedAlgorithmicMedia", True, "compositeWithTrainedAlgorithmicMedia"),
        ("algorithmicMedia", False, "algorithmicMedia"),
        ("algorithmicMedia", True, "compositeSynthetic"),
    ],
)
def test_type_of_a_take_follows_from_model_and_plate(model: str, on_plate: bool, expected: str) -> None:
    """A take says whether a trained model made it, and whether camera material is left in it."""
    assert source_type_of_take(model, on_plate=on_plate) == expected


@pytest.mark.parametrize("model", ["digitalCapture", "compositeSynthetic", "made up"])
def test_a_model_that_claims_to_be_a_camera_is_refused(model: str) -> None:
    """A wrong type in the catalogue can't turn generated pictures into captures."""
    with pytest.raises(ValueError, match=model):
        source_type_of_take(model, on_plate=False)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], SourceType.ALGORITHMIC_MEDIA),
        (["algorithmicMedia", "algorithmicMedia"], SourceType.ALGORITHMIC_MEDIA),
        (["digitalCapture", "trainedAlgorithmicMedia"], SourceType.COMPOSITE_SYNTHETIC),
        (["digitalCapture", "compositeSynthetic"], SourceType.COMPOSITE_SYNTHETIC),
        (["digitalCapture", "negativeFilm"], SourceType.COMPOSITE_CAPTURE),
        (["digitalCapture", "algorithmicMedia"], SourceType.COMPOSITE),
    ],
)
def test_contact_sheet_owns_up_to_its_most_synthetic_take(parts: list[str], expected: SourceType) -> None:
    """One generated take on a sheet makes the sheet synthetic."""
    assert source_type_of_composite(parts) is expected


def test_proxy_keeps_the_type_of_its_original() -> None:
    """Scaling a generated take down doesn't make it less generated."""
    assert source_type_of_proxy("trainedAlgorithmicMedia") is SourceType.TRAINED_ALGORITHMIC_MEDIA
