"""Keeps short clips of what the pipelines saw on this device, as much as it is allowed."""
