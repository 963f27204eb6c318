"""What stays behind in the output folder: a page to look at everything, and the list of what was written."""

import html
import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from services.embedded.demo.outcome import Chapter, Outcome, path_of
from services.embedded.demo.show import table

_SEASON = {
    "application/pdf": "the storyboard",
    "video/mp4": "the animatic",
    "application/vnd.opentimelineio+json": "its timing, for an editor",
    "image/png": "the draft, and what was finished of it",
}
_LIST = ".circletake-demo.json"
_STYLE = """\
body { margin: 2rem; background: #16181c; color: #d8dade; font: 15px/1.5 system-ui, sans-serif; }
a { color: #8fb4e8; }
h2 { margin: 2.5rem 0 .8rem; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 46rem; }
img, video { max-width: 100%; max-height: 28rem; display: block; }
.wide { max-width: none; }
.wide img { max-height: none; }
figcaption { color: #9a9ea6; font-size: 13px; margin-top: .3rem; }
.circled { outline: 3px solid #d8a53a; outline-offset: 3px; }
"""


def clear(folder: Path) -> None:
    """Make the folder, and remove what an earlier demo wrote there and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / _LIST
    if listed.exists():
        for name in json.loads(listed.read_text()):
            (folder / Path(name).name).unlink(missing_ok=True)
        listed.unlink()


def remember(folder: Path, before: set[str]) -> None:
    """Keep the names of the files that came since `before`."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in before)
    (folder / _LIST).write_text(json.dumps(names, indent=1))


def short_model(model: str) -> str:
    """Return a model id without provider, routing prefix and version."""
    return re.sub(r"(-v1)?:\d+$", "", model.rsplit(".", 1)[-1])


def outcome_table(outcome: Outcome) -> list[str]:
    """Return the lines of the final table, below 100 columns."""
    rows = [
        [
            f"{one.shot} t{one.take['number']:02d}",
            one.asked_as,
            short_model(one.model),
            one.mark or one.take["state"],
            f"{_seconds(one.take['started_at'], one.take['finished_at']):.1f}",
            f"{Decimal(one.take['cost_usd'] or 0):.2f}",
            one.manifest,
        ]
        for one in outcome.all_takes
    ]
    header = ["take", "kind", "model", "state", "seconds", "US$", "manifest"]
    return table(header, rows, frozenset({4, 5}))


def _seconds(started: str | None, finished: str | None) -> float:
    if started is None or finished is None:
        return 0.0
    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()


def write_index(folder: Path, outcome: Outcome, title: str, inputs: list[str]) -> None:
    """Write `index.html`: the inputs, then each generation's takes and contact sheet."""
    parts = [f"<h1>{html.escape(title)}</h1>", _section("Plate and mattes", [_figure(n, n) for n in inputs])]
    kinds = list(dict.fromkeys(one.kind for one in outcome.takes))
    for kind, sheet in zip(kinds, outcome.sheets, strict=False):
        figures = [
            _figure(
                Path(one.output.media["name"]).name,
                f"take {one.take['number']}, {one.mark or one.take['state']}",
                circled=one.mark == "circled",
            )
            for one in outcome.takes
            if one.kind == kind
        ]
        figures.append(_figure(Path(sheet.media["name"]).name, "contact sheet"))
        parts.append(_section(kind.replace("_", " ").capitalize(), figures))
    parts += _continuity(outcome.chapter)
    made = [_figure(path_of(Path(), one).name, _SEASON[one.media["media_type"]]) for one in outcome.season]
    parts.append(_section("From a script page to a circled panel", made))
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Circletake demo</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )
    (folder / "index.html").write_text(page)


def _continuity(chapter: Chapter) -> list[str]:
    """The sections of the character: the sheet first, because it says it all."""
    if not chapter.sheets:
        return []
    documents = [
        _figure(one.media["name"], "the continuity sheet as a document") for one in chapter.documents
    ]
    sheets = [_figure(one.media["name"], what, wide=True) for what, one in chapter.sheets.items()]
    pictures = [_figure(name, "a reference") for name in chapter.references]
    pictures += [_figure(name, "wrong on purpose, told at once, taken out") for name in chapter.wrong]
    takes = [
        _figure(
            path_of(Path(), one.output).name,
            f"{one.shot} take {one.take['number']}, {one.mark or one.take['state']}",
            circled=one.mark == "circled",
        )
        for one in chapter.takes
        if one.take["number"] == 1
    ]
    made = [
        _figure(
            path_of(Path(), one.output).name,
            f"take {one.take['number']}, {chapter.said[one.take['id']]}",
            circled=one.mark == "circled",
        )
        for one in chapter.takes
        if one.take["id"] in chapter.said
    ]
    return [
        _section("Continuity: is she the same in every shot?", sheets + documents),
        _section("Her references", pictures),
        _section("The sequence", takes),
        _section("One shot, made until it passed", made),
    ]


def _section(title: str, figures: list[str]) -> str:
    return f'<h2>{html.escape(title)}</h2><div class="row">{"".join(figures)}</div>'


def _figure(name: str, caption: str, *, circled: bool = False, wide: bool = False) -> str:
    source = html.escape(Path(name).name, quote=True)
    mark = ' class="circled"' if circled else ""
    frame = ' class="wide"' if wide else ""
    if name.endswith(".mp4"):
        shown = f'<video src="{source}"{mark} controls loop muted></video>'
    elif name.endswith((".tif", ".tiff", ".pdf", ".otio")):  # no browser shows it among others
        shown = f'<a href="{source}">{source}</a>'
    else:
        shown = f'<a href="{source}"><img src="{source}"{mark} alt=""></a>'
    return f"<figure{frame}>{shown}<figcaption>{html.escape(caption)}</figcaption></figure>"
