"""Continuity sheets: a character shot by shot, as a picture and as a document."""

import re

import numpy as np
import pytest
from PIL import Image, PdfParser

from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.adapters.vision.desk import VisionPictureDesk
from circletake.kit.children import ChildPool
from circletake.ports import ContinuityCell, ContinuityRow, SigningFault
from tests.integration import c2pa_studio
from tests.integration.vision_files import jpeg_bytes, png_bytes

RED, AMBER = (232, 56, 46), (240, 178, 52)
BLUE_CROP = jpeg_bytes(np.full((96, 96, 3), (40, 80, 200), np.uint8))
REFERENCE = jpeg_bytes(np.full((64, 64, 3), (20, 140, 140), np.uint8))


@pytest.fixture(scope="module")
async def desk():
    pool = ChildPool(1)
    desk = VisionPictureDesk(pool)
    yield desk
    desk.close()
    pool.close()


@pytest.fixture
def draw(desk, tmp_path):
    """Draw rows; return the JPEG's pixels, the PDF's bytes and how many pages were announced."""

    async def drawn(rows, name="sheet", title="AGM_104 TCC"):
        target, document = tmp_path / f"{name}.jpg", tmp_path / f"{name}.pdf"
        pages = await desk.continuity_sheet(
            title=title, subtitle="a check", rows=rows, foot="foot", target=target, document=document
        )
        with Image.open(target) as picture:
            assert picture.format == "JPEG"
            return np.asarray(picture).astype(int), document.read_bytes(), pages

    return drawn


def cell(number, verdict="pass", score=0.93, crop=BLUE_CROP, **more):
    return ContinuityCell(f"AGM_104_TCC_{number:04d}", verdict, score, crop=crop, **more)


def broken(number, **more):
    return cell(number, "fail", 0.06, reasons=("wardrobe_mismatch",), aspect="wardrobe", **more)


def row(cells, name="Mara", **more):
    limits = {"fail_below": 0.2, "pass_from": 0.5}
    return ContinuityRow(name, "flight suit", "human", [REFERENCE], cells, **(limits | more))


def share(pixels, colour, tolerance=24):
    """Which part of these pixels has a colour."""
    return float((np.abs(pixels - colour).max(axis=2) <= tolerance).mean())


