"""The demo's bearing: its frequencies, what its faults sound like, and what the demo tells."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_agent.cli.bearing import (
    BAND,
    FAULTS,
    FMAX,
    RATE,
    SKF_6205,
    Bearing,
    Fault,
    Machine,
    vibration,
)
from edge_agent.preprocess.signal.envelope import EnvelopeSpectrum, EnvelopeSpectrumOptions
from tests.support.agent import ROOT, TRUTH
from tests.support.cli import Terminal


def test_the_frequencies_that_others_publish() -> None:
    """Of the SKF 6205 in turns of the shaft, as the bearing data centre of CWRU gives them."""
    found = SKF_6205.frequencies(1.0)
    assert found["bpfo"] == pytest.approx(3.5848, abs=5e-4)
    assert found["bpfi"] == pytest.approx(5.4152, abs=5e-4)
    assert 2.0 * found["bsf"] == pytest.approx(4.7135, abs=2e-3)
    assert found["ftf"] == pytest.approx(0.39828, abs=1e-4)


def test_frequencies_belong_together() -> None:
    """BPFO + BPFI is balls x shaft, and BPFO balls x FTF, at any contact angle."""
    found = Bearing(12, 8.0, 50.0, 40.0).frequencies(25.0)
    assert found["bpfo"] + found["bpfi"] == pytest.approx(12 * 25.0)
    assert found["bpfo"] == pytest.approx(12 * found["ftf"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_knocks_at_its_own_rate(fault: Fault) -> None:
    """The envelope swings most at the rate of the knocks, within what the balls slide."""
    machine = Machine(swell=0.0)
    samples = vibration(machine, 2.0, np.random.default_rng(5), fault, 1.0)
    assert samples.shape == (2 * RATE,)
    options = EnvelopeSpectrumOptions(band=BAND, fmax=FMAX)
    spectrum = EnvelopeSpectrum(options, float(RATE), (len(samples), 1)).apply(samples[:, None])
    bins = 0.5 * np.arange(len(spectrum))
    above = bins > 50.0  # the load's own swing lies below
    strongest = bins[above][spectrum[above, 0].argmax()]
    assert strongest == pytest.approx(machine.knocks(fault), rel=0.01)


def test_the_demo_tells_the_fault_before_the_level_does(tmp_path: Path) -> None:
    """The camera first, then the sensor: the right fault and no other, long before it is loud."""
    words = [sys.executable, "-m", "edge_agent", "demo", "--output", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = re.findall(r"^ +([\d.]+)s  demo/(\w+) +new +(.*?) #", done.stdout, re.MULTILINE)
    *camera, (at, *model), (level_at, *level) = told
    assert [pipeline for _, pipeline, _ in camera] == ["belt"] * sum(TRUTH.values())
    assert model == ["bearing", "outer race"]
    assert level == ["level", "high"]
    assert 12.0 < float(at) < float(level_at) - 5.0 < 35.0
    assert "knocks 106 times a second" in done.stdout
    assert "other faults told: none" in done.stdout
    assert {"belt.png", "bearing.png"} <= {path.name for path in tmp_path.iterdir()}


def test_a_demo_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that there is not is a wrong usage that tells which there are."""
    answer = Terminal(capsys)("demo", "microphone")
    assert answer.code == 2
    assert "camera|sensor" in answer.err
