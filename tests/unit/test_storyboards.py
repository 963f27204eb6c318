"""Panels: their numbers, their time to the frame, their place on a page, and what is said of where they come from."""

from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.adapters.vision.storyboards import layout
from circletake.adapters.vision.storyboards.script import runs_right, visual, wrapped
from circletake.domain.provenance import SourceType
from circletake.domain.storyboards.disclosure import disclosure, source_type_told
from circletake.domain.storyboards.panels import (
    Known,
    KnownPicture,
    KnownTake,
    PanelDraft,
    panel_violations,
    still_name,
)
from circletake.domain.storyboards.timing import default_frames, seconds_text, spans_of, timecode

FILM = Fraction(24000, 1001)
ONE, TWO = UUID(int=1), UUID(int=2)


def test_panels_stand_one_after_the_other_without_gaps() -> None:
    """Each begins where the one before ends."""
    spans = spans_of([24, 1, 100])
    assert [(span.start, span.end) for span in spans] == [(0, 24), (24, 25), (25, 125)]


@pytest.mark.parametrize(
    ("frame", "rate", "code"),
    [
        (0, Fraction(24), "00:00:00:00"),
        (23, FILM, "00:00:00:23"),
        (24, FILM, "00:00:01:00"),
        (24 * 3600, FILM, "01:00:00:00"),  # non-drop: an hour of timecode is 3.6 s more than an hour
        (49, Fraction(25), "00:00:01:24"),
        (60, Fraction(60000, 1001), "00:00:01:00"),
        (119, Fraction(120), "00:00:00:119"),
    ],
)
def test_timecode_counts_in_the_whole_number_of_its_rate(frame: int, rate: Fraction, code: str) -> None:
    """Exact to the frame, also where a second isn't a whole number of frames."""
    assert timecode(frame, rate) == code


@pytest.mark.parametrize(
    ("frames", "rate", "text"),
    [
        (48, Fraction(24), "2.00 s"),
        (48, FILM, "2.00 s"),
        (1, Fraction(24), "0.04 s"),
        (1500, Fraction(25), "1:00.00"),
    ],
)
def test_a_length_is_told_in_seconds(frames: int, rate: Fraction, text: str) -> None:
    """As a person reads it, to hundredths."""
    assert seconds_text(frames, rate) == text


def test_an_untimed_panel_lasts_two_seconds() -> None:
    """In whole frames of the production's rate."""
    assert [default_frames(rate) for rate in (Fraction(24), FILM, Fraction(25), Fraction(1))] == [
        48,
        48,
        50,
        2,
    ]


def test_a_still_is_named_by_its_panels_number() -> None:
    """So that a folder of stills stands in order."""
    assert still_name("AGM_SB01", 3) == "AGM_SB01_p003.jpg"


READY = KnownPicture(ONE, "take", "image/png", "ready")


@pytest.mark.parametrize(
    ("draft", "known", "pointer", "code"),
    [
        (PanelDraft(id=ONE), Known(), "/panels/0/id", "unknown_panel"),
        (PanelDraft(shot_id=ONE), Known(), "/panels/0/shot_id", "unknown_shot"),
        (PanelDraft(take_id=ONE), Known(), "/panels/0/take_id", "unknown_take"),
        (
            PanelDraft(take_id=ONE),
            Known(takes={ONE: KnownTake(ONE, "failed", None)}),
            "/panels/0/take_id",
            "take_has_no_file",
        ),
        (PanelDraft(media_id=ONE), Known(), "/panels/0/media_id", "unknown_media"),
        (
            PanelDraft(media_id=ONE),
            Known(pictures={ONE: KnownPicture(ONE, "plate", "image/png", "withdrawn")}),
            "/panels/0/media_id",
            "media_not_ready",
        ),
        (
            PanelDraft(media_id=ONE),
            Known(pictures={ONE: KnownPicture(ONE, "matte", "image/png", "ready")}),
            "/panels/0/media_id",
            "not_a_picture",
        ),
        (
            PanelDraft(media_id=ONE),
            Known(pictures={ONE: KnownPicture(ONE, "proxy", "application/pdf", "ready")}),
            "/panels/0/media_id",
            "not_a_picture",
        ),
        (
            PanelDraft(media_id=ONE, take_id=TWO),
            Known(takes={TWO: KnownTake(TWO, "succeeded", READY)}, pictures={ONE: READY}),
            "/panels/0/media_id",
            "two_pictures",
        ),
    ],
)
def test_a_wrong_panel_is_pointed_at(draft: PanelDraft, known: Known, pointer: str, code: str) -> None:
    """One violation, at the field that has to change."""
    assert [(each.pointer, each.code) for each in panel_violations([draft], known)] == [(pointer, code)]


