"""The .npz model format: the same results, and no damage gets through."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.cli.main import main
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines import open_engine
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.npz import read_npz
from edge_agent.errors import ModelError
from tests.support.agent import ASSETS
from tests.support.tflite_writer import int8_add_graph, write_model


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """A small model, converted."""
    source = write_model(tmp_path / "add.tflite", int8_add_graph())
    target = tmp_path / "add.npz"
    assert main(["convert", str(source), str(target)]) == 0
    return target


def test_same_results(npz: Path) -> None:
    """The converted model gives the same bytes as the file that it came from."""
    a = np.random.default_rng(0).integers(-128, 128, (2, 1, 2, 3)).astype(np.int8)
    from_npz = open_engine(npz).run(a[0:1].reshape(1, 2, 3), a[1:2].reshape(1, 2, 3))
    tflite = open_engine(npz.with_suffix(".tflite"), kind="numpy")
    from_tflite = tflite.run(a[0:1].reshape(1, 2, 3), a[1:2].reshape(1, 2, 3))
    for ours, theirs in zip(from_npz, from_tflite, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_the_maker_wrote_is_kept(tmp_path: Path) -> None:
    """Labels, decoder and preprocessing of the bundled detector are the same from either file."""
    target = tmp_path / "belt.npz"
    assert main(["convert", str(ASSETS / "belt.tflite"), str(target)]) == 0
    before, after = read_model_info(ASSETS / "belt.tflite"), read_model_info(target)
    assert after.labels == before.labels
    assert after.operators == before.operators
    assert choose_decoder(after, after.labels)[1] == choose_decoder(before, before.labels)[1]


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A target that is no .npz is refused, and a folder that is not there is told."""
    assert main(["convert", str(ASSETS / "belt.tflite"), str(tmp_path / "belt.bin")]) == 2
    assert main(["convert", str(ASSETS / "belt.tflite"), str(tmp_path / "no" / "b.npz")]) == 1
    assert "cannot write" in capsys.readouterr().err


def _changed(npz: Path, change: Any) -> Path:
    """The file with its JSON changed."""
    with np.load(npz) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    head = json.loads(arrays["program"].tobytes())
    change(head, arrays)
    if "program" in arrays:
        arrays["program"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    npz.write_bytes(buffer.getvalue())
    return npz


def _set(*path: Any) -> Any:
    *keys, last, value = path

    def change(head: Any, arrays: Any) -> None:
        for key in keys:
            head = head[key]
        head[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("format", "edge-agent/model/9"),
        _set("graphs", []),
        _set("graphs", 0, "inputs", [7]),
        _set("graphs", 0, "operators", 0, "inputs", [0, -2]),
        _set("graphs", 0, "outputs", [0, 99]),
        _set("graphs", 0, "tensors", 0, "shape", [1 << 20, 1 << 20]),
        _set("graphs", 0, "tensors", 0, "shape", [-1, 2]),
        _set("graphs", 0, "tensors", 0, "dtype", "O"),
        _set("graphs", 0, "operators", 0, "options", {"activation": None}),
        _set("graphs", 0, "operators", []),
        lambda head, arrays: arrays.pop("program"),
        lambda head, arrays: arrays.update(g0_t0_scale=np.ones(2, np.float32)),
        lambda head, arrays: arrays.update(g0_t0_scale=np.full(1, np.nan, np.float32)),
        lambda head, arrays: arrays.update(g0_t0_constant=np.ones(3)),
    ],
)
def test_damage_is_found(npz: Path, change: Any) -> None:
    """Whatever is out of range or at odds is one ModelError."""
    file = _changed(npz, change)
    with pytest.raises(ModelError):
        open_engine(file, kind="numpy")


def test_pickles_are_not_loaded(npz: Path) -> None:
    """An array of objects, which could run code, is refused."""
    file = _changed(npz, lambda head, arrays: arrays.update(x=np.array([{}], object)))
    with pytest.raises(ModelError, match=r"damaged|pickle"):
        read_npz(file)


def test_bomb_is_not_unpacked(npz: Path) -> None:
    """An archive that says it holds gigabytes is refused before it is unpacked."""
    with (
        zipfile.ZipFile(npz, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("bomb.npy", "w", force_zip64=True) as entry,
    ):
        for _ in range(600):
            entry.write(bytes(1 << 20))
    with pytest.raises(ModelError, match="bytes of arrays"):
        read_npz(npz)


def test_cut_off_file(npz: Path) -> None:
    """A file that breaks off is told as such."""
    npz.write_bytes(npz.read_bytes()[:-30])
    with pytest.raises(ModelError):
        open_engine(npz)
