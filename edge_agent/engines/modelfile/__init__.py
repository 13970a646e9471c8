"""Reads model files: a bounds-checked reader of .tflite with NumPy alone, and label lists."""

from edge_agent.engines.modelfile.info import open_model, read_model_info
from edge_agent.engines.modelfile.labels import load_labels, parse_labels

__all__ = ["load_labels", "open_model", "parse_labels", "read_model_info"]
