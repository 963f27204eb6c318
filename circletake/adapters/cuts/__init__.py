"""Editors' timelines, parsed with OpenTimelineIO in child processes."""
