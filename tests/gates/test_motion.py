"""What counts as motion, and what does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_agent.gates.base import Verdict
from edge_agent.gates.motion import MotionGate, MotionOptions
from edge_agent.geometry import Box
from edge_agent.options import Polygon
from tests.gates.scenes import (
    SIZE,
    Picture,
    lighter,
    noisy,
    play,
    reasons,
    recording,
    room,
    still,
    with_square,
)
from tests.support.data import data_file

ROOM = room()
LEFT_HALF: Polygon = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]


def settled(options: MotionOptions | None = None, picture: Picture = ROOM) -> MotionGate:
    """A gate that has seen a still scene from -5 s to just before 0 s and is closed."""
    gate = MotionGate(options or MotionOptions())
    verdicts = play(gate, still(picture, 50), start=-5.0)
    assert reasons(verdicts)[-1] == "still"
    return gate


def covered(verdict: Verdict, box: Box, slack: float = 0.0) -> bool:
    """Whether one region reaches around the box, but for the slack."""
    return any(
        region[0] <= box[0] + slack
        and region[1] <= box[1] + slack
        and region[2] >= box[2] - slack
        and region[3] >= box[3] - slack
        for region in verdict.regions
    )


def square_box(x: int, y: int, side: int = 40) -> Box:
    """The place of `with_square`'s square in the frame."""
    return x / SIZE[0], y / SIZE[1], (x + side) / SIZE[0], (y + side) / SIZE[1]


@pytest.mark.parametrize("fps", [2, 10, 30])
def test_a_moving_square_is_covered(fps: float) -> None:
    """Each frame of a moving square is motion, and a region reaches around the square."""
    places = [(int(20 + 200 * time), 70) for time in np.arange(0, 1.2, 1 / fps)]
    verdicts = play(settled(), [with_square(ROOM, *place) for place in places], fps=fps)
    assert set(reasons(verdicts)) == {"motion"}
    for verdict, (x, y) in zip(verdicts, places, strict=True):
        assert verdict.passed
        assert covered(verdict, square_box(x, y))


def test_the_first_region_is_tight() -> None:
    """What appears in a still scene is one region, two small pixels larger at most."""
    verdict = play(settled(), [with_square(ROOM, 100, 60)])[0]
    (region,) = verdict.regions
    assert covered(verdict, square_box(100, 60))
    assert np.abs(np.subtract(region, square_box(100, 60))).max() <= 2 / 108


def test_two_objects_are_two_regions() -> None:
    """Things that move in two places are told apart."""
    picture = with_square(with_square(ROOM, 20, 20), 200, 110, bgr=(0, 0, 0))
    verdict = play(settled(), [picture])[0]
    assert len(verdict.regions) == 2
    assert covered(verdict, square_box(20, 20))
    assert covered(verdict, square_box(200, 110))


