"""`edge-agent infer --tiles`: small parts on a large picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.geometry import iou
from tests.support.cli import MODEL, Terminal

_CORNER = (0.25, 0.25)  # of the frame in the picture, in which it is half as large


@pytest.fixture
def far_away(frame: Path, tmp_path: Path) -> Path:
    """The belt with its nine parts, half as large, in a picture of the same size."""
    belt = cv2.imread(str(frame))
    assert belt is not None
    height, width = belt.shape[:2]
    canvas = np.empty_like(belt)
    canvas[:] = np.median(belt.reshape(-1, 3), axis=0).astype(np.uint8)
    small = cv2.resize(belt, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    top, left = round(_CORNER[1] * height), round(_CORNER[0] * width)
    canvas[top : top + height // 2, left : left + width // 2] = small
    cv2.imwrite(str(tmp_path / "far.png"), canvas)
    return tmp_path / "far.png"


def test_more_is_found_in_crops(terminal: Terminal, far_away: Path, frame: Path) -> None:
    """All nine parts at their places; of the whole picture the model knows but few of them."""
    near = terminal("infer", "-m", MODEL, "-i", frame, "--json").json["results"]
    wanted = [(part["label"], tuple(_shrunk(part["box"]))) for part in near]
    words = ("infer", "-m", MODEL, "-i", far_away, "--json")
    whole, tiled = terminal(*words).json, terminal(*words, "--tiles", "2x2").json
    assert len(near) == 9
    assert _recalled(whole["results"], wanted) <= 3
    assert _recalled(tiled["results"], wanted) >= 8


def _shrunk(box: list[float]) -> list[float]:
    return [_CORNER[side % 2] + each / 2 for side, each in enumerate(box)]


def _recalled(results: list[dict[str, Any]], wanted: list[tuple[str, Any]]) -> int:
    """How many of the wanted parts are among the results, with label and place."""
    return sum(
        any(r["label"] == label and iou(tuple(r["box"]), box) > 0.5 for r in results)
        for label, box in wanted
    )


@pytest.mark.parametrize("grid", ["2", "2x", "0x2", "5x1", "2x2x2", "ax2"])
def test_no_grid(terminal: Terminal, frame: Path, grid: str) -> None:
    """Anything but columns x rows is told."""
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--tiles", grid)
    assert answer.code == 2
    assert "is no grid such as 2x2" in answer.err
