"""The stages of one pipeline, built from its configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.gates import GATES
from edge_agent.gates.chain import GateChain
from edge_agent.gates.schedule import ScheduleOptions
from edge_agent.options import Options
from edge_agent.preprocess.beside import NumbersFraming
from edge_agent.preprocess.framing import AsItComes, Framing, SignalFraming, TextFraming
from edge_agent.result import Kind
from edge_agent.rules.base import CountKey
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.objects import ObjectRules
from edge_agent.rules.options import SnapshotOptions
from edge_agent.rules.zones import ZoneWatch
from edge_agent.runtime.pipeline import StageFactory
from edge_agent.runtime.scoring import labels_of
from edge_agent.runtime.snapshots import JpegSnapshots, NoSnapshots, Snapshots
from edge_agent.scoring.base import Scorer, StackScorer
from edge_agent.sources import SOURCES
from edge_agent.sources.base import Medium, Source
from edge_agent.tracking.base import Tracker
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.instant import InstantTracker
from edge_agent.tracking.labels import LabelTracker
from edge_agent.tracking.options import TrackOptions


def build_source(config: Config, name: str) -> Source:
    """The source of that name; raises ValueError, with the name, for options that it refuses."""
    source = config.sources[name]
    try:
        return SOURCES.load(source.type)(name, source.options)
    except ValueError as error:
        raise ValueError(f"sources.{name}: {error}") from error


def build_snapshots(options: SnapshotOptions, publish: Callable[[bytes], None]) -> Snapshots:
    """What makes the pictures that `publish` is given."""
    return JpegSnapshots(options, publish) if options.allowed else NoSnapshots()


def medium_of(source: Source) -> Medium:
    """What its frames are: it may say so by an attribute, else they are pictures."""
    medium: Medium = getattr(source, "medium", "picture")
    return medium


def stage_factory(
    config: Config,
    item: PipelineConfig,
    medium: Medium,
    live: bool,
    ids: Iterator[int],
    crossings: Counter[CountKey],
    scorer: Callable[[], Scorer],
) -> StageFactory:
    """What makes the stages of a pipeline; raises ValueError for options that one refuses.

    `medium` is what the source gives, `live` whether it is no recording; `ids` numbers objects,
    `crossings` are the line counts so far, `scorer` makes the scorer.
    """
    stages = StageFactory(
        gate=partial(_gates, item, config.agent.location),
        tracker=partial(_tracker, _track_options(config, item), ids, medium),
        rules=partial(_rules, item, crossings),
        framing=partial(_framing, item, medium, not live and _may_stack(item, scorer)),
        scorer=scorer,
    )
    (
        stages.gate(),
        stages.tracker("object"),
        stages.scorer(),
        stages.framing(),
    )  # refuse bad options now, not in a thread
    return stages


def _may_stack(item: PipelineConfig, scorer: Callable[[], Scorer]) -> bool:
    """Whether its windows may come stacked: nobody wants each of them by itself."""
    publish = item.publish
    shows_each = publish.detections or publish.snapshots.allowed or item.record is not None
    is_plain = item.model is None and not item.gate and not shows_each
    return is_plain and isinstance(scorer(), StackScorer)


def _framing(item: PipelineConfig, medium: Medium, stacked: bool) -> Framing:
    if medium == "signal":
        return SignalFraming(item.window, item.stream, item.features, stacked)
    if medium == "text":
        return TextFraming(item.text)
    if item.inputs:
        return NumbersFraming(item.numbers, item.features)
    return AsItComes()


def _track_options(config: Config, item: PipelineConfig) -> TrackOptions:
    """As the YAML says; single pictures are believed at once where it says nothing."""
    if "track" not in item.model_fields_set and config.sources[item.source].is_pictures:
        return TrackOptions(hits=1, of=1, faint=1.0)
    return item.track


def _gates(item: PipelineConfig, location: tuple[float, float] | None) -> GateChain:
    return GateChain(
        [GATES.load(name)(_located(options, location)) for name, options in item.gate.items()]
    )


def _located(options: Options, location: tuple[float, float] | None) -> Options:
    """The options of a gate that goes by the sun, with the place of the agent unless it has one."""
    if isinstance(options, ScheduleOptions) and options.location is None:
        return replace(options, location=location)
    return options


def _tracker(options: TrackOptions, ids: Iterator[int], medium: Medium, kind: Kind) -> Tracker:
    if medium == "text":
        return InstantTracker(options, ids)
    has_boxes = kind in ("object", "keypoints")
    return BoxTracker(options, ids) if has_boxes else LabelTracker(options, ids)


def _rules(item: PipelineConfig, crossings: Counter[CountKey]) -> ObjectRules:
    lines = LineWatch(item.lines, crossings)
    return ObjectRules(
        ZoneWatch(item.zones),
        lines,
        labels_of(item),
        item.publish.update_every,
        item.cooldown,
        item.stationary,
    )
