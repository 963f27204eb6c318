"""`make bench`: what Circletake costs beside the bare work it can't do without, as ratios taken in one run."""
