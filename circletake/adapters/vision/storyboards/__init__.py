"""Storyboards on pages, stills and animatics. Everything but the desk runs in child processes only."""