@pytest.mark.parametrize("bgr", [(0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("width", [64, 128, 150])
def test_a_large_object_is_not_light(width: int, bgr: tuple[int, int, int]) -> None:
    """Somebody close, who fills up to nearly half of the frame, is motion, and nothing else is."""
    picture = ROOM.copy()
    picture[:, 100 : 100 + width] = bgr
    verdict = play(settled(), [picture])[0]
    assert verdict.reason == "motion"
    assert covered(verdict, (100 / 320, 0.0, (100 + width) / 320, 1.0), slack=0.01)
    assert not covered(verdict, (90 / 320, 0.0, (110 + width) / 320, 1.0))


def test_noise_is_no_motion() -> None:
    """300 still frames with the noise of a sensor give none."""
    rng = np.random.default_rng(7)
    verdicts = play(MotionGate(MotionOptions()), (noisy(ROOM, rng) for _ in range(300)))
    assert "motion" not in reasons(verdicts)


@pytest.mark.parametrize("by", [40, -40])
@pytest.mark.parametrize("fps", [2, 30])
@pytest.mark.parametrize("picture", [ROOM, with_square(ROOM, 20, 20, 90, bgr=(12, 12, 12))])
def test_sudden_light_is_no_motion(by: int, fps: float, picture: Picture) -> None:
    """A scene that gets lighter or darker at once stays still, also where it was dark before."""
    verdicts = play(settled(picture=picture), still(lighter(picture, by), round(5 * fps)), fps=fps)
    assert set(reasons(verdicts)) == {"still"}


@pytest.mark.parametrize("fps", [2, 30])
def test_slow_light_is_no_motion(fps: float) -> None:
    """Dusk over a minute, which dims what is bright more than what is dark, stays still."""
    count = int(60 * fps)
    dusk = ((ROOM * (1 - 0.7 * step / count)).astype(np.uint8) for step in range(count))
    assert "motion" not in reasons(play(settled(), dusk, fps=fps))


@pytest.mark.parametrize("mask", [[], [LEFT_HALF]])
def test_a_lamp_is_no_motion(mask: list[Polygon]) -> None:
    """What changes most of the area that counts becomes background at once."""
    picture = np.full_like(ROOM, 100)
    lamp = picture.copy()
    for column in range(0, 320, 40):
        lamp[:, column : column + 32] = 160 if column % 80 else 40
    gate = settled(MotionOptions(mask=mask), picture)
    assert set(reasons(play(gate, still(lamp, 30)))) == {"still"}
    assert play(gate, [with_square(lamp, 220, 60)], start=3.0)[0].reason == "motion"


def test_motion_inside_a_mask() -> None:
    """However large and bright, it does not count, and hides nothing beside the mask."""
    gate = settled(MotionOptions(mask=[[(0.0, 0.0), (0.7, 0.0), (0.7, 1.0), (0.0, 1.0)]]))
    flash = ROOM.copy()
    flash[:, : int(0.69 * SIZE[0])] = 255
    screens = itertools.cycle([flash, ROOM, with_square(ROOM, 0, 0, 150)])
    assert set(reasons(play(gate, itertools.islice(screens, 60)))) == {"still"}
    verdict = play(gate, [with_square(flash, 260, 60)], start=6.0)[0]
    assert len(verdict.regions) == 1
    assert covered(verdict, square_box(260, 60))


def test_motion_beside_a_mask() -> None:
    """It counts as ever, and its region ends at the mask."""
    gate = settled(MotionOptions(mask=[LEFT_HALF]))
    assert play(gate, [with_square(ROOM, 220, 60)])[0].reason == "motion"
    verdict = play(gate, [with_square(ROOM, 140, 60)], start=0.1)[0]
    assert verdict.reason == "motion"
    assert min(region[0] for region in verdict.regions) >= 0.5


@pytest.mark.filterwarnings("error")
def test_a_mask_over_everything() -> None:
    """Then nothing is motion."""
    everything: Polygon = [(0, 0), (1, 0), (1, 1), (0, 1)]
    gate = settled(MotionOptions(mask=[everything]))
    assert reasons(play(gate, [with_square(ROOM, 20 * n, 60) for n in range(10)])) == ["still"] * 10


@pytest.mark.parametrize(
    ("side", "area", "moves"),
    [(4, 0.001, False), (16, 0.001, True), (28, 0.02, False), (60, 0.02, True), (3, 0.0, True)],
)
def test_least_area(side: int, area: float, moves: bool) -> None:
    """What is clearly smaller than the least area is no motion, what is clearly larger is."""
    assert (side * side / (320 * 180) > area) == moves
    verdict = play(settled(MotionOptions(area=area)), [with_square(ROOM, 100, 60, side)])[0]
    assert (verdict.reason == "motion") == moves


def test_small_places_do_not_add_up() -> None:
    """Many specks make no motion, although together they are larger than the least area."""
    picture = ROOM
    for x, y in itertools.product(range(20, 300, 40), range(20, 160, 40)):
        picture = with_square(picture, x, y, 6)
    assert play(settled(MotionOptions(area=0.01)), [picture])[0].reason == "still"


def test_a_broken_outline_is_one_object() -> None:
    """Something faint, seen through a fence, counts as one place."""
    grey = np.full_like(ROOM, 100)
    behind = grey.copy()
    for column in range(100, 160, 10):
        behind[60:120, column : column + 6] = 140
    verdict = play(settled(MotionOptions(area=0.02), grey), [behind])[0]
    assert len(verdict.regions) == 1
    assert covered(verdict, (100 / 320, 60 / 180, 156 / 320, 120 / 180), slack=0.01)


@pytest.mark.parametrize(("threshold", "moves"), [(1, True), (30, True), (31, False)])
def test_threshold(threshold: int, moves: bool) -> None:
    """A change of exactly the threshold is motion, a smaller one is none."""
    grey = np.full_like(ROOM, 100)
    gate = settled(MotionOptions(threshold=threshold), grey)
    verdict = play(gate, [with_square(grey, 100, 60, bgr=(130, 130, 130))])[0]
    assert (verdict.reason == "motion") == moves


VISITS = ((6.4, 19.2), (22.8, 44.0), (50.8, 69.2), (74.8, 86.0), (93.2, 119.2), (123.6, 135.6))
# At least four seconds after a visit, and before the shadow of the next one.
QUIET = ((1.1, 5.5), (48.0, 49.6), (73.2, 73.6), (90.0, 91.8))


@pytest.mark.data
def test_visits_to_a_real_room() -> None:
    """Each visit is motion within a second, and the gate closes while nobody is there."""
    pictures = recording(data_file("video/one-by-one-person-detection.mp4"))
    said = reasons(play(MotionGate(MotionOptions()), pictures))
    for start, _ in VISITS:
        assert "motion" in said[round(10 * start) : round(10 * start) + 10]
    for start, end in QUIET:
        assert "motion" not in said[round(10 * start) : round(10 * end)]
    assert said[20:55] == ["still"] * 35
    assert said[1360:].count("motion") <= 20
