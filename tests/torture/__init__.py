"""Torture: faults of every kind, mixed, and an account of every event at the end."""
