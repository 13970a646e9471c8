"""Joins the stages into a running agent: wiring, workers, supervision, health."""
