"""The nets that the README names, which the benchmarks of engines measure unless told others."""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.real_inputs import DATA

NETS = (
    "mlperf_kws_ref_int8",
    "mlperf_vww_96_int8",
    "mlperf_resnet8_cifar10_int8",
    "coral_mobilenet_v1_0.25_128_quant",
    "coral_mobilenet_v2_1.0_224_quant",
    "coco_ssd_mobilenet_v1_1.0_quant",
)


def models_and_runs(name: str, doc: str | None) -> tuple[list[Path], int]:
    """Model files and runs of each, as the command line of `benchmarks.{name}` gives them."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=doc)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    return arguments.models or [DATA / "models" / f"{net}.tflite" for net in NETS], arguments.runs
