"""For programs that use what agents publish: typed events, without repeats, with gaps told.

::

    from edge_agent.client import EventStream

    with EventStream("broker.local") as events:
        for event in events:
            print(event.device, event.type, event.label, event.zones)

Whoever has an MQTT library of his own takes the parts: `decode` makes typed objects of topics and
payloads, `SequenceTracker` tells repeats and gaps. Importing this brings neither NumPy nor OpenCV.
"""

from edge_agent.client.bookmark import Bookmark
from edge_agent.client.decode import Decoded, decode, decode_event
from edge_agent.client.messages import (
    Count,
    Detections,
    Found,
    GovernorHealth,
    Health,
    Info,
    MqttHealth,
    OutboxHealth,
    PipelineHealth,
    ReceivedEvent,
    Status,
    Unreadable,
)
from edge_agent.client.sequence import Gap, Order, SequenceTracker, Verdict
from edge_agent.client.stream import EventStream
from edge_agent.mqtt.options import MqttOptions, TlsOptions
from edge_agent.options import Secret

__all__ = [
    "Bookmark",
    "Count",
    "Decoded",
    "Detections",
    "EventStream",
    "Found",
    "Gap",
    "GovernorHealth",
    "Health",
    "Info",
    "MqttHealth",
    "MqttOptions",
    "Order",
    "OutboxHealth",
    "PipelineHealth",
    "ReceivedEvent",
    "Secret",
    "SequenceTracker",
    "Status",
    "TlsOptions",
    "Unreadable",
    "Verdict",
    "decode",
    "decode_event",
]
