"""`python -m circletake.adapters.catalogue FILE`: what a studio's catalogue file would change, or what is wrong with it."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.adapters.catalogue.places import CatalogueFault
from circletake.dialects.contract import UnfitRequest
from circletake.dialects.example import example_request
from circletake.dialects.registry import dialect_for
from circletake.domain.kinds import Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard

_ABOUT = """\
Reads a catalogue file of yours on top of the product's own and prints what it would add, replace and choose.
Nothing is changed, nothing is called. Exit codes: 0 it can be used, 1 it can't: every fault with its line.
How a file is written: docs/models.md. What uses it: CIRCLETAKE_CATALOGUE__OVERRIDE_PATH of
gateway, worker and dispatcher."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the file changes; return the exit code."""
    asked = _parser().parse_args(arguments)
    own = load_catalogue()
    try:
        theirs = load_catalogue(asked.file)
    except CatalogueFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    lines = list(_changes(own, theirs, bodies=asked.bodies))
    sys.stdout.write("\n".join(lines or ["It changes nothing."]) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m circletake.adapters.catalogue",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the catalogue file to try")
    parser.add_argument(
        "--bodies",
        action="store_true",
        help="also print the smallest request that each changed model is sent",
    )
    return parser


def _changes(own: FileCatalogue, theirs: FileCatalogue, *, bodies: bool) -> Iterator[str]:
    for card in theirs.all():
        before = own.get(card.id)
        if card == before:
            continue
        yield from _added(card) if before is None else _replaced(before, card)
        if bodies:
            yield from _bodies(card)
    for task in (*Kind, *LanguageTask):
        chosen, usual = theirs.default_for(task), own.default_for(task)
        if chosen.id != usual.id:
            yield f"default   {task.value}: {chosen.id} instead of {usual.id}"
    for kind in Kind:
        if theirs.draft_for(kind) != own.draft_for(kind):
            draft = theirs.draft_for(kind)
            yield f"draft     {kind.value}: {draft.model or 'the model it would run with'}"


def _added(card: ModelCard) -> Iterator[str]:
    yield f"adds      {card.id} ({card.name}, {card.lifecycle}) in {', '.join(card.regions)}"
    yield f"          for {_good_for(card)}, {_price(card)}"


def _replaced(before: ModelCard, card: ModelCard) -> Iterator[str]:
    same = before.fingerprint == card.fingerprint
    what = "what is sent stays as it is" if same else "WHAT IS SENT CHANGES: golden shots will show it"
    yield f"replaces  {card.id}: {what}"
    if _price(before) != _price(card):
        yield f"          {_price(before)} becomes {_price(card)}"
    if (before.kinds, before.uses) != (card.kinds, card.uses):
        yield f"          for {_good_for(card)}, not {_good_for(before)}"
    if (before.lifecycle, before.eol_on) != (card.lifecycle, card.eol_on):
        yield f"          {card.lifecycle}, {f'ends {card.eol_on}' if card.eol_on else 'no end known'}"


def _good_for(card: ModelCard) -> str:
    return ", ".join([*sorted(card.kinds), *sorted(card.uses)])


def _price(card: ModelCard) -> str:
    price = card.price
    out = f" in, {price.usd_output} out" if price.usd_output is not None else ""
    unit = "1000 tokens" if price.unit == "1000_tokens" else price.unit
    return f"{price.usd}{out} USD per {unit} ({'confirmed' if price.confirmed else 'not confirmed'})"


def _bodies(card: ModelCard) -> Iterator[str]:
    for kind in sorted(card.kinds) if card.lifecycle != "eol" else ():
        try:
            native = dialect_for(card).build(example_request(card, kind, data=b"picture"), card)
        except UnfitRequest as fault:
            yield f"          {kind.value}: no request can be built: {fault}"
        else:
            yield f"          {kind.value}: {json.dumps(native, ensure_ascii=False, sort_keys=True)}"


if __name__ == "__main__":
    sys.exit(main())
