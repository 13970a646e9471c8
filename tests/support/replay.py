"""The bundled clip replayed in the place of a camera, and its transcript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import yaml

from edge_agent.sources.video import Recording
from tests.support.agent import belt_config
from tests.support.cli import CLIP, Answer, Terminal

RULES: dict[str, Any] = {
    "gate": {"motion": {}},
    "zones": {"left": {"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}},
    "lines": {"middle": {"from": [0.5, 1], "to": [0.5, 0], "anchor": "center"}},
    "publish": {"detections": True, "snapshots": "full"},
}
Lines = list[dict[str, Any]]


class Desk:
    """A configuration with a camera, in the place of which `clip` is played."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.file = folder / "agent.yaml"
        self.out = folder / "out.jsonl"
        self.terminal = terminal
        self.clip = Path(CLIP)
        self.configure()

    def configure(self, threads: int = 1, **rules: Any) -> None:
        """Write the configuration anew."""
        config = belt_config(1, **{**RULES, **rules})
        config["sources"]["clip"] = {"type": "camera"}
        config["models"]["parts"]["threads"] = threads
        self.file.write_text(yaml.safe_dump(config))

    def words(self, *more: str | Path) -> tuple[str | Path, ...]:
        """The command line."""
        return (
            "replay",
            "-c",
            self.file,
            "--source",
            f"clip={self.clip}",
            "--out",
            self.out,
            *more,
        )

    def cut(self, seconds: float) -> Path:
        """Play only the beginning of the clip, as a recording of its own, which is returned."""
        target = self.folder / "cut.avi"
        clip = Recording(Path(CLIP))
        writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"MJPG"), clip.fps, (640, 360))
        while (image := clip.next()) is not None and clip.time < seconds:
            writer.write(image)
        writer.release()
        self.clip = target
        return target

    def play(self, *more: str | Path) -> bytes:
        """The transcript of the clip."""
        answer = self.terminal(*self.words(*more))
        assert answer.code == 0, answer.err
        return self.out.read_bytes()

    def lines(self, *more: str | Path) -> Lines:
        """The same, read."""
        return read(self.play(*more))

    def fail(self, *words: str | Path) -> Answer:
        """A replay with options that end it; it leaves no file behind."""
        before = set(self.folder.iterdir())
        answer = self.terminal("replay", "-c", self.file, *words)
        assert answer.code in (1, 2)
        assert set(self.folder.iterdir()) == before
        return answer


def read(transcript: bytes) -> Lines:
    """The lines of a transcript."""
    return [json.loads(line) for line in transcript.splitlines()]


def payloads(lines: Lines, topic: str) -> list[Any]:
    """What would have been published on a topic of the pipeline."""
    return [line["payload"] for line in lines if line["topic"] == f"edge/dev/belt/{topic}"]
