"""One of each thing that is published."""

from __future__ import annotations

import json
from typing import Any

from edge_agent.event import ClockStamp, Event, ModelRef, ModelStep
from edge_agent.mqtt.device_payloads import Health, Info, Latency, PipelineHealth, PipelineInfo
from edge_agent.mqtt.payloads import FrameResults
from edge_agent.result import ClassArea, ClassScore, Detection, Keypoint

MODEL = ModelRef("coco", "61d598093ed0" + "0" * 52, "tflite")

# The event of DESIGN.md section 7, that subscribers build on.
CONTRACT = json.loads("""
{"schema": "edge-agent/event/1", "id": "01K", "seq": 1234, "device": "dev", "pipeline": "door",
 "type": "new", "kind": "object", "track": 17, "label": "person", "score": 0.83, "top_score": 0.91,
 "box": [0.31, 0.22, 0.47, 0.98], "zones": ["porch"], "entered_zones": ["porch"],
 "time": 1780000000.125, "start_time": 1780000000.125, "end_time": null, "media_time": null,
 "clock": {"boot_id": "b", "monotonic_ns": 123, "synchronized": true},
 "latency_ms": {"gate": 0.4, "preprocess": 0.6, "infer": 21.3, "decode": 0.2, "total": 24.0},
 "model": {"name": "coco", "sha256": "61d5", "engine": "tflite"},
 "loitering": [], "stationary": false, "changes": ["entered"],
 "sublabel": null, "sublabel_score": null, "replayed": false}
""")


def event(**changes: Any) -> Event:
    """The event of the contract."""
    fields: dict[str, Any] = {
        key: value for key, value in CONTRACT.items() if key not in ("schema", "seq", "replayed")
    }
    fields |= {
        "box": tuple(CONTRACT["box"]),
        "zones": ("porch",),
        "entered_zones": ("porch",),
        "loitering": (),
        "changes": ("entered",),
        "clock": ClockStamp("b", 123, True),
        "model": MODEL,
    }
    return Event(**{**fields, **changes})


FRAME = FrameResults(
    "dev",
    "door",
    41,
    1780000000.25,
    4.1,
    (768, 432),
    [
        Detection(
            "person", 0.8765432, (0.1, 0.2, 0.3, 1.0), 0, (Keypoint("nose", 0.2, 0.25, 0.75),)
        ),
        ClassScore("cat", 0.5, 3),
        ClassArea("road", 0.25, (((0.0, 0.5), (1.0, 0.5), (0.5, 1.0)),), 1),
    ],
    [(0.0, 0.1, 0.2, 1.0)],
    {"infer": 21.3},
    MODEL,
)
INFO = Info("dev", "0.1.0", "boot-1", 1780000000.0, {"door": PipelineInfo("cam", "coco")}, [MODEL])
STEP = ModelStep(
    "coco", "rolled_back", "0" * 64, "2", MODEL.sha256, "it fails on a frame", 1780000000.0
)
HEALTH = Health(
    "dev",
    1780000000.0,
    3600.0,
    {
        "door": PipelineHealth(
            "offline", "camera busy", 10.0, 9.5, 0.5, {"infer": Latency(21.0, 30.5)}, restarts=2
        )
    },
    outbox_depth=3,
    drops={"event_full": 1},
    connects=2,
    cpu_temperature=48.26,
    throttled=None,
    rss_bytes=120_000_000,
)
