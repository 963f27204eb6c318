"""The AI register's lines: safe in a spreadsheet, exact for a machine."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from circletake.domain.register import COLUMNS, RegisterLine, UsedInput, csv_header, csv_lines, json_lines

ID = UUID("0190a5b0-0000-7000-8000-000000000001")


def line(**changes):
    values = {
        "shot": "AGM_104_TCC_0010",
        "shot_external_ref": "sg:12",
        "generation": ID,
        "kind": "set_extension",
        "take_number": 7,
        "take": ID,
        "state": "succeeded",
        "model": "stability.stable-image-inpaint-v1:0",
        "requested_by": "pipeline",
        "requested_at": datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
        "circled": True,
        "circled_by": "editorial, night",
        "circled_at": datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        "rejected": False,
        "seed": 42,
        "billed": "true",
        "cost_usd": Decimal("0.0000010"),
        "inputs": [UsedInput("matte", ID, "ab" * 32), UsedInput("plate", ID, "cd" * 32)],
        "output_media": ID,
        "output_sha256": "ef" * 32,
        "digital_source_type": "compositeWithTrainedAlgorithmicMedia",
        "manifest_urn": "urn:c2pa:1",
        "ledger_entry": ID,
        "request_ledger_entry": ID,
    }
    return RegisterLine(**{**values, **changes})


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_line_of_the_register_reads_back():
    """Every value can be read by name; money has no exponent, times are UTC."""
    (row,) = read(csv_header() + csv_lines([line()]))
    assert tuple(row) == COLUMNS
    assert row["cost_usd"] == "0.0000010"
    assert row["requested_at"] == "2026-11-22T18:00:00Z"
    assert row["circled"] == "true"
    assert row["circled_by"] == "editorial, night"
    assert row["inputs"] == f"matte={ID};{'ab' * 32} | plate={ID};{'cd' * 32}"


def test_what_is_not_known_is_empty():
    """A take under way has no cost, no output and no manifest."""
    waiting = line(cost_usd=None, output_media=None, manifest_urn=None, shot=None, circled_at=None, inputs=[])
    (row,) = read(csv_header() + csv_lines([waiting]))
    assert [
        row[name] for name in ("cost_usd", "output_media", "manifest_urn", "shot", "circled_at", "inputs")
    ] == [""] * 6


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1"])
def test_no_cell_of_the_register_runs_as_a_formula(text):
    """Names and references come from people; in a spreadsheet they stay text."""
    (row,) = read(csv_header() + csv_lines([line(shot_external_ref=text, requested_by=text)]))
    assert row["shot_external_ref"] == f"'{text}"
    assert row["requested_by"] == f"'{text}"


def test_json_lines_keep_types_and_the_text_as_it_is():
    """A machine gets values, not a spreadsheet's precautions."""
    (document,) = [
        json.loads(each)
        for each in json_lines([line(requested_by="=1", cost_usd=Decimal("0.080000"))]).splitlines()
    ]
    assert tuple(document) == COLUMNS
    assert document["requested_by"] == "=1"
    assert document["circled"] is True
    assert document["take_number"] == 7
    assert document["cost_usd"] == "0.080000"
    assert document["inputs"][0] == {"slot": "matte", "media": str(ID), "sha256": "ab" * 32}
