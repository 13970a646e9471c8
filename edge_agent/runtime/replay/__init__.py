"""Recorded input through the real pipelines on a virtual clock: the same bytes each time."""
