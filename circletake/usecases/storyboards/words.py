"""The words of storyboards and panels, closed and opened: titles, captions and notes are content."""

from collections.abc import Mapping
from uuid import UUID

from circletake.domain.storyboards.panels import TEXTS
from circletake.ports import Seal
from circletake.records.storyboards import Storyboard, StoryboardPanel
from circletake.usecases.sealed_text import close_text, open_text

BOARD_TEXTS = ("title", "script_ref", "scene")


def board_words(seal: Seal, board: Storyboard) -> dict[str, str | None]:
    return {
        name: open_text(seal, getattr(board, name), f"storyboards.{name}:{board.id}") for name in BOARD_TEXTS
    }


def closed_board_words(
    seal: Seal, board_id: UUID, words: Mapping[str, str | None]
) -> dict[str, bytes | None]:
    """Seal those of the words that are given."""
    return {
        name: close_text(seal, words[name], f"storyboards.{name}:{board_id}")
        for name in BOARD_TEXTS
        if name in words
    }


def panel_words(seal: Seal, panel: StoryboardPanel) -> dict[str, str | None]:
    return {
        name: open_text(seal, getattr(panel, name), f"storyboard_panels.{name}:{panel.id}") for name in TEXTS
    }


def closed_panel_words(
    seal: Seal, panel_id: UUID, words: Mapping[str, str | None]
) -> dict[str, bytes | None]:
    """Seal those of the words that are given."""
    return {
        name: close_text(seal, words[name], f"storyboard_panels.{name}:{panel_id}")
        for name in TEXTS
        if name in words
    }
