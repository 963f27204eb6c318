"""Storyboards: panels edited as a list, drawn as PDF and stills, timed as MP4 and OTIO."""
