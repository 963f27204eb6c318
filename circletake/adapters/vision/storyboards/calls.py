"""What the storyboard desk asks its child to do. The decoders load there: the worker's own process imports none."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from circletake.adapters.vision.bounds import Bounds
from circletake.domain.frames import Size
from circletake.ports import AnimaticMade, AnimaticShot, BoardHeading, BoardPanel, StillMade


def still(source: Path | None, name: str, about: str, mark: str, target: Path, bounds: Bounds) -> StillMade:
    from circletake.adapters.vision.storyboards.stills import write_still

    return write_still(source, name, about, mark, target, bounds)


def document(heading: BoardHeading, panels: Sequence[BoardPanel], target: Path) -> int:
    from circletake.adapters.vision.storyboards.pages import write_document

    return write_document(heading, panels, target)


def animatic(
    shots: Sequence[AnimaticShot], size: Size, rate: Fraction, burn_in: bool, target: Path
) -> AnimaticMade:
    from circletake.adapters.vision.storyboards.animatic import write_animatic

    return write_animatic(shots, size, rate, target, burn_in=burn_in)
