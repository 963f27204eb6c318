"""Small doses: how much of the picture AI made, and how much of it may be. Pure, in exact fractions."""
