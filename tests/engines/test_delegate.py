"""Delegates: real shared libraries, compiled here against the external delegate interface."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines import open_engine
from edge_agent.engines.delegate import DelegateOptions, edgetpu_cure
from edge_agent.errors import DelegateError
from tests.support.tflite_writer import add_graph, counter_graphs, custom_graph, write_model

# TfLiteDelegate of tensorflow/lite/core/c/common.h, as far as the interpreter reads it here.
_HEADER = r"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>
typedef struct Delegate {
  void* data;
  int (*prepare)(void* context, struct Delegate* self);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void* opaque_builder;
} Delegate;
"""
_WORKING = r"""
static int prepare(void* context, Delegate* self) { return RESULT; }
static Delegate delegate = {.prepare = prepare};
static int living = 0;
static FILE* log_file(char** keys, char** values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!strcmp(keys[i], "log")) return fopen(values[i], "a");
  return 0;
}
Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                        void (*report)(const char*)) {
  FILE* file = log_file(keys, values, count);
  for (size_t i = 0; file && i < count; i++) fprintf(file, "%s=%s\n", keys[i], values[i]);
  if (file) { fprintf(file, "living=%d\n", ++living); fclose(file); }
  return &delegate;
}
void tflite_plugin_destroy_delegate(Delegate* self) { living--; }
"""
_REFUSING = r"""
Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                        void (*report)(const char*)) {
  report("no device");
  return 0;
}
void tflite_plugin_destroy_delegate(Delegate* self) {}
"""


def _library(folder: Path, name: str, code: str) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build a delegate with")
    source, library = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(_HEADER + code)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return str(library)


@pytest.fixture
def add_model(tmp_path: Path) -> Path:
    """A model that any delegate can leave alone."""
    return write_model(tmp_path / "add.tflite", add_graph())


def test_delegate_receives_its_options(tmp_path: Path, add_model: Path) -> None:
    """Library and options reach the plug-in, and the engine names it as its device."""
    library = _library(tmp_path, "good", _WORKING.replace("RESULT", "0"))
    log = tmp_path / "log.txt"
    options = DelegateOptions(library, {"device": "usb:0", "log": str(log)})
    engine = open_engine(add_model, delegate=options)
    assert engine.run(np.zeros((1, 4), np.float32))[0].tolist() == [[1, 1, 1, 1]]
    assert (engine.device, engine.fallback_reason) == (library, "")
    assert log.read_text() == f"device=usb:0\nlog={log}\nliving=1\n"


def test_delegate_is_freed_before_the_next_one(tmp_path: Path) -> None:
    """A reset that needs a new interpreter never holds the accelerator twice."""
    library = _library(tmp_path, "counting", _WORKING.replace("RESULT", "0"))
    log = tmp_path / "log.txt"
    model = write_model(tmp_path / "counter.tflite", counter_graphs())
    engine = open_engine(model, delegate=DelegateOptions(library, {"log": str(log)}))
    engine.run(np.ones(1, np.float32))
    engine.reset()
    assert engine.run(np.ones(1, np.float32))[0].tolist() == [1]
    assert log.read_text().count("living=1\n") == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (_REFUSING, r"does not start: no device"),
        (_WORKING.replace("RESULT", "1"), r"refuses add\.tflite"),
        ("int nothing;", "is no TFLite delegate"),
    ],
    ids=["no device", "refuses the model", "no plug-in"],
)
def test_delegate_that_cannot_be_used(
    tmp_path: Path, add_model: Path, caplog: pytest.LogCaptureFixture, code: str, said: str
) -> None:
    """Each failure is one line with a cure; with `fallback` the CPU takes over, announced."""
    library = _library(tmp_path, "bad", code)
    with pytest.raises(DelegateError, match=said) as caught:
        open_engine(add_model, delegate=DelegateOptions(library))
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    with caplog.at_level(logging.WARNING):
        engine = open_engine(add_model, delegate=DelegateOptions(library, fallback=True))
    assert engine.device == "cpu"
    assert engine.fallback_reason in caplog.text
    assert engine.run(np.zeros((1, 4), np.float32))[0].tolist() == [[1, 1, 1, 1]]


def test_library_that_is_missing_or_none(tmp_path: Path, add_model: Path) -> None:
    """A name that cannot be found and a file that is no library say so."""
    with pytest.raises(DelegateError, match=r"libnone\.so cannot be loaded: .*No such file"):
        open_engine(add_model, delegate=DelegateOptions("libnone.so"))
    (tmp_path / "text.so").write_text("hello")
    with pytest.raises(DelegateError, match=r"cannot be loaded: .*(header|short)"):
        open_engine(add_model, delegate=DelegateOptions(str(tmp_path / "text.so")))


def test_edge_tpu_models_and_delegates_belong_together(tmp_path: Path, add_model: Path) -> None:
    """One without the other is told before anything is loaded; fallback helps only the plain."""
    compiled = write_model(tmp_path / "tpu.tflite", custom_graph("edgetpu-custom-op"))
    with pytest.raises(DelegateError, match=r"delegate: \{library: libedgetpu\.so\.1\}"):
        open_engine(compiled)
    with pytest.raises(DelegateError, match="not compiled for the Edge TPU"):
        open_engine(add_model, delegate=DelegateOptions("libedgetpu.so.1"))
    options = DelegateOptions("libedgetpu.so.1", fallback=True)
    assert open_engine(add_model, delegate=options).device == "cpu"
    missing = DelegateOptions("libedgetpu-none.so", fallback=True)
    with pytest.raises(DelegateError, match=r"libedgetpu-none\.so cannot be loaded"):
        open_engine(compiled, delegate=missing)


def test_cure_for_the_edge_tpu_depends_on_the_device(tmp_path: Path) -> None:
    """None plugged in, one without access, and one that is there are told apart."""
    assert "no Edge TPU is plugged in" in edgetpu_cure(tmp_path)
    device = tmp_path / "sys/bus/usb/devices/1-2"
    device.mkdir(parents=True)
    for name, text in (("idVendor", "18d1"), ("idProduct", "9302"), ("busnum", "1")):
        (device / name).write_text(f"{text}\n")
    (device / "devnum").write_text("7\n")
    assert "plugdev" in edgetpu_cure(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert "another program" in edgetpu_cure(tmp_path)
