"""The topics of one device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# Besides what separates or matches levels, brokers hang up on control characters, surrogates and
# non-characters (MQTT 5, section 1.5.4), so one bad label would block every message behind it.
_NON_CHARACTERS = "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_UNSAFE = re.compile(rf"[+#/\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NON_CHARACTERS}]")
_LONGEST_NAME = 200


def safe_name(name: str) -> str:
    """The name as one topic level: white space, `+#/` and what brokers refuse become `_`."""
    return _UNSAFE.sub("_", name[:_LONGEST_NAME]) or "_"


def check_prefix(prefix: str, option: str = "mqtt.topic_prefix") -> None:
    """Raise ValueError for a prefix that cannot start a topic; `option` is where it was set."""
    levels = prefix.split("/")
    if any(level != safe_name(level) for level in levels) or prefix.startswith("$"):
        raise ValueError(
            f"{option} {prefix!r} must be names joined by '/', without spaces, '+' or '#',"
            " no '/' at its ends and no '$' in front"
        )


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of a device, all below `base` = `{prefix}/{device}`.

    Everything below `base` belongs to this device; nobody else may publish there but commands.
    Raises ValueError for a prefix that cannot start a topic.
    """

    prefix: str
    device: str

    def __post_init__(self) -> None:
        check_prefix(self.prefix)

    @property
    def base(self) -> str:
        """First two parts of every topic."""
        return f"{self.prefix}/{safe_name(self.device)}"

    @property
    def status(self) -> str:
        """`online` or `offline`: the device."""
        return f"{self.base}/status"

    @property
    def info(self) -> str:
        """What the device runs."""
        return f"{self.base}/info"

    @property
    def health(self) -> str:
        """How the device does."""
        return f"{self.base}/health"

    @property
    def model(self) -> str:
        """What becomes of models that are to take another's place."""
        return f"{self.base}/model"

    @property
    def doctor(self) -> str:
        """Where `edge-agent doctor` tries out what it may write and read."""
        return f"{self.base}/doctor"

    def pipeline(self, pipeline: str) -> str:
        """First part of a pipeline's topics."""
        return f"{self.base}/{safe_name(pipeline)}"

    def pipeline_status(self, pipeline: str) -> str:
        """`online` or `offline`: a pipeline's source."""
        return f"{self.pipeline(pipeline)}/status"

    def events(self, pipeline: str) -> str:
        """Events of a pipeline."""
        return f"{self.pipeline(pipeline)}/events"

    def detections(self, pipeline: str) -> str:
        """Results of each inferred frame."""
        return f"{self.pipeline(pipeline)}/detections"

    def counts(self, pipeline: str, label: str) -> str:
        """Objects of a label that are present now."""
        return f"{self.pipeline(pipeline)}/counts/{safe_name(label)}"

    def zone_counts(self, pipeline: str, zone: str, label: str) -> str:
        """Objects of a label that are in a zone now."""
        return f"{self.pipeline(pipeline)}/zones/{safe_name(zone)}/counts/{safe_name(label)}"

    def enabled(self, pipeline: str) -> str:
        """`ON` or `OFF`: whether a pipeline infers."""
        return f"{self.pipeline(pipeline)}/enabled/state"

    def threshold(self, pipeline: str) -> str:
        """Least score of a pipeline's results."""
        return f"{self.pipeline(pipeline)}/threshold/state"

    def enabled_set(self, pipeline: str) -> str:
        """Where a pipeline is told to infer or not."""
        return f"{self.pipeline(pipeline)}/enabled/set"

    def threshold_set(self, pipeline: str) -> str:
        """Where the least score is set."""
        return f"{self.pipeline(pipeline)}/threshold/set"

    def snapshot(self, pipeline: str) -> str:
        """Newest picture of a pipeline."""
        return f"{self.pipeline(pipeline)}/snapshot"

    def reading(self, pipeline: str) -> str:
        """Newest number of a pipeline of a sensor."""
        return f"{self.pipeline(pipeline)}/reading"

    def command(self, name: str) -> str:
        """A command to the device."""
        return f"{self.base}/cmd/{name}"

    def response(self, name: str) -> str:
        """Answers to a command that names no response topic."""
        return f"{self.command(name)}/response"

    @property
    def command_filters(self) -> tuple[str, ...]:
        """Filters for every command."""
        base = self.base
        return (f"{base}/cmd/+", f"{base}/+/enabled/set", f"{base}/+/threshold/set")

    def line_counts(
        self, pipeline: str, line: str, label: str, direction: Literal["in", "out"]
    ) -> str:
        """Objects of a label that crossed a line today."""
        line_topic = f"{self.pipeline(pipeline)}/lines/{safe_name(line)}"
        return f"{line_topic}/counts/{safe_name(label)}/{direction}"
