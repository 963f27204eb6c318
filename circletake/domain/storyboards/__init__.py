"""Storyboards: numbered panels, how long they last, and what is said of where their pictures come from. Pure."""