def test_a_panel_may_stand_once_only() -> None:
    """The second row with the same id is the wrong one."""
    found = panel_violations([PanelDraft(id=ONE)] * 2, Known(panels=frozenset({ONE})))
    assert [(each.pointer, each.code) for each in found] == [("/panels/1/id", "panel_twice")]


def test_a_panel_without_a_picture_is_right() -> None:
    """It is drawn as a card."""
    assert panel_violations([PanelDraft()], Known()) == []


def test_the_foot_says_which_panels_a_model_made() -> None:
    """From their lineage; a stand-in that is no trained model isn't called AI."""
    trained, algorithm = SourceType.TRAINED_ALGORITHMIC_MEDIA.value, SourceType.ALGORITHMIC_MEDIA.value
    pictures = [(1, trained), (2, trained), (3, None), (4, algorithm), (5, "digitalCapture")]
    assert disclosure(pictures, [5]) == (
        "AI-generated pictures: panels 1–2; AI-generated words: panel 5;"
        " made by an algorithm, not by a trained model: panel 4"
    )
    assert disclosure([(1, "digitalCapture")]) == "Nothing here is on record as AI-generated"


def test_a_picture_is_what_the_record_or_its_own_manifest_says() -> None:
    """The record first; a word that nobody knows says nothing."""
    trained = SourceType.TRAINED_ALGORITHMIC_MEDIA.value
    assert source_type_told(None, trained) == trained
    assert source_type_told("digitalCapture", trained) == "digitalCapture"
    assert source_type_told(None, "somethingElse") is None


# --- pages ------------------------------------------------------------------------------------------------------

ROOM = layout.PAGE.height - layout.FOOT


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 120), max_size=40), st.sampled_from([(), (16 / 9,), (2.39,), (9 / 16,), (1.0,)])
)
def test_no_word_and_no_panel_is_left_out(lines: list[int], aspects: tuple[float, ...]) -> None:
    """Every panel's picture stands once, every line of its words once and in order, and nothing runs off a page."""
    measure = layout.measure_for(aspects)
    told: dict[int, list[int]] = {number: [] for number in range(len(lines))}
    pictures: list[int] = []
    for page in layout.pages_of(lines, measure):
        lowest = layout.HEAD
        for row in page:
            assert row.top >= lowest
            height = measure.fixed if row.picture else layout.NAME
            lowest = row.top + height + layout.LINE * max(cell.stop - cell.start for cell in row.cells)
            assert lowest <= ROOM
            pictures += [cell.panel for cell in row.cells if row.picture]
            for cell in row.cells:
                told[cell.panel] += range(cell.start, cell.stop)
    assert pictures == list(range(len(lines)))
    assert told == {number: list(range(count)) for number, count in enumerate(lines)}


def test_six_panels_with_usual_words_fill_a_page() -> None:
    """Two rows of three."""
    pages = layout.pages_of([6] * 7, layout.measure_for([16 / 9]))
    assert [[len(row.cells) for row in page] for page in pages] == [[3, 3], [1]]


def test_upright_pictures_stand_closer() -> None:
    """More of them side by side, and taller."""
    upright, wide = layout.measure_for([9 / 16]), layout.measure_for([16 / 9])
    assert upright.columns > wide.columns
    assert upright.frame.height > upright.frame.width


# --- words ------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.text(alphabet="ab  é大風、שד1(.", max_size=80), st.integers(1, 12), st.integers(0, 5))
def test_wrapping_loses_no_letter(text: str, width: int, first: int) -> None:
    """But blanks at the ends of lines; and no line is too long."""
    lines = wrapped(text, width, len, first=first)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= width for line in lines)


def test_chinese_breaks_between_characters_but_not_ahead_of_a_comma() -> None:
    """It has no blanks to break at."""
    assert wrapped("大卫看着，歌利亚", 4, len) == ["大卫看", "着，歌利", "亚"]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("שלום", "םולש"),
        ("שלום 12 אבנים", "םינבא 12 םולש"),
        ("דוד (הקטן)", "(ןטקה) דוד"),
        ("said שלום twice", "said םולש twice"),
        ("plain words", "plain words"),
    ],
)
def test_hebrew_is_drawn_from_right_to_left(text: str, drawn: str) -> None:
    """Numbers, Latin words and brackets inside it stand as they are read."""
    assert visual(text, right=runs_right(text)) == drawn
