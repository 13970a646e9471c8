"""Tracking: detections of single frames become objects with stable ids."""
