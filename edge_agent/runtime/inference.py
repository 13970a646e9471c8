"""One model made ready: an image, or a sample of numbers, in; results out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Decoder
from edge_agent.engines.base import Engine
from edge_agent.engines.state import Memory, StatefulEngine
from edge_agent.engines.streams import EnginePerStream
from edge_agent.event import ModelRef
from edge_agent.frame import is_picture
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.preprocess.beside import Beside, others
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures, picture_place
from edge_agent.preprocess.numbers import NumberWriter
from edge_agent.preprocess.samples import Samples, write_zero
from edge_agent.result import Result

Numbers = Mapping[str, NDArray[np.float32]]
"""What a model takes beside a picture, by the name of its input."""

_NONE: Numbers = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Results of one input, best first, and the milliseconds that each stage took."""

    results: tuple[Result, ...]
    preprocess_ms: float
    infer_ms: float
    decode_ms: float


class Inference:
    """Preprocess, engine and decoder of one model. Not thread-safe: one worker owns it."""

    def __init__(
        self,
        ref: ModelRef,
        info: ModelInfo,
        engine: Engine,
        preprocessor: ImagePreprocessor | NoPictures,
        decoder: Decoder,
        decoder_why: str,
        labels: tuple[str, ...] | None,
    ) -> None:
        self.ref = ref
        self.info = info
        self.engine = engine
        self.preprocessor = preprocessor
        self.decoder = decoder
        self.decoder_why = decoder_why
        self.labels = labels
        self._numbers = NumberWriter(engine.inputs[0]) if engine.inputs else None
        self._place = picture_place(engine.inputs)
        self.beside = Beside(others(engine.inputs, self._place))

    def run(
        self,
        data: NDArray[Any],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """Infer one H x W x 3 uint8 BGR image, or a window of as many numbers as the model takes.

        Boxes are fractions of the image. `numbers` is for the inputs beside an image; beside a
        window they are zero.
        `memory` is that of the stream that the frame belongs to, where the model feeds outputs
        back or remembers in variables of its own; all frames without are one stream. Raises
        SignalMismatch for a window of another size, and for numbers that do not fit.
        """
        if memory is not None and isinstance(self.engine, StatefulEngine | EnginePerStream):
            self.engine.memory = memory
        return self._run(self.writer(data, numbers or _NONE), threshold)

    def outputs(self, image: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """The output tensors of one image as `run` takes it, in native dtypes.

        They are valid until the next image.
        """
        self.engine.fill(self.writer(image))
        return self.engine.run()

    def run_sample(self, samples: Samples, number: int, threshold: float) -> Outcome:
        """Infer one of the samples; boxes are fractions of the model's input."""
        return self._run(partial(samples.write, number), threshold)

    def _run(self, write: Callable[..., BoxMapping], threshold: float) -> Outcome:
        start = time.perf_counter()
        mapping = self.engine.fill(write)
        filled = time.perf_counter()
        outputs = self.engine.run()
        inferred = time.perf_counter()
        results = self.decoder.decode(outputs, mapping, threshold)
        decoded = time.perf_counter()
        return Outcome(
            results, 1e3 * (filled - start), 1e3 * (inferred - filled), 1e3 * (decoded - inferred)
        )

    def writer(self, data: NDArray[Any], numbers: Numbers = _NONE) -> Callable[..., BoxMapping]:
        """What fills the engine's inputs with data and numbers as `run` takes them."""

        def write(*tensors: NDArray[Any]) -> BoxMapping:
            if self._numbers is None or is_picture(data):
                if numbers or len(tensors) > 1:
                    self.beside.write(numbers, others(tensors, self._place))
                return self.preprocessor.write(data, tensors[self._place])
            for other, spec in zip(tensors[1:], self.engine.inputs[1:], strict=True):
                write_zero(other, spec)
            self._numbers.write(data, tensors[0])
            return BoxMapping()

        return write

    def warm_up(self) -> None:
        """Run once on nothing, so that the first frame takes no longer than others."""
        if any(-1 in spec.shape for spec in self.engine.inputs):
            return
        self.engine.fill(lambda *tensors: [tensor.fill(0) for tensor in tensors])
        self.engine.run()
        self.forget()

    def forget(self) -> None:
        """Forget what came in without the memory of a stream."""
        if isinstance(self.engine, EnginePerStream):
            self.engine.give_back()
            return
        self.engine.reset()
        if isinstance(self.engine, StatefulEngine):
            self.engine.memory = Memory()

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()
