"""The configuration as the agent sees it: what the YAML may hold, section by section.

Each stage's own options stand with the stage; here they are only put together.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, WithJsonSchema

from edge_agent.config.by_name import (
    GATE_PLUGINS,
    STREAM_PLUGINS,
    TEXT_PLUGINS,
    WINDOW_PLUGINS,
    SourceConfig,
    StageOptions,
    TaskConfig,
)
from edge_agent.config.problem import YamlPath
from edge_agent.engines.delegate import DelegateOptions
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.mqtt.options import MqttOptions
from edge_agent.options import Doc, Duration, Fraction, Options
from edge_agent.outbox.options import OutboxOptions
from edge_agent.page.options import PageOptions
from edge_agent.preprocess.beside import ONLY
from edge_agent.preprocess.framing import WindowOptions
from edge_agent.preprocess.image import PreprocessOptions
from edge_agent.preprocess.tiles import TileOptions
from edge_agent.recorder.options import RecordOptions
from edge_agent.rules.composite import CompositeOptions
from edge_agent.rules.options import (
    FilterOptions,
    LineOptions,
    PrivacyOptions,
    PublishOptions,
    ZoneOptions,
)
from edge_agent.scoring.options import AnomalyOptions, ReadingOptions, SmoothOptions
from edge_agent.tracking.options import RefineOptions, TrackOptions

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def host_name() -> str:
    """Name of this machine as a device id."""
    name = re.sub(r"[^\w.-]", "-", socket.gethostname())
    return name.strip("-.") or "edge-agent"


def _check_sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        length = f", got {len(text)} characters" if len(text) != 64 else ""
        raise ValueError(f"expected 64 hexadecimal digits, as sha256sum prints them{length}")
    return text.lower()


Sha256 = Annotated[
    str,
    AfterValidator(_check_sha256),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}),
]


class Section(BaseModel):
    """Base of the sections: fixed once read, and an unknown key is a mistake."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class AgentConfig(Section):
    """The device itself."""

    name: Annotated[str, Doc("Device id in topics; default: the host name.")] = Field(
        default_factory=host_name, validate_default=False
    )
    state_dir: Annotated[
        Path | None,
        Doc("Folder for what must survive a restart; default: systemd's, else the user's own."),
    ] = None
    location: Annotated[
        tuple[Annotated[float, Ge(-90), Le(90)], Annotated[float, Ge(-180), Le(180)]] | None,
        Doc("Latitude and longitude in degrees, north and east positive; for sunrise and sunset."),
    ] = None
    health_interval: Annotated[
        Duration, Gt(0), Doc("How often the health numbers are published.")
    ] = 60.0
    cpu_budget: Annotated[
        float | None,
        Gt(0),
        Doc("Processor cores that may be in use on average; above that fewer frames are inferred."),
    ] = None
    max_temperature: Annotated[
        float, Ge(30), Le(120), Doc("Degrees Celsius of the processor from which it infers less.")
    ] = 80.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Doc("Least weight of what is logged.")
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Doc("Lines for people, or one JSON object a line.")
    ] = "text"


class ModelConfig(Section):
    """A model file and how it is run."""

    file: Annotated[
        Path, Doc("The .tflite or .npz file, or the name of a model in the model store.")
    ]
    sha256: Annotated[
        Sha256 | None, Doc("SHA-256 of the file; when given, no other file is run.")
    ] = None
    engine: Annotated[
        Literal["auto", "tflite", "numpy"], Doc("What runs the model. auto: the fastest at hand.")
    ] = "auto"
    threads: Annotated[int, Ge(1), Le(64), Doc("CPU threads for one inference.")] = 1
    delegate: Annotated[
        DelegateOptions | None, Doc("An accelerator, such as libedgetpu.so.1 of a Coral.")
    ] = None
    task: Annotated[
        TaskConfig,
        Doc("How the outputs are read. auto: from the tensors and what the model says of itself."),
    ] = TaskConfig()
    labels: Annotated[
        Literal["auto"] | Path | list[str],
        Doc("Names of the classes: auto (inside the model), a file with one a line, or a list."),
    ] = "auto"
    state: Annotated[
        dict[str, str] | None,
        Doc(
            "Outputs that are inputs of the next frame, OUTPUT: INPUT by their names; default: "
            "those of equal shape, type and quantisation where the names leave no doubt. {}: it "
            "begins anew with each frame, also what it keeps in variables of its own, as an LSTM "
            "that was trained on whole windows needs it."
        ),
    ] = None
    preprocess: Annotated[PreprocessOptions, Doc("How a frame becomes the model's input.")] = (
        PreprocessOptions()
    )


