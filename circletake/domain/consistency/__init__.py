"""Is this still her? Calibration, assignment, verdicts and trends, on the raw values that evaluators give."""
