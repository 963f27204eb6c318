"""The catalogue's tables: facts of an entry as people say them."""

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from circletake.adapters.catalogue.files import load_catalogue
from services.api.console.models_page import limits_in_words, models_tables, money, picture_limits, until
from services.api.schemas.models import ModelReply

TODAY = date(2026, 11, 23)
CATALOGUE = load_catalogue()
CORE = "stability.stable-image-core-v1:1"


def entry(model: str = CORE, **changes: Any) -> ModelReply:
    card = CATALOGUE.get(model)
    assert card is not None
    return ModelReply.of(replace(card, **changes), CATALOGUE, TODAY)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (118, "active, ends in 118 days (2027-03-21)"),
        (1, "active, ends tomorrow (2026-11-24)"),
        (0, "ended 2026-11-23"),
        (-5, "ended 2026-11-18"),
        (None, "active"),
    ],
)
def test_an_end_is_counted_in_days(days: int | None, said: str) -> None:
    """A coordinator plans by how long it goes on."""
    assert until(entry(eol_on=None if days is None else TODAY + timedelta(days=days))) == said


@pytest.mark.parametrize(
    ("usd", "said"), [("0.08", "$0.08"), ("3.75", "$3.75"), ("0.00006", "$0.00006"), ("1", "$1.00")]
)
def test_money_has_cents_and_more_only_where_there_is_more(usd: str, said: str) -> None:
    """Neither 8E-2 nor four empty places."""
    assert money(Decimal(usd)) == said


def test_what_a_picture_may_be_is_one_sentence() -> None:
    """Sides, pixels, shape, bytes and formats, in that order."""
    limit = {
        "min_side": 64,
        "max_side": 16383,
        "max_pixels": 9437184,
        "max_ratio": 2.5,
        "max_bytes": 18_000_000,
        "media_types": ["image/png", "image/jpeg"],
    }
    assert picture_limits(limit) == (
        "64 to 16,383 pixels a side, up to 9.4 megapixels, sides at most 2.5 to 1, up to 18 MB, PNG or JPEG"
    )


def test_a_control_says_its_range_and_what_is_sent_unasked() -> None:
    """What the wire would refuse is told before it is asked."""
    model = entry("us.stability.stable-image-control-sketch-v1:0")
    [own] = [each for each in model.kinds if each.kind == "concept_art"]
    lines = limits_in_words(model, own)
    assert "prompt: up to 10,000 characters" in lines
    assert "control strength: 0 to 1; 0.7 unless you say" in lines


def test_names_from_a_studios_own_file_are_escaped() -> None:
    """What somebody wrote into a catalogue never becomes markup."""
    text = models_tables([entry(name="<img src=x onerror=alert(1)>", provider="A & B")], TODAY)
    assert "<img" not in text
    assert "A &amp; B" in text


def test_each_column_marks_who_serves_it_and_who_runs_it_by_default() -> None:
    """Every kind has one default in the table, as in the catalogue."""
    models = [ModelReply.of(card, CATALOGUE, TODAY) for card in CATALOGUE.all()]
    table = models_tables(models, TODAY).split("</table>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)
    live = [model for model in models if model.lifecycle != "eol"]
    assert len(rows) == len(live)
    defaults = [sum(each.default for each in model.kinds) + bool(model.default_for_tasks) for model in live]
    assert sum(row.count('class="mark default') for row in rows) == sum(defaults)
    assert sum(row.count('<span class="mark') for row in rows) == sum(
        len(model.kinds) + len(model.uses) for model in live
    )
