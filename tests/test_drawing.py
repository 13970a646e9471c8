"""Drawing results into pictures, and writing these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.drawing import (
    colour_of,
    draw_area,
    draw_box,
    draw_crossing,
    draw_keypoints,
    draw_lines,
    draw_note,
    draw_zone,
    palette,
    save_picture,
)
from edge_agent.errors import OutputError
from edge_agent.result import Keypoint

RED = (0, 0, 255)
SIDES = st.floats(0.0, 1.0)


def grey(height: int = 240, width: int = 320) -> NDArray[Any]:
    """A plain picture."""
    return np.full((height, width, 3), 100, np.uint8)


def test_a_box_is_where_it_belongs() -> None:
    """All four edges have its colour, and what lies inside stays as it is."""
    image = grey()
    draw_box(image, (0.25, 0.5, 0.75, 0.875), "", RED)
    assert (image[120:211, 80] == RED).all()
    assert (image[120:211, 240] == RED).all()
    assert (image[120, 80:241] == RED).all()
    assert (image[210, 80:241] == RED).all()
    assert (image[125:205, 85:235] == 100).all()
    assert (image[:, 245:] == 100).all()


def test_a_caption_stands_above_its_box() -> None:
    """A bar of the box's colour, with dark letters on it."""
    image = grey()
    draw_box(image, (0.25, 0.5, 0.75, 0.9), "bolt 0.99", RED)
    bar = image[110:118, 82:110]
    assert (bar == RED).all(axis=-1).any()
    assert (bar.sum(axis=-1) < 150).any()


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.1, 0.1), (0.9, 0.0, 1.0, 1.0), (0.9, 0.9, 1.0, 1.0)])
def test_a_caption_stays_in_the_picture(box: tuple[float, float, float, float]) -> None:
    """At every edge the whole caption can be read: it is as large as in the middle."""
    middle, edge = grey(), grey()
    dark = 60
    draw_box(middle, (0.4, 0.4, 0.5, 0.5), "screwdriver 0.99", RED)
    draw_box(edge, box, "screwdriver 0.99", RED)
    assert (edge[..., 2] < dark).sum() == (middle[..., 2] < dark).sum() > 0


@given(st.tuples(SIDES, SIDES, SIDES, SIDES), st.integers(1, 40), st.integers(1, 40), st.text())
def test_any_box_in_any_picture(
    box: tuple[float, float, float, float], height: int, width: int, caption: str
) -> None:
    """The smallest picture, an empty box and letters that the font lacks are no error."""
    image = grey(height, width)
    draw_box(image, box, caption, RED)
    draw_lines(image, [caption])
    assert image.shape == (height, width, 3)


def test_letters_that_the_font_lacks() -> None:
    """They become question marks, one for each."""
    drawn, asked = grey(), grey()
    draw_lines(drawn, ["Käse"])
    draw_lines(asked, ["K?se"])
    assert (drawn == asked).all()


def test_lines_stand_on_a_dark_band() -> None:
    """White letters at the top; the rest of the picture is not touched."""
    image = grey()
    draw_lines(image, ["cat 0.91", "dog 0.05"])
    assert image[0, -1].tolist() == [25, 25, 25]
    assert image[:40].max() > 200
    assert (image[60:] == 100).all()


def test_the_palette() -> None:
    """Labels differ in colour as far as there are colours, and keep it whatever the order."""
    seven = palette("abcdefg")
    assert len(set(seven.values())) == 7
    assert palette("gfedcbaa") == seven
    assert len(palette(map(str, range(100)))) == 100
    assert palette([]) == {}


@pytest.mark.parametrize("name", ["a.png", "b.bmp", "C.PNG"])
def test_a_saved_picture_can_be_read(tmp_path: Path, name: str) -> None:
    """What is read from the file are the same pixels."""
    image = grey()
    draw_box(image, (0.2, 0.2, 0.8, 0.8), "x", RED)
    save_picture(tmp_path / name, image)
    assert np.array_equal(cv2.imread(str(tmp_path / name)), image)  # type: ignore[arg-type]


def test_a_name_without_an_ending(tmp_path: Path) -> None:
    """It becomes a JPEG."""
    save_picture(tmp_path / "out", grey())
    assert (tmp_path / "out").read_bytes()[:3] == b"\xff\xd8\xff"


