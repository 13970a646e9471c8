"""`python -m benchmarks.tracking [FOLDER ...]`: the tracker beside others, on the same detections.

A folder holds `det.txt` and `gt.txt` in the form of MOTChallenge 2015, and `seqinfo.ini` where it
is not 640x480 at 25 frames a second; without folders, all in `mot` of the test data. Streets that
are made up (`--streets N` of each kind) come with truth too: the constants of the tracker were
chosen on the like of them. Each tracker is as its documentation has it by default, and reports what
it saw in a frame; which are absent is said. Scores are by motmetrics at an overlap of 0.5. Needs
`pip install motmetrics`; others take part once they are installed: trackers, norfair, supervision
(below 0.30).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.films import Film, mot_film, streets
from benchmarks.rivals import Follow, Seen, ours, rivals
from scripts.real_inputs import DATA

_COLUMNS = ("mota", "idf1", "num_switches", "num_false_positives", "num_misses")
_HEADS = ("MOTA", "IDF1", "switches", "false", "missed", "ms/frame")


def main() -> None:
    """Run all trackers on all films and print a table for each kind of film."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tracking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--streets", type=int, default=2, help="films made up of each kind")
    arguments = parser.parse_args()
    if importlib.util.find_spec("motmetrics") is None:
        parser.error("scores are by motmetrics, which is not here: pip install motmetrics")
    folders = arguments.folders or sorted(each.parent for each in DATA.glob("mot/*/gt.txt"))
    makers, absent = rivals()
    makers = {"edge-agent": ours, **makers}
    for folder in folders:
        _table(folder.name, [mot_film(folder)], makers)
    for kind, films in streets(arguments.streets).items():
        _table(kind, films, makers)
    for name, why in absent.items():
        print(f"absent: {name} ({why})")
    crowd()


def _table(title: str, films: Sequence[Film], makers: dict[str, Callable[[Film], Follow]]) -> None:
    """Scores over all films of a kind together."""
    print(f"{title:<40} " + " ".join(f"{head:>8}" for head in _HEADS))
    for name, make in makers.items():
        told, times = [], []
        for film in films:
            start = time.perf_counter()
            told.append(_follow(make(film), film))
            times.append(1e3 * (time.perf_counter() - start) / len(film.frames))
        mota, idf1, *counts = _scores(films, told)
        row = " ".join(f"{int(count):>8}" for count in counts)
        print(
            f"  {name:<38} {mota:>8.3f} {idf1:>8.3f} {row} {statistics.mean(times):>8.2f}",
            flush=True,
        )
    print()


def _follow(follow: Follow, film: Film) -> list[Seen]:
    return [follow(frame.time, frame.boxes, frame.scores) for frame in film.frames]


def _scores(films: Sequence[Film], told: Sequence[list[Seen]]) -> list[float]:
    """MOTA, IDF1, switches, false positives and misses over all films."""
    if not hasattr(np, "asfarray"):  # NumPy 2 has none, motmetrics 1.4 still calls it
        setattr(np, "asfarray", lambda values: np.asarray(values, float))  # noqa: B010
    motmetrics = importlib.import_module("motmetrics")
    books = []
    for film, tracks in zip(films, told, strict=True):
        book = motmetrics.MOTAccumulator(auto_id=True)
        for frame, (ids, boxes) in zip(film.frames, tracks, strict=True):
            apart = motmetrics.distances.iou_matrix(
                _corner_and_size(frame.truth), _corner_and_size(boxes), max_iou=0.5
            )
            book.update(frame.ids, ids, apart)
        books.append(book)
    summary = motmetrics.metrics.create().compute_many(
        books, metrics=list(_COLUMNS), generate_overall=True
    )
    return [float(value) for value in summary.loc["OVERALL"]]


def _corner_and_size(boxes: Any) -> Any:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def crowd(objects: int = 20, frames: int = 300) -> None:
    """What a frame costs with so many objects that move among each other, all of them seen."""
    noise = np.random.default_rng(0)
    start, pace = noise.uniform(0.1, 0.9, (objects, 2)), noise.normal(0.0, 0.05, (objects, 2))
    half = np.array([0.03, 0.08])
    film = Film("crowd", 10.0, (1, 1), [])
    follow, times = ours(film), []
    for number in range(frames):
        centre = 0.5 + 0.4 * np.sin(start * 6.0 + pace * number)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        boxes += noise.normal(0.0, 0.003, boxes.shape)
        scores = noise.uniform(0.5, 1.0, objects)
        begin = time.perf_counter()
        follow(number / film.rate, np.clip(boxes, 0.0, 1.0), scores)
        times.append(1e3 * (time.perf_counter() - begin))
    median = statistics.median(times[10:])
    print(
        f"{objects} objects x {objects} detections, median ms per frame: {median:.3f}   at most 0.5"
    )


if __name__ == "__main__":
    main()