NO_MODEL = "no-model"
"""What stands for the name of the model where a pipeline has none."""


class PipelineConfig(Section):
    """From one source through one model to messages."""

    enabled: Annotated[bool, Doc("Whether it runs.")] = True
    source: Annotated[str, Doc("Name of the source.")]
    gate: Annotated[
        dict[str, Options],
        StageOptions(GATE_PLUGINS),
        Doc("Which frames are worth inferring; a frame must pass all, in this order."),
    ] = Field(default_factory=dict)
    stream: Annotated[
        dict[str, Options],
        StageOptions(STREAM_PLUGINS),
        Doc("What is done along a signal before it is cut into windows, in this order."),
    ] = Field(default_factory=dict)
    window: Annotated[WindowOptions, Doc("How a signal is cut into windows.")] = WindowOptions()
    features: Annotated[
        dict[str, Options],
        StageOptions(WINDOW_PLUGINS),
        Doc(
            "What is made of each window, or of the numbers in `inputs`, in this order; the last "
            "is the model's input."
        ),
    ] = Field(default_factory=dict)
    inputs: Annotated[
        Annotated[list[str], MinLen(1)] | dict[str, Annotated[list[str], MinLen(1)]],
        Doc(
            "The numbers that the model takes beside a picture: channels (PART.CHANNEL) of a "
            "fusion in the order of its training; by the names of its inputs where it has several."
        ),
    ] = Field(default_factory=dict)
    text: Annotated[
        dict[str, Options],
        StageOptions(TEXT_PLUGINS),
        Doc("How a line of text becomes the numbers that the model takes: one way."),
    ] = Field(default_factory=dict)
    model: Annotated[
        str | None,
        Doc("Name of the model; none: `anomaly` or `reading` take the window itself."),
    ] = None
    labels: Annotated[
        Annotated[list[str], MinLen(1)] | None, Doc("Labels that count; default: all of the model.")
    ] = None
    max_age: Annotated[
        Duration | None,
        Gt(0),
        Doc("A live frame that has waited for longer is dropped, not inferred; default: none is."),
    ] = None
    tiles: Annotated[
        TileOptions | None, Doc("Crops of the frame are inferred, for small objects; default: no.")
    ] = None
    threshold: Annotated[Fraction, Doc("Least score of a result.")] = 0.5
    filters: Annotated[
        dict[str, FilterOptions], Doc("Which results of a label count, by label.")
    ] = Field(default_factory=dict)
    smooth: Annotated[
        SmoothOptions | None, Doc("Joins the scores of windows that follow each other.")
    ] = None
    anomaly: Annotated[
        AnomalyOptions | None, Doc("Tells windows that are not normal, as an event `anomaly`.")
    ] = None
    reading: Annotated[
        ReadingOptions | None,
        Doc("Publishes a number with its unit, and when it is out of bounds."),
    ] = None
    track: Annotated[
        TrackOptions,
        Doc("How detections become objects; for a source of pictures the default is 1 hit of 1."),
    ] = TrackOptions()
    refine: Annotated[
        dict[str, RefineOptions],
        Doc("Second models, by name, each of which names the objects of some labels more closely."),
    ] = Field(default_factory=dict)
    cooldown: Annotated[
        Duration,
        Doc("A new object of a label is told at the earliest this long after the last one."),
    ] = 0.0
    stationary: Annotated[
        Duration | None,
        Doc(
            "An object that has not moved for this long is told as stationary; while all are, a "
            "motion gate lets as few still frames pass as if nothing were there."
        ),
    ] = None
    zones: Annotated[dict[str, ZoneOptions], Doc("Areas of the frame, by name.")] = Field(
        default_factory=dict
    )
    lines: Annotated[dict[str, LineOptions], Doc("Lines that objects cross, by name.")] = Field(
        default_factory=dict
    )
    privacy: Annotated[PrivacyOptions, Doc("What nobody may see.")] = PrivacyOptions()
    publish: Annotated[PublishOptions, Doc("What goes out over MQTT.")] = PublishOptions()
    record: Annotated[
        RecordOptions | None,
        Doc("Clips around events, kept on this device for `replay`; off where this is absent."),
    ] = None

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models that it uses, the main one first."""
        return (self.model_name, *self.refine)

    @property
    def numbers(self) -> dict[str, list[str]]:
        """The channels of each input beside the picture, by its name; ONLY where it has none."""
        return {ONLY: self.inputs} if isinstance(self.inputs, list) else self.inputs

    @property
    def model_name(self) -> str:
        """Name of the model, or what stands for it."""
        return self.model or NO_MODEL


class PrometheusConfig(Section):
    """Numbers for Prometheus at http://ADDRESS:PORT/metrics."""

    address: Annotated[
        str, Doc("Where to listen; 0.0.0.0 for the whole network. Nobody is asked for a password.")
    ] = "127.0.0.1"
    port: Annotated[int, Ge(1), Le(65535), Doc("TCP port.")] = 9177


