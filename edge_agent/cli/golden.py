"""The golden samples that `edge-agent models add` and `release` keep with a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.cli.inputs import is_picture, load_samples
from edge_agent.cli.options import lone_model
from edge_agent.errors import InferenceError, UsageError
from edge_agent.modelstore.manifest import name_of
from edge_agent.runtime.golden import check_golden, has_outputs, make_golden
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.opening import open_inference, trials_of
from edge_agent.sources.arrays import BadNumbers
from edge_agent.sources.pictures import BadPicture, load_picture


def declare_golden(parser: argparse.ArgumentParser) -> None:
    """The option `--golden`."""
    parser.add_argument(
        "--golden", type=Path, action="append", default=[], metavar="FILE",
        help="a sample (picture, .npz, .npy, .csv or .wav): what the model makes of it here is "
        "kept, and every agent that loads the model must see the same",
    )  # fmt: skip


@contextmanager
def recorded(arguments: argparse.Namespace) -> Iterator[list[Path]]:
    """The samples with what the model makes of them, until the end of the context.

    Raises ModelError where a sample says otherwise, or the model cannot be opened.
    """
    if not arguments.golden:
        yield []
        return
    name = name_of(arguments.file)
    values = {"file": str(arguments.file), "task": arguments.task}
    if arguments.labels:
        values["labels"] = str(arguments.labels)
    model = lone_model(name, values)
    with (
        TemporaryDirectory() as folder,
        closing(open_inference(name, model, any_input=True, trials=trials_of(None))) as inference,
    ):
        yield [
            _golden_sample(inference, sample, Path(folder) / f"{number}.npz")
            for number, sample in enumerate(arguments.golden)
        ]


def _golden_sample(inference: Inference, sample: Path, target: Path) -> Path:
    if not sample.is_file():
        raise UsageError(f"--golden {sample}: there is no such file")
    if sample.suffix == ".npz" and has_outputs(sample):
        check_golden(inference, [sample])
        return sample
    try:
        fill = _filler(inference, sample)
        if not make_golden(inference, fill, target):
            print(
                f"edge-agent: the model finds nothing in {sample}, so it tells little",
                file=sys.stderr,
            )
    except (BadPicture, BadNumbers, InferenceError) as error:
        raise UsageError(f"--golden {sample}: {error}") from error
    return target


def _filler(inference: Inference, sample: Path) -> Callable[..., object]:
    if is_picture(sample):
        return inference.writer(load_picture(sample))
    samples = load_samples(sample, inference.engine.inputs)
    return lambda *tensors: samples.write(0, *tensors)
