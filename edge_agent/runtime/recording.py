"""Joins the recorder of clips to a pipeline: it sees the frames that its pictures are made of."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.frame import Frame
from edge_agent.recorder.recorder import Recorder
from edge_agent.runtime.snapshots import PassedOn, Snapshots
from edge_agent.state import state_folder

_log = logging.getLogger(__name__)


class Recorded(PassedOn):
    """Shows the recorder each frame, masks applied; a clip begins by the events that come of it."""

    def __init__(self, others: Snapshots, recorder: Recorder) -> None:
        super().__init__(others)
        self._recorder = recorder

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source."""
        self._recorder.offer(frame)
        super().frame(frame)

    def close(self) -> None:
        """End the clip in work."""
        super().close()
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
