"""Float models of the ONNX format, read without its library."""

from edge_agent.quantize.onnx.convert import read_onnx

__all__ = ["read_onnx"]