class Config(Section):
    """The whole configuration."""

    agent: Annotated[AgentConfig, Doc("The device itself.")] = Field(default_factory=AgentConfig)
    mqtt: Annotated[MqttOptions, Doc("The broker and how to log in.")] = MqttOptions()
    outbox: Annotated[OutboxOptions, Doc("Bounds of what waits while the broker is away.")] = (
        OutboxOptions()
    )
    prometheus: Annotated[
        PrometheusConfig | None, Doc("Numbers for Prometheus; off where this is absent.")
    ] = None
    page: Annotated[
        PageOptions | None, Doc("A status page for people; off where this is absent.")
    ] = None
    updates: Annotated[
        UpdatesOptions,
        Doc("How models change while the agent runs, whom to believe, where new ones come from."),
    ] = UpdatesOptions()
    models: Annotated[dict[str, ModelConfig], Doc("Models, by name.")] = Field(default_factory=dict)
    sources: Annotated[dict[str, SourceConfig], Doc("Where frames come from, by name.")] = Field(
        default_factory=dict
    )
    pipelines: Annotated[
        dict[str, PipelineConfig], Doc("From a source through a model to messages, by name.")
    ] = Field(default_factory=dict)
    composites: Annotated[
        dict[str, CompositeOptions],
        Doc("Events of what several pipelines see together, by name."),
    ] = Field(default_factory=dict)

    @property
    def running(self) -> dict[str, PipelineConfig]:
        """The pipelines that are enabled, by name."""
        return {name: item for name, item in self.pipelines.items() if item.enabled}

    def takes_pictures(self, model: str) -> bool:
        """Whether a model is given pictures: by any pipeline, or by none that is known."""
        users = [item.source for item in self.pipelines.values() if item.model == model]
        return not users or any(self.sources[source].gives_pictures for source in users)

    def gives_numbers(self, model: str) -> bool:
        """Whether a model is given numbers beside a picture, by any pipeline."""
        return any(item.inputs for item in self.pipelines.values() if item.model == model)

    _hidden: frozenset[YamlPath] = PrivateAttr(default=frozenset())

    def hide(self, paths: frozenset[YamlPath]) -> None:
        """Remember which values came from outside the file and are never shown."""
        self._hidden = paths

    @property
    def hidden(self) -> frozenset[YamlPath]:
        """Paths of the values that are never shown."""
        return self._hidden


_MAY_BE_EMPTY: tuple[tuple[Any, ...], ...] = (
    ("models", "*"),
    ("sources", "*"),
    ("pipelines", "*"),
    ("pipelines", "*", "gate", "*"),
    ("pipelines", "*", "tiles"),
    ("pipelines", "*", "stream", "*"),
    ("pipelines", "*", "features", "*"),
    ("pipelines", "*", "text", "*"),
    ("pipelines", "*", "anomaly"),
    ("pipelines", "*", "reading"),
    ("pipelines", "*", "filters", "*"),
    ("pipelines", "*", "zones", "*"),
    ("pipelines", "*", "zones", "*", "filters", "*"),
    ("pipelines", "*", "lines", "*"),
    ("pipelines", "*", "refine", "*"),
    ("pipelines", "*", "record"),
    ("mqtt", "tls"),
    ("prometheus",),
    ("page",),
)
"""Sections that stand there even with nothing in them: `motion:` is a gate, `tls:` is TLS."""


def may_be_empty(path: YamlPath) -> bool:
    """True where a name with nothing after it stands for a section with all its defaults."""
    return any(
        len(path) == len(pattern)
        and all(wanted in ("*", part) for wanted, part in zip(pattern, path, strict=True))
        for pattern in _MAY_BE_EMPTY
    )
