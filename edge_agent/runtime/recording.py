"""Joins the recorder of clips to a pipeline: it sees the frames that its pictures are made of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.frame import Frame
from edge_agent.recorder.recorder import Recorder
from edge_agent.result import Kind
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.snapshots import Snapshots
from edge_agent.runtime.state import state_folder

_log = logging.getLogger(__name__)


class Recorded:
    """Shows the recorder each frame, masks applied, and passes all else on to the snapshots."""

    def __init__(self, others: Snapshots, recorder: Recorder) -> None:
        self.options = others.options
        self.allowed = others.allowed
        self.least_score = others.least_score
        self._others = others
        self._recorder = recorder

    def request(self) -> None:
        """Take a picture for subscribers."""
        self._others.request()

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""
        self._others.model_opened(kind, labels)

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source."""
        self._recorder.offer(frame)
        self._others.frame(frame)

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take in what is seen; a clip begins by the events that come of it."""
        self._others.inferred(frame, seen)

    def close(self) -> None:
        """End the clip in work."""
        self._others.close()
        self._recorder.close()


def clip_folder(config: Config, pipeline: str) -> Path:
    """Where the clips of a pipeline are; raises RuntimeError where there is no folder at all."""
    return state_folder(config.agent.state_dir) / f"{config.agent.name}.{pipeline}.clips"


def build_recorder(config: Config, pipeline: str, item: PipelineConfig) -> Recorder | None:
    """The recorder of a pipeline, None where none is wanted or there is no folder for it."""
    if item.record is None:
        return None
    try:
        return Recorder(clip_folder(config, pipeline), item.record)
    except RuntimeError as error:
        _log.error("pipeline %s: no clips are kept: %s (set state_dir)", pipeline, error)
        return None


def without_recorders(config: Config) -> Config:
    """The same configuration, by which no clip is kept."""
    pipelines = {
        name: item.model_copy(update={"record": None}) for name, item in config.pipelines.items()
    }
    return config.model_copy(update={"pipelines": pipelines})
