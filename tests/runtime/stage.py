"""An agent on a stage: real workers, pipelines and wards around models without engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar, cast

from edge_agent.backoff import Backoff
from edge_agent.config.schema import AgentConfig, Config
from edge_agent.errors import ModelError
from edge_agent.frame import Frame
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.mqtt.client import ConnectionState, MqttClient
from edge_agent.mqtt.commands import CommandListener
from edge_agent.mqtt.topics import Topics
from edge_agent.options import Options
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.commands import CommandDesk
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.governor import Governor, Limits, Load
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.marks import Marks
from edge_agent.runtime.notify import Systemd
from edge_agent.runtime.overrides import Overrides
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.swapping import Swaps
from edge_agent.runtime.worker import ModelWorker
from edge_agent.sources.base import Source
from edge_agent.sources.reader import SourceReader, SourceStatus
from tests.support.broker import wait_until
from tests.support.reading import LIMIT
from tests.support.runtime import MESSAGES, FakeInference, NoJitter, Rig, Told, cat, recorded_frame

HEALTH_EVERY = 60.0  # seconds


class Clip:
    """A recording of three frames."""

    Options: ClassVar[type[Options]] = Options
    live = False
    patience: float | None = None

    def __init__(self) -> None:
        self.name = "clip"
        self.frames = iter([recorded_frame(number) for number in range(3)])

    def start(self) -> None:
        """Begin."""

    def read(self) -> Frame | None:
        """Next frame."""
        return next(self.frames, None)

    def stop(self) -> None:
        """End."""


class Worker(ModelWorker):
    """A real worker that claims to be busy for as long as the test says."""

    busy = 0.0

    def busy_for(self) -> float:
        """Seconds."""
        return self.busy


class Client:
    """A client that keeps what was on the broker when it said goodbye."""

    def __init__(self, outbox: Told) -> None:
        self._outbox = outbox
        self.state = ConnectionState(True, "", 0.0, 1)
        self.refused: tuple[str, ...] = ()
        self.started = 0
        self.goodbyes: list[dict[str, str]] = []
        self.served: tuple[list[str], list[str]] = ([], [])

    def serve(self, pipelines: Collection[str], pictures: Collection[str]) -> None:
        """Note for which pipelines to heal."""
        self.served = (list(pipelines), list(pictures))

    def start(self) -> None:
        """Begin."""
        self.started += 1

    def stop(self, timeout: float) -> bool:
        """End."""
        assert 0.0 < timeout < 5.0
        self.goodbyes.append(self._outbox.states())
        return True


def open_cats() -> Inference:
    """A model that finds a cat in every frame."""
    return FakeInference(lambda number: [cat()])


def refuse() -> Inference:
    """A model that can never be opened."""
    raise ModelError("no file")


@dataclass(frozen=True)
class Ensemble:
    """What an agent asks of its assembly while it runs."""

    pipelines: tuple[Pipeline, ...]
    sources: tuple[Ward[SourceReader], ...]
    models: tuple[Ward[ModelWorker], ...]
    config: Config = Config()  # noqa: RUF009 - it does not change

    @property
    def open_models(self) -> tuple[Inference, ...]:
        """As an assembly finds them."""
        return tuple(ward.unit.inference for ward in self.models if ward.unit.inference)

    def customers(self, model: str) -> tuple[Pipeline, ...]:
        """As an assembly finds them: here each model has one, of its own name."""
        return tuple(each for each in self.pipelines if each.name == model)


class Stage:
    """An agent with one pipeline for each opener of a model; the first one may have a source."""

    def __init__(
        self,
        *openers: Callable[[], Inference],
        source: Callable[[], Source] | None = None,
    ) -> None:
        self.outbox = Told()
        self.client = Client(self.outbox)
        names = "pq"[: len(openers)]
        self.rigs = [Rig(name, live=source is not Clip, outbox=self.outbox) for name in names]
        self.wards = [
            self._ward(rig, opener) for rig, opener in zip(self.rigs, openers, strict=True)
        ]
        self.birth = threading.Event()
        self.systemd = Systemd({})
        self.desk = CommandDesk(Overrides(), MESSAGES, self.outbox)
        assembly = Ensemble(
            pipelines=tuple(rig.pipeline for rig in self.rigs),
            sources=(self._source(self.rigs[0], source),) if source else (),
            models=tuple(self.wards),
        )
        governor = Governor(Limits(), lambda: Load(None, "", 0.0, None))
        client = cast("MqttClient", self.client)
        self.agent = Agent(
            config=Config(agent=AgentConfig(name="dev", health_interval=HEALTH_EVERY)),
            assembly=cast("Assembly", assembly),
            outbox=self.outbox,
            messages=MESSAGES,
            client=client,
            composites=Composites(Identity("dev", "boot"), MESSAGES, self.outbox),
            desk=self.desk,
            commands=CommandListener(Topics("edge", "dev"), MESSAGES, (), self.desk.hand_over),
            announce=lambda entities: None,
            birth=self.birth,
            systemd=self.systemd,
            governor=governor,
            health=HealthReport("dev", assembly.pipelines, self.outbox, client, governor),
            exporters=(),
            swaps=Swaps(
                cast("Assembly", assembly),
                lambda _config, _name: open_cats(),
                None,
                UpdatesOptions(),
                Marks(None),
                lambda _step: None,
            ),
        )

    def _ward(self, rig: Rig, opener: Callable[[], Inference]) -> Ward[ModelWorker]:
        def build() -> ModelWorker:
            return Worker(rig.name, opener, [rig.pipeline], rig.ready)

        backoff = Backoff(60.0, 60.0, NoJitter())
        return Ward(f"model {rig.name}", build, rig.pipeline.model_failed, backoff)

    def _source(self, rig: Rig, source: Callable[[], Source]) -> Ward[SourceReader]:
        def build() -> SourceReader:
            return SourceReader(source(), rig.pipeline.intake, rig.pipeline.source_changed)

        def fail(reason: str) -> None:
            rig.pipeline.source_changed(SourceStatus(False, reason))

        return Ward("source cam", build, fail, Backoff(0.01, 0.01, NoJitter()))

    def models_told(self) -> list[int]:
        """How many models each info message named."""
        return [len(info["models"]) for info in self.outbox.json("info")]

    def run(self, stop_when: Callable[[], object] = lambda: False) -> int:
        """Run until it ends by itself, or is stopped when that holds; the exit code."""
        codes: list[int] = []
        stop = threading.Event()
        thread = threading.Thread(target=lambda: codes.append(self.agent.run(stop)), daemon=True)
        thread.start()
        wait_until(lambda: codes or stop_when(), LIMIT, "it does not end")
        assert bool(codes) != bool(stop_when()), "it ended before it was stopped"
        stop.set()
        thread.join(LIMIT)
        return codes[0]
