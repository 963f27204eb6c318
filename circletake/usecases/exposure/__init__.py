"""Small doses: what of a take a model drew, cuts, the meter, and its limits."""
