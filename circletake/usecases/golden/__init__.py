"""Golden shots: kept, made again, held against what was approved."""