def crops(sheet):
    """The places of the blue crops, from left to right: (left, right, top, bottom)."""
    blue = np.abs(sheet - (40, 80, 200)).max(axis=2) <= 8
    rows = np.flatnonzero(blue.sum(axis=1) > 60)
    line = blue[(rows[0] + rows[-1]) // 2]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(int), [0]))))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(left, right, rows[0], rows[-1]) for left, right in pairs if right - left > 60]


async def test_the_broken_shot_is_framed_red_and_no_other(draw):
    """Red stands around the shot that broke, and around none that passed."""
    sheet, _, _ = await draw([row([cell(10), cell(20), broken(30), cell(40)])])
    places = crops(sheet)
    assert len(places) == 4
    reds = [share(sheet[top:bottom, left - 7 : left - 1], RED) for left, _, top, bottom in places]
    assert reds[2] > 0.9
    assert max(reds[0], reds[1], reds[3]) == 0


async def test_verdicts_differ_in_more_than_colour(draw):
    """Seen without any colour, a broken, a doubtful, a passing and an unjudged shot still look different."""
    verdicts = [
        cell(10),
        broken(20),
        cell(30, "needs_human", 0.41, reasons=("near_threshold",)),
        cell(40, "not_assessable", None, reasons=("turned_away",)),
    ]
    sheet, _, _ = await draw([row(verdicts)])
    plain, _, _ = await draw([row([cell(each) for each in (10, 20, 30, 40)])], "plain")
    width = crops(plain)[0][1] - crops(plain)[0][0]
    top, bottom = crops(plain)[0][2:]
    grey = (sheet - plain).mean(axis=2)
    changed = [
        (np.abs(grey[top : bottom + 40, left : left + width]) > 30).mean() for left, *_ in crops(plain)
    ]
    assert changed[0] == 0
    assert all(part > 0.01 for part in changed[1:])
    assert len({round(part, 3) for part in changed[1:]}) == 3


async def test_the_picture_of_a_broken_shot_stays_whole(draw):
    """No label covers what has to be judged: the crop's lower part, where the wardrobe is, is as in a passing one."""
    sheet, _, _ = await draw([row([cell(10), broken(20)])])
    areas = []
    for left, right, top, bottom in crops(sheet):
        lower = sheet[(top + bottom) // 2 : bottom - 3, left + 3 : right - 3]
        areas.append(share(lower, (40, 80, 200), 8))
    assert areas == [1.0, 1.0]


async def test_a_clash_at_a_cut_is_marked_between_the_two_shots(draw):
    """A mark stands between the shots that don't cut together, and between no others."""
    sheet, _, _ = await draw([row([cell(10), cell(20, cut_clash=True), cell(30)])])
    first, second, third = crops(sheet)
    middle = (first[2] + first[3]) // 2
    between = [
        share(sheet[middle - 12 : middle + 12, one[1] : other[0]], RED)
        for one, other in ((first, second), (second, third))
    ]
    assert between[0] == 0
    assert between[1] > 0.3


async def test_the_curve_falls_where_the_score_falls(draw):
    """The point of a shot with a low score stands lower than that of a shot with a high one, under its crop."""
    cells = [cell(10, score=0.95), cell(20, score=0.55), cell(30, "not_assessable", None)]
    sheet, _, _ = await draw([row(cells)])
    places = crops(await _only_passing(draw, 3))
    heights = []
    for left, right, _, bottom in places:
        centre = (left + right) // 2
        under = sheet[bottom + 150 :, centre - 4 : centre + 5]
        dots = np.flatnonzero((np.abs(under - (122, 160, 128)).max(axis=2) <= 20).all(axis=1))
        heights.append(dots[0] if len(dots) else None)
    assert heights[0] < heights[1] - 20
    assert heights[2] is None, "nothing is drawn where nothing could be assessed"


async def _only_passing(draw, count):
    sheet, _, _ = await draw([row([cell(number) for number in range(count)])], "passing")
    return sheet


async def test_slow_drift_is_drawn_as_a_trend(draw):
    """The blue trend line appears for a row that drifts and for no other."""
    cells = [cell(number, score=0.95 - 0.03 * number) for number in range(8)]
    steady, _, _ = await draw([row(cells)])
    drifting, _, _ = await draw([row(cells, slow_drift=True, drift="0.03 a shot")], "drifting")
    body = slice(200, -80)  # between the head and the explanation of the marks
    assert share(steady[body], (104, 170, 236)) == 0
    assert share(drifting[body], (104, 170, 236)) > 0.0005


def pages_in(document):
    return len(re.findall(rb"/Type /Page ", document))


async def test_a_small_check_is_one_page(draw):
    """What fits on a page is one page, in the picture as in the document."""
    cells = [cell(number) for number in range(12)]
    sheet, document, pages = await draw([row(cells, name) for name in ("Mara", "Teo", "Bao")])
    assert pages == pages_in(document) == 1
    assert sheet.shape[1] <= 2480
    assert sheet.shape[0] <= 1754
    assert len(crops(sheet)) == 12


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """Ten characters in 350 shots, one of them broken in one; the crops are one file."""
    path = tmp_path_factory.mktemp("crops") / "crop.png"
    path.write_bytes(png_bytes(np.full((48, 48, 3), (40, 80, 200), np.uint8)))
    names = [f"Character {number}" for number in range(10)]
    rows = [row([cell(number, crop=path) for number in range(350)], name) for name in names]
    cells = list(rows[6].cells)
    cells[200] = broken(200, crop=path)
    rows[6] = row(cells, names[6])
    return rows


@pytest.fixture(scope="module")
async def season_drawn(desk, season, tmp_path_factory):
    """The season's picture, document and announced pages."""
    folder = tmp_path_factory.mktemp("season")
    target, document = folder / "sheet.jpg", folder / "sheet.pdf"
    pages = await desk.continuity_sheet(
        title="Confidential", subtitle="", rows=season, foot="", target=target, document=document
    )
    with Image.open(target) as picture:
        return np.asarray(picture).astype(int), document, pages


async def test_a_season_has_every_shot_in_the_document(season_drawn):
    """3,500 cells: the picture stays one page of bounded size, the document has the pages it announces and
    names every shot in text that can be searched."""
    sheet, path, pages = season_drawn
    document = path.read_bytes()
    assert sheet.shape == (1754, 2480, 3)
    assert pages == pages_in(document) > 30
    assert len(document) < 120_000_000
    assert len(re.findall(rb"\((AGM_104_TCC_\d{4}) ", document)) == 3500


async def test_in_a_season_the_broken_shot_stands_out(desk, season, season_drawn, tmp_path):
    """The overview of 3,500 cells shows the one that broke at its head and as a bar in its lane; without it there
    is no red at all."""
    sheet, _, _ = season_drawn
    head, lanes = slice(190, 560), slice(600, 1680)
    assert share(sheet[head], RED) > 0.004
    columns = (np.abs(sheet[lanes, 324:] - RED).max(axis=2) <= 24).sum(axis=0)
    assert columns.max() > 40, "a bar over the lane's whole height"
    clean = tmp_path / "clean.jpg"
    await desk.continuity_sheet(
        title="", subtitle="", rows=[season[0]] * 10, foot="", target=clean, document=None
    )
    with Image.open(clean) as picture:
        assert share(np.asarray(picture).astype(int)[190:1680], RED) == 0


async def test_a_document_can_be_opened(season_drawn):
    """A reader of PDFs finds its pages and a title that gives nothing away."""
    _, path, pages = season_drawn
    with PdfParser.PdfParser(str(path)) as file:
        assert len(file.pages) == pages
        assert {str(key): value.decode("utf-16") for key, value in file.info.items()} == {
            str(PdfParser.PdfName(b"Title")): "Continuity sheet"
        }


async def test_a_document_is_signed_and_still_opens(draw, tmp_path):
    """The signed PDF is trusted, carries the data-mining prohibition as XMP, and a reader finds the same pages."""
    source, target = tmp_path / "drawn.pdf", tmp_path / "signed.pdf"
    _, document, pages = await draw([row([cell(10), broken(20)])])
    source.write_bytes(document)
    pool = ChildPool(1)
    try:
        with c2pa_studio.studio(tmp_path / "pki") as studio:
            signer = C2paManifestSigner(studio.config, pool)
            await signer.sign(c2pa_studio.request(source, target))
            verdict = await signer.verify(target, "application/pdf")
    finally:
        pool.close()
    assert (verdict.status, verdict.reasons) == ("trusted", ())
    with PdfParser.PdfParser(str(target)) as file:
        assert len(file.pages) == pages
    assert b"DMI-PROHIBITED" in target.read_bytes()


async def test_a_foreign_pdf_without_room_for_its_provenance_is_refused(tmp_path):
    """A PDF that keeps no room for the packet isn't signed half: the signer says why."""
    source = tmp_path / "foreign.pdf"
    Image.new("RGB", (8, 8)).save(source)
    pool = ChildPool(1)
    try:
        with c2pa_studio.studio(tmp_path / "pki") as studio:
            signer = C2paManifestSigner(studio.config, pool)
            with pytest.raises(SigningFault, match="no room"):
                await signer.sign(c2pa_studio.request(source, tmp_path / "signed.pdf"))
    finally:
        pool.close()
    assert not (tmp_path / "signed.pdf").exists()


async def test_the_same_check_gives_the_same_files(draw):
    """Nothing of the time or the machine enters the sheet."""
    rows = [row([cell(10), broken(20)])]
    one, other = await draw(rows), await draw(rows, "again")
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]


async def test_any_name_can_be_drawn(draw):
    """Names and labels in any script, of any length, with line breaks or codes nobody knows are drawn."""
    odd = [
        ContinuityCell("SHOT" * 100, "fail", 0.1, ("something_new",), "an_aspect", BLUE_CROP, "場面" * 50),
        ContinuityCell("a\nb\t(c\\", "fail", None, (), None, None, look="Ł" * 80),
        ContinuityCell("", "a_new_verdict", float("nan"), ()),
    ]
    rows = [ContinuityRow("Łęcka 漢字 😀" * 20, "x" * 300, "creature", [], odd, note="n " * 300)]
    sheet, document, pages = await draw(rows, title="漢" * 300)
    assert pages == pages_in(document) == 1
    assert share(sheet, RED) > 0.001


async def test_a_missing_crop_is_a_panel_of_its_own(draw):
    """A shot without a picture, or with one that can't be read, takes its place; its neighbours still show."""
    cells = [
        cell(10),
        cell(20, "not_assessable", None, reasons=("no_detection",), crop=None),
        cell(30, crop=b"not a picture"),
        cell(40, crop=BLUE_CROP[:200]),
        cell(50),
    ]
    sheet, _, _ = await draw([row(cells)])
    whole, _, _ = await draw([row([cell(number) for number in range(5)])], "whole")
    assert [place[:2] for place in crops(sheet)] == [crops(whole)[0][:2], crops(whole)[4][:2]]
    left, right, top, bottom = crops(whole)[2]
    assert share(sheet[top:bottom, left:right], (46, 46, 50), 4) > 0.8


@pytest.mark.parametrize("rows", [[], [row([])], [row([]), row([cell(10)], "Teo")]])
async def test_nothing_to_show_is_a_sheet_too(draw, rows):
    """A check without characters or without shots has its page."""
    sheet, document, pages = await draw(rows)
    assert pages == pages_in(document) == 1
    assert sheet.shape[0] > 300
