"""A file that no manifest can be embedded in has it beside it, and the two prove each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from circletake.adapters.c2pa.child import sign_file
from circletake.adapters.c2pa.verify import read
from circletake.ports import SignedFile, SignRequest
from tests.integration.c2pa_studio import Studio, studio

OTIO = "application/vnd.opentimelineio+json"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with studio(tmp_path_factory.mktemp("pki")) as made:
        yield made


def test_a_timelines_manifest_stands_beside_it(house: Studio, tmp_path: Path) -> None:
    """The timeline stays as it was, its manifest is trusted, and one changed byte shows."""
    timeline = tmp_path / "animatic.otio"
    timeline.write_text('{"OTIO_SCHEMA": "Timeline.1"}')
    before = timeline.read_bytes()
    request = SignRequest(
        source=timeline,
        target=tmp_path / "animatic.otio.c2pa",
        media_type=OTIO,
        title="animatic timeline",
        digital_source_type="composite",
        ai_system="",
        ai_system_version="",
        model_type="",
        rights="On record.",
        ingredients=[],
        generation={"storyboard": "01a00000-0000-7000-8000-000000000000"},
    )
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    signed = sign_file(house.config, request, workplace)
    assert isinstance(signed, SignedFile)
    assert timeline.read_bytes() == before
    manifest = signed.path.read_bytes()
    verdict = read(timeline, OTIO, house.context(), beside=manifest).verdict
    assert (verdict.status, verdict.manifest_urn) == ("trusted", signed.manifest_urn)
    timeline.write_bytes(before.replace(b"1", b"2"))
    assert read(timeline, OTIO, house.context(), beside=manifest).verdict.status == "tampered"
