"""The bearing's model is the one that the script makes and the documentation describes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_agent.cli.bearing import LABELS
from edge_agent.engines.modelfile import read_model_info
from scripts.train_bearing_model import Setup, false_alarms, judge, make, windows

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "edge_agent" / "assets" / "bearing.npz"


def test_the_shipped_file_is_the_documented_one() -> None:
    """Its hash and size stand in docs/bearing-model.md, and it is small."""
    data = MODEL.read_bytes()
    text = (ROOT / "docs" / "bearing-model.md").read_text("utf-8")
    assert hashlib.sha256(data).hexdigest() in text
    assert f"{len(data):,} bytes" in text
    assert len(data) <= 50_000
    assert read_model_info(MODEL).labels == LABELS


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    """The script leaves nothing to chance; with few windows, so that it is quick."""
    for name in ("a.npz", "b.npz"):
        make(Setup(), tmp_path / name, 200)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_it_is_right_on_machines_that_it_has_not_met() -> None:
    """At least 95 % of windows made anew, with a seed that nothing else uses."""
    data = windows(Setup(), 400, 77)
    assert (judge(MODEL, data) == data.y).mean() >= 0.95


def test_sound_machines_are_left_alone() -> None:
    """No false alarm while some of them run for half a minute."""
    assert false_alarms(Setup(), MODEL, 15) == 0
