"""How long to wait before the next try."""


def exponential(attempt: int, *, first: float, most: float, jitter: float) -> float:
    """Return seconds: `first` doubled per attempt (from 1), at most `most`, spread by `jitter` in 0..1 over
    half to full (AWS architecture blog, "equal jitter")."""
    full = min(most, first * 2.0 ** min(max(0, attempt - 1), 60))
    return full / 2 + full / 2 * jitter
