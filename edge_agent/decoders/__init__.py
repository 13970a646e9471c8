"""From output tensors to results: detections, keypoints, areas, classes, or the raw numbers.

A decoder is one class (see `base.Decoder`) and one line here; other packages add theirs by an
entry point in the same group. `choose.choose_decoder` picks the one that fits a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.registry import Registry

if TYPE_CHECKING:
    from edge_agent.decoders.base import Decoder

__all__ = ["DECODERS"]

DECODERS: Registry[Decoder] = Registry(
    "edge_agent.decoders",
    {
        "ssd": "edge_agent.decoders.ssd:SsdDecoder",
        "ssd_raw": "edge_agent.decoders.ssd_raw:SsdRawDecoder",
        "yolo_pose": "edge_agent.decoders.yolo_pose:YoloPoseDecoder",
        "yolo_segment": "edge_agent.decoders.yolo_segment:YoloSegmentDecoder",
        "yolo_split": "edge_agent.decoders.yolo_split:YoloSplitDecoder",
        "yolo": "edge_agent.decoders.yolo:YoloDecoder",
        "yolo_anchors": "edge_agent.decoders.yolo_anchors:YoloAnchorsDecoder",
        "yolox": "edge_agent.decoders.yolox:YoloxDecoder",
        "nanodet": "edge_agent.decoders.nanodet:NanodetDecoder",
        "fastestdet": "edge_agent.decoders.fastestdet:FastestdetDecoder",
        "centernet": "edge_agent.decoders.centernet:CenternetDecoder",
        "posenet": "edge_agent.decoders.posenet:PosenetDecoder",
        "movenet": "edge_agent.decoders.movenet:MovenetDecoder",
        "segmentation": "edge_agent.decoders.segmentation:SegmentationDecoder",
        "embedding": "edge_agent.decoders.embedding:EmbeddingDecoder",
        "keyword": "edge_agent.decoders.keyword:KeywordDecoder",
        "classification": "edge_agent.decoders.classification:ClassificationDecoder",
        "raw": "edge_agent.decoders.raw:RawDecoder",
    },
)
