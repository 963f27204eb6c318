"""docs/models.md, tried as a stranger would: its example, its command, its list of keys."""

import re
import struct
import zlib
from pathlib import Path

import pytest
from pydantic import BaseModel

from circletake.adapters.catalogue import schema
from circletake.adapters.catalogue.__main__ import main
from circletake.adapters.catalogue.files import load_catalogue
from circletake.dialects.contract import encode_body
from circletake.dialects.example import example_request
from circletake.dialects.refusals import CATEGORIES
from circletake.dialects.registry import DIALECTS, EMBEDDERS, JUDGES, LANGUAGES, dialect_for
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ModelCard
from services.bedrock.dialects.stability import PARSERS
from services.embedded.__main__ import main as embedded
from tests.unit.model_requests import catalogue

TEXT = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
EXAMPLE = "us.stability.stable-image-control-sketch-v2:0"


FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
NAMED = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", PROSE))))


def blocks(language: str) -> list[str]:
    return [block for name, block in FENCES if name == language]


def example(tmp_path: Path, *more: str) -> Path:
    path = tmp_path / "models.studio.yaml"
    path.write_text(blocks("yaml")[0] + "".join(more), "utf-8")
    return path


def card_in(path: Path, model_id: str = EXAMPLE) -> ModelCard:
    card = load_catalogue(path).get(model_id)
    assert card is not None
    return card


def png(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + side // 8) * side), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_the_example_is_one_entry_that_the_models_wire_takes(tmp_path):
    """A newer model of a known family needs no code: its body passes the parser of the family's present one."""
    card = card_in(example(tmp_path))
    for kind in card.kinds:
        native = dialect_for(card).build(example_request(card, kind, data=png(1024)), card)
        assert PARSERS["stability.stable-image-control-sketch-v1:0"](encode_body(native, card))


def test_the_example_may_become_a_default_as_the_page_says(tmp_path):
    """Two lines more."""
    defaults = next(block for block in blocks("yaml") if block.startswith("defaults:"))
    assert load_catalogue(example(tmp_path, defaults)).default_for("storyboard_panel").id == EXAMPLE


def test_the_pages_drafts_are_drafts_that_load(tmp_path):
    """Copied as they stand."""
    drafts = next(block for block in blocks("yaml") if block.startswith("drafts:"))
    assert (
        load_catalogue(example(tmp_path, drafts)).draft_for("previs_shot").controls["duration_seconds"] == 5
    )


def test_a_profile_of_the_studios_own_speaks_the_family_that_its_entry_names(tmp_path):
    """The page's ARN in the place of an id."""
    lines = next(block for block in blocks("yaml") if "arn:aws" in block).splitlines()
    arn = lines[0].removeprefix("  - id: ")
    path = example(tmp_path)
    path.write_text(
        path.read_text("utf-8").replace(f"  - id: {EXAMPLE}\n", "\n".join(lines[:2]) + "\n"), "utf-8"
    )
    card = card_in(path, arn)
    assert (card.id, card.version) == (arn, "2026-11")
    assert dialect_for(card).build(example_request(card, Kind.CONCEPT_ART), card)


def test_the_command_prints_what_the_page_shows(tmp_path, capsys):
    """Line for line."""
    shown = next(block for block in blocks("") if block.startswith("$ python"))
    assert main([str(example(tmp_path)), "--bodies"]) == 0
    assert capsys.readouterr().out == shown.split("\n", 1)[1]


def test_the_command_says_what_a_replaced_entry_changes(tmp_path, capsys):
    """A price alone is no new model; another limit is."""
    known = blocks("yaml")[0].replace("sketch-v2:0", "sketch-v1:0")
    path = tmp_path / "models.studio.yaml"
    path.write_text(known, "utf-8")
    assert main([str(path)]) == 0
    told = capsys.readouterr().out
    assert "replaces  us.stability.stable-image-control-sketch-v1:0: WHAT IS SENT CHANGES" in told
    assert "0.07 USD per image (not confirmed) becomes 0.08 USD per image (confirmed)" in told
    assert "for concept_art, storyboard_panel, not character_sheet" in told


def test_the_command_names_every_fault_with_its_line(tmp_path, capsys):
    """On standard error, with an exit code that a script sees."""
    path = example(tmp_path)
    text = path.read_text("utf-8").replace("    mode: sync\n", "").replace('usd: "0.08"', "usd: 0.08")
    path.write_text(text, "utf-8")
    assert main([str(path)]) == 1
    told = capsys.readouterr().err
    assert re.search(r"models\.studio\.yaml:3: models\.0\.mode", told)
    assert "write money in quotes" in told


def test_the_command_says_when_a_file_changes_nothing(tmp_path, capsys):
    """An empty override is a right one."""
    path = tmp_path / "nothing.yaml"
    path.write_text("version: 1\n", "utf-8")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == "It changes nothing.\n"


@pytest.mark.parametrize(
    "form",
    [schema.ModelEntry, schema.Limits, schema.SlotLimits, schema.ControlLimits, schema.NativeEntry, schema.DraftEntry],
)  # fmt: skip
def test_every_key_is_on_the_page(form: type[BaseModel]):
    """Nobody has to read the code to write an entry."""
    assert set(form.model_fields) <= NAMED


def test_every_dialect_slot_and_use_is_on_the_page():
    """What an entry may name."""
    assert {*DIALECTS, *EMBEDDERS, *JUDGES, *LANGUAGES, *InputSlot} <= NAMED


def test_the_example_request_of_every_live_model_can_be_built():
    """What `--bodies` shows is what would be sent."""
    for card in catalogue().all():
        for kind in card.kinds if card.lifecycle != "eol" else ():
            assert dialect_for(card).build(example_request(card, kind), card)


def test_every_category_of_a_refusal_is_on_the_page():
    """Whoever clears a shot reads the same words that a refusal has."""
    words = set(re.findall(r"[a-z_]+", TEXT))
    assert set(CATEGORIES) <= words


def test_the_embedded_stack_tells_a_faulty_file_before_anything_starts(tmp_path, capsys, monkeypatch):
    """`make up ARGS="--catalogue FILE"`, as the page has it."""
    path = tmp_path / "models.studio.yaml"
    path.write_text("version: 2\n", "utf-8")
    home = tmp_path / "home"
    monkeypatch.setattr("sys.argv", ["embedded", "up", "--home", str(home), "--catalogue", str(path)])
    assert embedded() == 1
    assert "models.studio.yaml:1: version" in capsys.readouterr().err
    assert not home.exists()
