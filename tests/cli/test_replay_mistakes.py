"""What `edge-agent replay` makes of wrong words, bad input and targets that take nothing."""

from __future__ import annotations

import shutil
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.runtime.inference import Inference, Outcome
from tests.support.agent import TRUTH
from tests.support.cli import CLIP, MODEL
from tests.support.replay import Desk

MISTAKES = {
    "nothing of that name": (["--source", "clip=none.mp4"], "none.mp4: no such file or folder"),
    "an unknown source": (["--source", f"clop={CLIP}"], "did you mean 'clip'?"),
    "an unknown pipeline": (
        ["--source", f"clip={CLIP}", "--pipeline", "bell"], "did you mean 'belt'?",
    ),
    "twice": (["--source", f"clip={CLIP}", "--source", f"clip={CLIP}"], "is given twice"),
    "no name": (["--source", CLIP], "is not NAME=FILE"),
    "no time": (["--source", f"clip={CLIP}", "--start", "noon"], "is no time such as"),
    "two for stdout": (["--source", f"clip={CLIP}", "--json", "--out", "-"], "both want stdout"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(desk: Desk, words: list[str], said: str) -> None:
    """Wrong usage is told with its cure, and nothing is written."""
    out = [] if "--out" in words else ["--out", str(desk.out)]
    answer = desk.fail(*words, *out)
    assert answer.code == 2
    assert said in answer.err


def test_numbers_beside_pictures(desk: Desk) -> None:
    """A clip has none: a pipeline that needs them is refused, one that only shows them is not."""
    config = yaml.safe_load(desk.file.read_text())
    radar = {"type": "lines", "tcp": "127.0.0.1:9", "channels": ["distance"]}
    config["sources"]["clip"] = {
        "type": "fusion",
        "parts": {"eye": {"type": "camera"}, "radar": radar},
    }
    desk.file.write_text(yaml.safe_dump(config))
    desk.cut(0.5)
    assert desk.terminal(*desk.words()).code == 0
    label = next(iter(TRUTH))
    config["pipelines"]["belt"]["filters"] = {label: {"readings": {"radar.distance": {"max": 5}}}}
    desk.file.write_text(yaml.safe_dump(config))
    answer = desk.terminal(*desk.words())
    assert answer.code == 2
    assert "pipeline belt: numbers beside pictures are not replayed" in answer.err


def test_a_source_that_no_pipeline_is_left_of(desk: Desk) -> None:
    """Exit code 2 with what to give; those left out are named where others are left."""
    config = yaml.safe_load(desk.file.read_text())
    config["sources"]["yard"] = {"type": "camera", "device": 1}
    config["pipelines"]["people"] = {"source": "yard", "model": "parts"}
    config["pipelines"]["belt"]["enabled"] = False
    desk.file.write_text(yaml.safe_dump(config))
    answer = desk.fail("--source", f"clip={CLIP}", "--out", desk.out)
    assert answer.code == 2
    assert "no pipeline is left to replay (give --source yard=FILE)" in answer.err
    desk.cut(0.5)
    del config["pipelines"]["belt"]["enabled"]
    desk.file.write_text(yaml.safe_dump(config))
    said = desk.terminal(*desk.words()).err
    assert "pipeline people is left out: no --source yard=FILE" in said


def test_input_that_cannot_be_read(desk: Desk) -> None:
    """No video, and no pictures: a run-time failure with the file's name."""
    broken = desk.folder / "broken.mp4"
    broken.write_bytes(b"no video at all")
    answer = desk.fail("--source", f"clip={broken}", "--out", desk.out)
    assert answer.code == 1
    assert "broken.mp4 cannot be read" in answer.err
    (desk.folder / "empty").mkdir()
    answer = desk.fail("--source", f"clip={desk.folder / 'empty'}", "--out", desk.out)
    assert "empty has no picture that can be used" in answer.err


def test_what_is_read_is_not_written_over(desk: Desk) -> None:
    """Neither the recording, also by another name, nor the configuration, nor the model."""
    clip = desk.folder / "clip.mp4"
    shutil.copy(CLIP, clip)
    (desk.folder / "link.jsonl").symlink_to(clip)
    for out in (clip, desk.file, desk.folder / "link.jsonl", MODEL):
        answer = desk.fail("--source", f"clip={clip}", "--out", out)
        assert "would overwrite what is read" in answer.err


def test_a_target_that_takes_nothing(desk: Desk) -> None:
    """A full disk, a folder, and a folder that is not there."""
    clip = desk.cut(1.0)
    old = desk.play()
    for out, said in (
        (Path("/dev/full"), "cannot write /dev/full: No space left on device"),
        (desk.folder / "none" / "out.jsonl", "No such file or directory"),
        (desk.folder, "is a folder"),
    ):
        assert said in desk.fail("--source", f"clip={clip}", "--out", out).err
    assert desk.out.read_bytes() == old


def test_a_model_that_fails_ends_the_replay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcript with a hole in it would be taken for what happened."""

    def fail(*_: Any) -> Outcome:
        raise RuntimeError("out of order")

    monkeypatch.setattr(Inference, "run", fail)
    answer = desk.fail("--source", f"clip={CLIP}", "--out", desk.out)
    assert answer.code == 1
    assert "pipeline belt failed 0.000 s into clip" in answer.err


def test_a_signal_in_the_middle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not come to its end is not there."""
    over = threading.Event()
    over.set()
    monkeypatch.setattr("edge_agent.cli.replay.stop_on_signals", lambda: nullcontext(over))
    answer = desk.fail("--source", f"clip={CLIP}", "--out", desk.out)
    assert (answer.code, "stopped before the end" in answer.err) == (1, True)
