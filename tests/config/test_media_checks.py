"""What fits a signal, and the method by which it is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import problems, warnings

CONFIG = """\
models: {m: {file: m.npz}}
sources: {s: {type: csv, file: s.csv}}
pipelines: {p: {source: s, anomaly: {method: forecast}, model: m}}
"""


def told(folder: Path, text: str) -> list[str]:
    """What is wrong but for the file of the model and that of the source."""
    return [line for line in problems(folder, text) if "no such file" not in line]


def test_a_forecast(tmp_path: Path) -> None:
    """By a model, of rows scaled one by one, after anything along the signal."""
    more = "stream: {difference: {}}, features: {z_score: {mean: 0, std: 1}}, model: m"
    assert told(tmp_path, CONFIG) == []
    assert told(tmp_path, CONFIG.replace("model: m}", more + "}")) == []


@pytest.mark.parametrize("method", ["forecast", "reconstruction"])
def test_a_method_that_needs_a_model(tmp_path: Path, method: str) -> None:
    """Without one the window would be compared with itself."""
    (line,) = told(tmp_path, f"""\
        sources: {{s: {{type: csv, file: s.csv}}}}
        pipelines: {{p: {{source: s, anomaly: {{method: {method}}}}}}}
    """)  # fmt: skip
    assert f"anomaly.method: is {method}, and pipeline p has no model (set model" in line


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("window: {length: 8, pad: edge}", "window.pad: makes rows up"),
        ("features: {statistics: {}}", "features.statistics: does not leave a window the rows"),
        ("features: {standardize: {}}", "features.standardize: does not leave a window the rows"),
    ],
)
def test_a_forecast_of_what_does_not_come(tmp_path: Path, part: str, words: str) -> None:
    """Rows that are made up, or differ from window to window, cannot be compared."""
    (line,) = told(tmp_path, CONFIG.replace("model: m}", f"model: m, {part}}}"))
    assert words in line


def test_a_fusion_of_one_part(tmp_path: Path) -> None:
    """How many there are stands beside how many it takes."""
    (line,) = told(tmp_path, """\
        sources: {s: {type: fusion, parts: {a: {type: csv, file: s.csv}}, rate: 1}}
        pipelines: {p: {source: s, anomaly: {method: distance}, window: {length: 8}}}
    """)  # fmt: skip
    assert line.endswith("sources.s.parts: expected a mapping with at least 2 entries, got 1")


@pytest.mark.parametrize(
    ("eye", "pace", "told"),
    [
        ("{type: video, file: v.mp4, pace: fast}", "real", True),
        ("{type: video, file: v.mp4, pace: fast}", "fast", False),
        ("{type: images, files: x.png}", "fast", False),
        ("{type: video, file: v.mp4}", "real", False),
    ],
)
def test_recordings_of_two_paces(tmp_path: Path, eye: str, pace: str, told: bool) -> None:
    """Their times do not fit, and no run is like another: that is a warning."""
    for name in ("m.npz", "v.mp4", "s.csv"):
        (tmp_path / name).touch()
    found = warnings(tmp_path, f"""\
        models: {{m: {{file: m.npz}}}}
        sources:
          s:
            type: fusion
            parts:
              eye: {eye}
              radar: {{type: csv, file: s.csv, pace: {pace}}}
        pipelines: {{p: {{source: s, model: m}}}}
    """)  # fmt: skip
    assert any("sources.s.parts.radar: is not at pace: fast" in line for line in found) == told