def test_an_unknown_ending(tmp_path: Path) -> None:
    """The cure names endings that work, and nothing is written."""
    with pytest.raises(OutputError, match=r"out\.xyz as a picture \(use a name ending in \.jpg"):
        save_picture(tmp_path / "out.xyz", grey())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The error has the path, the reason and the cure."""
    with pytest.raises(OutputError, match=r"a\.png: No such file .*\(check the folder"):
        save_picture(tmp_path / "none" / "a.png", grey())


class FullDisk:
    """A file to which nothing more can be written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, _data: bytes) -> int:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that breaks off in the middle would be taken for a whole one."""

    def begin(path: Path, *_: object, **__: object) -> FullDisk:
        path.touch()
        return FullDisk()

    monkeypatch.setattr(Path, "open", begin)
    target = tmp_path / "a.png"
    with pytest.raises(OutputError, match="No space left"):
        save_picture(target, grey())
    assert not target.exists()


def test_a_file_that_may_not_be_changed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file cannot even be opened, the old picture in it is still there."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    target = tmp_path / "a.png"
    target.write_bytes(b"an old picture")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(OutputError, match="Permission denied"):
            save_picture(target, grey())
    assert target.read_bytes() == b"an old picture"


def test_sure_keypoints_and_their_limbs() -> None:
    """A dot at each sure point and a line between the two ends of a limb; the rest stays."""
    image = grey()
    points = [
        Keypoint("left_shoulder", 0.25, 0.5, 0.9),
        Keypoint("left_elbow", 0.75, 0.5, 0.9),
        Keypoint("left_wrist", 0.75, 0.9, 0.1),
    ]
    draw_keypoints(image, points, RED)
    assert [tuple(image[120, x]) for x in (80, 160, 240)] == [RED] * 3
    assert (image[130:] == 100).all()
    assert (image[:110] == 100).all()


def test_an_area_is_tinted_but_for_its_holes() -> None:
    """The picture shines through, and what lies in a hole or outside stays as it is."""
    image = grey()
    outer = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.95), (0.25, 0.95)]
    hole = [(0.4, 0.7), (0.6, 0.7), (0.6, 0.9), (0.4, 0.9)]
    draw_area(image, [outer, hole], "car", RED)
    red = image[228 - 20, 90].tolist()
    assert red[2] > 150
    assert 0 < red[0] < 100
    assert (image[180:205, 140:180] == 100).all()
    assert (image[:, :78] == 100).all()


def test_a_zone_has_a_border_that_is_seen_anywhere() -> None:
    """Light between dark, its name inside, and the rest of the picture as it was."""
    image = grey()
    draw_zone(image, [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)], "porch: 2 cat")
    row = image[180 - 20, 70:95].sum(axis=-1)
    assert row.max() > 650
    assert row.min() < 150
    assert (image[65:85, 85:160] == 255).mean() > 0.3
    assert (image[100:170, 90:230] == 100).all()
    assert (image[:50] == 100).all()


@pytest.mark.parametrize(
    ("points", "left", "right"),
    [([(0.5, 1.0), (0.5, 0.0)], False, True), ([(0.5, 0.0), (0.5, 1.0)], True, False)],
    ids=["up", "down"],
)
def test_the_arrow_of_a_line_points_to_its_in_side(
    points: list[tuple[float, float]], left: bool, right: bool
) -> None:
    """To the right of someone who walks along it."""
    image = grey()
    draw_crossing(image, points, "")
    changed = (image[110:130] != 100).any(axis=(0, 2))
    assert changed[142:155].any() == left
    assert changed[165:178].any() == right
    assert (image[20, 158:162] != 100).any()


@pytest.mark.parametrize("width", [320, 768, 3840])
def test_captions_grow_with_the_picture(width: int) -> None:
    """A caption takes about the same part of the height at any size, and letters stay apart."""
    height = width * 9 // 16
    image = np.full((height, width, 3), 100, np.uint8)
    draw_box(image, (0.3, 0.5, 0.6, 0.9), "person #12 0.97", RED)
    bar = (image[..., 2] == 255).any(axis=1)
    bar[height // 2 - height // 200 :] = False
    assert 0.025 < bar.sum() / height < 0.09


def test_a_note_in_the_corner() -> None:
    """Dark on light, below on the left."""
    image = grey()
    draw_note(image, "12.3 s")
    assert (image[226:, :20] == 255).any()
    assert (image[:220] == 100).all()


def test_colours_by_number() -> None:
    """Seven, and then from the beginning."""
    assert len({colour_of(number) for number in range(20)}) == 7
    assert colour_of(7) == colour_of(0)
