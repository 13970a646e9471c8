"""edge-agent: quantized neural networks on small devices, their events over MQTT."""

__version__ = "0.1.0"
