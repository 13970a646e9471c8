"""Opens the models of a configuration: everything of one made ready, its engine last."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.config.schema import NO_MODEL, Config, ModelConfig
from edge_agent.decoders.base import Decoder, known_labels, picture_notes
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine, Rounding
from edge_agent.engines.modelfile import load_labels, read_model_info
from edge_agent.engines.state import StatefulEngine, Wire, state_wires, without_state
from edge_agent.engines.streams import EnginePerStream, Forgetful
from edge_agent.errors import EdgeAgentError, ModelError
from edge_agent.event import ModelRef
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.modelstore import golden_samples, store_folder, stored_labels
from edge_agent.modelstore.check import check_release
from edge_agent.preprocess.beside import Beside, others
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures, picture_place
from edge_agent.result import Kind
from edge_agent.runtime.enrolment import enroll
from edge_agent.runtime.golden import check_golden
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.no_model import WithoutModel
from edge_agent.runtime.trials import Trials
from edge_agent.state import state_folder


def open_inference(
    name: str,
    model: ModelConfig,
    rounding: Rounding | Callable[[ModelInfo, Kind], Rounding] | None = None,
    *,
    any_input: bool = False,
    with_numbers: bool = False,
    kept: Path | None = None,
    trials: Trials | None = None,
) -> Inference:
    """A model made ready for pictures: checked, opened, with its preprocessing and decoder.

    `rounding` as for `open_engine`, or what chooses it for a model; `kept` is a folder for what
    need not be worked out again; `trials` have a child process outlive the model first. One
    `with_numbers` may have inputs beside that of the picture. With `any_input` a model that takes
    no picture opens as well, and complains only when it is given one. Raises ModelError or
    DelegateError that says what is wrong and what to do.
    """
    info, preprocessor, decoder, why, labels, wires = _made_ready(
        name, model, any_input, with_numbers
    )
    golden = golden_samples(model.file) if trials is not None else ()
    if trials is not None:
        trials.check(model.file, info.sha256, model.engine, model.delegate, golden)
    if callable(rounding):
        rounding = rounding(info, decoder.kind)
    engine = _engine(model, info, partial(_opened, model, rounding, wires))
    ref = ModelRef(name, info.sha256, engine.name)
    inference = Inference(ref, info, engine, preprocessor, decoder, why, labels)
    try:
        enroll(inference, repr(model.preprocess), kept)
        check_golden(inference, golden)
    except EdgeAgentError:
        inference.close()
        raise
    return inference


def _engine(model: ModelConfig, info: ModelInfo, open_one: Callable[[], Engine]) -> Engine:
    """One that keeps streams apart, where the model remembers any."""
    if not info.remembers:
        return open_one()
    return EnginePerStream(open_one(), open_one) if model.state != {} else Forgetful(open_one())


def _opened(model: ModelConfig, rounding: Rounding | None, wires: Sequence[Wire]) -> Engine:
    engine = open_engine(model.file, model.engine, model.threads, model.delegate, rounding)
    return StatefulEngine(engine, wires) if wires else engine


def open_for(config: Config, name: str, *, may_crash: bool = False) -> Inference:
    """A model of the configuration, for what its pipelines give it; raises as `open_inference`.

    Where this process `may_crash` no other tries the model out first.
    """
    if name == NO_MODEL and name not in config.models:
        return WithoutModel()
    any_input = not config.takes_pictures(name)
    state_dir = config.agent.state_dir
    _check_signed(config, name)
    return open_inference(
        name,
        config.models[name],
        any_input=any_input,
        with_numbers=config.gives_numbers(name),
        kept=kept_folder(state_dir, "galleries"),
        trials=None if may_crash else trials_of(state_dir),
    )


def _check_signed(config: Config, name: str) -> None:
    if keys := config.updates.trusted:
        store = store_folder(config.agent.state_dir)
        check_release(config.models[name].file, keys, store)


def trials_of(state_dir: Path | None) -> Trials:
    """Those of the agent with this folder for its state."""
    return Trials(kept_folder(state_dir, "trials"))


class Checked(NamedTuple):
    """What a model finds, the labels that it knows, and what it takes beside a picture."""

    kind: Kind
    labels: tuple[str, ...] | None
    beside: Beside


def check_model(config: Config, name: str) -> Checked:
    """Everything of `open_for` but the engine; raises ModelError."""
    _check_signed(config, name)
    any_input = not config.takes_pictures(name)
    ready = _made_ready(name, config.models[name], any_input, config.gives_numbers(name))
    beside = Beside(others(ready.info.inputs, picture_place(ready.info.inputs)))
    return Checked(ready.decoder.kind, ready.labels, beside)


class _Ready(NamedTuple):
    """All of a model but the engine; `info` is without the inputs that it feeds itself."""

    info: ModelInfo
    preprocessor: ImagePreprocessor | NoPictures
    decoder: Decoder
    why: str
    labels: tuple[str, ...] | None
    wires: tuple[Wire, ...]


def _made_ready(name: str, model: ModelConfig, any_input: bool, with_numbers: bool) -> _Ready:
    info = read_model_info(model.file)
    if model.sha256 is not None and model.sha256 != info.sha256:
        raise ModelError(
            f"{model.file} is not the file that models.{name}.sha256 names: it has {info.sha256}",
            "restore the file, or write its new sha256 into the configuration",
        )
    wires = state_wires(info, model.state)
    info = without_state(info, wires)
    labels = model_labels(model, info)
    options = dataclasses.asdict(model.task.options) if model.task.name else {}
    seen = _of_picture(info) if with_numbers else info
    decoder, why = choose_decoder(seen, labels, model.task.name, options)
    preprocessor = _preprocessor(
        name, model, info, picture_notes(decoder, seen), any_input, with_numbers
    )
    return _Ready(info, preprocessor, decoder, why, known_labels(decoder, labels), wires)


def _of_picture(info: ModelInfo) -> ModelInfo:
    """The model as if the picture were all that it takes: decoders go by its first input."""
    place = picture_place(info.inputs)
    return dataclasses.replace(info, inputs=info.inputs[place : place + 1])


def model_labels(model: ModelConfig, info: ModelInfo) -> tuple[str, ...] | None:
    """Names of the classes, wherever the configuration takes them from; raises ModelError."""
    if model.labels == "auto":
        return info.labels or stored_labels(model.file)
    if isinstance(model.labels, list):
        return tuple(model.labels)
    return load_labels(model.labels)


def _preprocessor(
    name: str,
    model: ModelConfig,
    info: ModelInfo,
    notes: Mapping[str, Any],
    any_input: bool,
    with_numbers: bool,
) -> ImagePreprocessor | NoPictures:
    """For its picture; other inputs, and a model that takes none, are let pass on request."""
    try:
        spec = _picture_input(info, any_input or with_numbers)
        return ImagePreprocessor(spec, notes, model.preprocess)
    except ModelError as error:
        if not any_input or not info.inputs:
            raise
        return NoPictures(error)
    except ValueError as error:
        raise ModelError(f"models.{name}.preprocess: {error}") from error


def _picture_input(info: ModelInfo, may_have_others: bool) -> TensorSpec:
    if not info.inputs or (len(info.inputs) > 1 and not may_have_others):
        raise ModelError(
            f"{info.path} has {len(info.inputs)} inputs: "
            + (", ".join(repr(spec.name) for spec in info.inputs) or "none"),
            "use a model whose one input is a picture; name numbers that it takes beside it under "
            "inputs of the pipeline, and write state: {OUTPUT: INPUT} where it is to be given back "
            "what it put out",
        )
    return info.inputs[picture_place(info.inputs)]


def kept_folder(state_dir: Path | None, what: str) -> Path | None:
    """Where something that was worked out once is kept; None where no folder can be used."""
    try:
        return state_folder(state_dir) / what
    except RuntimeError:
        return None
