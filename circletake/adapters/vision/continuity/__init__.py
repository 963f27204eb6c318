"""The continuity sheet: a character cropped from every shot in story order, with what was decided about each."""
