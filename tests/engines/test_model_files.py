"""What files that are no models, and what models with notes inside, are read as."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import ModelError
from tests.support.tflite_writer import add_graph, flatbuffer, model, write_model

_MODEL = model(add_graph())


def _with_files(tmp_path: Path, files: Mapping[str, bytes | str], **more: Any) -> Path:
    """A model with a zip archive appended."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    path = tmp_path / "noted.tflite"
    path.write_bytes(model(add_graph(), **more) + archive.getvalue())
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "Keras model"),
        (b"PK\x03\x04" + bytes(40), r"an archive \(.npz"),
        (b'{"error": "not found"}', "a JSON document"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG picture, not a TFLite model"),
        (_MODEL[:20], "outside|do not fit"),
        (b"abc", "not a TFLite model"),
        (_MODEL.replace(b"TFL3", b"TFL2"), "not a TFLite model"),
    ],
)
def test_wrong_files_say_what_they_are(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is no model is named for what it is, with a cure."""
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        read_model_info(path)
    assert caught.value.cure
    assert "\n" not in str(caught.value)


def test_wrong_paths_say_what_they_are(tmp_path: Path) -> None:
    """A path that is missing or a folder, and a model of another kind by its name."""
    with pytest.raises(ModelError, match="does not exist"):
        read_model_info(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="is a folder"):
        read_model_info(tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07\x12\x04abcd" * 4)
    with pytest.raises(ModelError, match="is an ONNX model"):
        read_model_info(tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["labelmap.txt", "labels.txt", "sub/Probability-Labels.txt"])
def test_label_files_inside_the_model(tmp_path: Path, name: str) -> None:
    """Any text file that is called after labels is taken."""
    info = read_model_info(_with_files(tmp_path, {"readme.txt": "hello", name: "cat\ndog\n"}))
    assert info.labels == ("cat", "dog")


def test_label_file_named_by_the_metadata_comes_first(tmp_path: Path) -> None:
    """TFLite Metadata says which file holds the labels, and how to normalise the input."""
    normalization = {0: np.array([127.5], np.float32), 1: np.array([128], np.float32)}
    metadata = {
        0: "Cats",
        3: [
            {
                2: [{4: [{0: ("<B", 1), 1: normalization}]}],
                3: [{6: [{0: "vocabulary.txt", 2: ("<b", 5)}, {0: "b.txt", 2: ("<b", 2)}]}],
            }
        ],
    }
    files = {"labels.txt": "wrong", "b.txt": "cat\ndog", "vocabulary.txt": "x"}
    notes = {"TFLITE_METADATA": flatbuffer(metadata, b"M001")}
    info = read_model_info(_with_files(tmp_path, files, metadata=notes))
    assert info.labels == ("cat", "dog")
    assert info.metadata == {"name": "Cats", "mean": [127.5], "std": [128.0]}


@pytest.mark.parametrize("as_json", [True, False])
def test_notes_of_ultralytics(tmp_path: Path, as_json: bool) -> None:
    """Their mapping, in Python's or JSON's form, gives labels, task, size and stride."""
    python = "{'task': 'detect', 'imgsz': 640, 'stride': 32, 'names': {0: 'cat', 2: 'dog'}}"
    json = '{"Task": "detect", "imgsz": [640, 640], "stride": 32, "names": ["cat", "x", "dog"]}'
    name, text = ("metadata.json", json) if as_json else ("temp_meta.txt", python)
    info = read_model_info(_with_files(tmp_path, {name: text}))
    assert info.metadata == {"task": "detect", "imgsz": [640, 640], "stride": 32}
    assert info.labels == ("cat", "x" if as_json else "class 1", "dog")


@pytest.mark.parametrize("text", ["{" * 5000, "{'a': __import__('os')}", "no mapping", "{1: 2}"])
def test_notes_that_are_no_mapping_are_left_out(tmp_path: Path, text: str) -> None:
    """Notes are read as plain values and never run; unreadable ones do not spoil the model."""
    assert read_model_info(_with_files(tmp_path, {"temp_meta.txt": text})).metadata == {}


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    """A file that unpacks to more than the limit is refused, whatever its header says."""
    path = _with_files(tmp_path, {"labels.txt": bytes(3 << 20)})
    with pytest.raises(ModelError, match=r"labels.txt: 3145728 bytes"):
        read_model_info(path)
    path.write_bytes(path.read_bytes().replace((3 << 20).to_bytes(4, "little"), b"\x10\0\0\0"))
    with pytest.raises(ModelError, match="archive inside"):
        read_model_info(path)


def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    """Labels that cannot be trusted are an error, not wrong labels."""
    path = _with_files(tmp_path, {"labels.txt": "cat\ndog\n" * 50})
    content = bytearray(path.read_bytes())
    content[content.index(b"labels.txt") + 12] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"archive inside .* is damaged"):
        read_model_info(path)


def test_damaged_metadata_is_refused(tmp_path: Path) -> None:
    """TFLite Metadata is checked as the model is."""
    notes = {"TFLITE_METADATA": b"\xff\xff\x00\x00M001"}
    path = write_model(tmp_path / "m.tflite", add_graph(), metadata=notes)
    with pytest.raises(ModelError, match=r"metadata inside .* offset 65535"):
        read_model_info(path)
