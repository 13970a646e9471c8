"""Renders the demo's world: metal parts on a conveyor belt seen from above, with ground truth.

Two ways in:

* `render_still(rng)` makes one random picture, for training and for held-out evaluation;
* `Belt(seed)` iterates a moving sequence, with every part's box in every frame.

Everything is drawn from the given seed, so a picture and its truth can be made again at will.
Needs numpy and opencv only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

LABELS = ("bolt", "nut", "washer", "gear")
SIZE = (640, 360)
FPS = 15
CLIP_SEED = 7
CLIP_COUNTS = {"bolt": 8, "nut": 7, "washer": 6, "gear": 5}
SPEED = 10  # px a frame: under a quarter of the smallest part, so that an IoU tracker can follow
PAUSE_S, EMPTY_S = 3.2, 2.4
RAIL = 22  # px of the side rails at the top and the bottom of a 360 px high picture
PAD = 18  # px around a part's sprite, room for its shadow

Field = npt.NDArray[Any]  # of floats; the stubs of cv2 do not tell which
Picture = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
Colour = tuple[float, float, float]
Shape = Callable[[Field, Field, np.random.Generator], tuple[Field, Field]]

# Blue, green, red reflectance: steel, zinc, brass, bronze, darkened steel.
METALS: tuple[Colour, ...] = (
    (0.80, 0.78, 0.76),
    (0.84, 0.80, 0.72),
    (0.46, 0.70, 0.84),
    (0.42, 0.56, 0.74),
    (0.58, 0.55, 0.53),
)
# Blue, green, red: slate, green, petrol, grey, brown, light grey.
BELTS: tuple[Colour, ...] = (
    (70, 62, 56),
    (62, 78, 50),
    (86, 74, 42),
    (92, 92, 92),
    (52, 60, 72),
    (128, 130, 130),
)
# Half of the longest extent of a part in a 360 px high picture, px.
RADII = {"bolt": (45, 58), "nut": (28, 38), "washer": (28, 40), "gear": (39, 54)}


@dataclass(frozen=True)
class Part:
    """One part in one picture: box is x1, y1, x2, y2 in 0..1, clipped to the frame."""

    ident: int
    label: str
    box: Box
    visible: float  # share of the part's own area that can be seen, 0..1


@dataclass(frozen=True)
class Look:
    """Light and camera of a scene; angles in rad, blur and noise in px and grey levels."""

    azimuth: float
    tint: Colour
    gain: float
    slope: tuple[float, float]  # change of brightness across the width and the height
    blur: float
    noise: float
    smear: int


@dataclass(frozen=True)
class Item:
    """A rendered part or chip at pixel (x, y) of the belt: its sprite's upper left corner."""

    label: str
    x: int
    y: int
    colour: Field  # (h, w, 3), 0..255
    alpha: Field  # (h, w), 0..1
    shadow: Field  # (h, w), 0..1


@dataclass(frozen=True)
class Frame:
    """A picture of the moving belt, (h, w, 3) BGR, and the parts in it."""

    image: Picture
    parts: list[Part]
    moving: bool


# --- shapes: distance to the rim (positive inside) and height, in units of the part's radius


def _bevel(rim: Field, width: float) -> Field:
    """Height 0..1 of a rounded edge: rises over `width` from the rim inwards."""
    t = np.clip(rim / width, 0.0, 1.0)
    height: Field = np.sqrt(np.clip(1.0 - (1.0 - t) ** 2, 0.0, 1.0)).astype(np.float32)
    return height


def _washer(x: Field, y: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """A flat ring."""
    r = np.hypot(x, y)
    rim = np.minimum(1.0 - r, r - rng.uniform(0.44, 0.6))
    return rim, 0.09 * _bevel(rim, 0.09)


def _nut(x: Field, y: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """A hexagon with chamfered corners and a threaded hole."""
    r = np.hypot(x, y)
    turns = np.arange(3) * np.pi / 3
    flats = np.max([np.abs(x * np.cos(a) + y * np.sin(a)) for a in turns], axis=0)
    bore = rng.uniform(0.38, 0.46)
    rim = np.minimum(0.868 - flats, r - bore)
    chamfer = np.clip((r - 0.80) / 0.2, 0.0, 1.0)
    thread = np.clip((bore + 0.12 - r) / 0.12, 0.0, 1.0)
    height = 0.34 * _bevel(rim, 0.07) - 0.13 * chamfer - 0.16 * thread
    return rim, height + 0.02 * thread * np.sin(r * 90)


def _gear(x: Field, y: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """A spur gear: teeth, a sunken web (with or without holes), a hub with a bore."""
    r, teeth = np.hypot(x, y), int(rng.integers(10, 15))
    depth = rng.uniform(0.17, 0.23)
    wave = np.clip(np.cos(teeth * np.arctan2(y, x)) * 1.9, -1.0, 1.0)
    rim = np.minimum((1.0 - depth / 2 + depth / 2 * wave) - r, r - rng.uniform(0.13, 0.2))
    if rng.random() < 0.5:
        holes, angle = int(rng.integers(4, 7)), np.arctan2(y, x)
        near = (angle * holes / (2 * np.pi) + 0.5) % 1.0 - 0.5
        off = near * 2 * np.pi / holes
        rim = np.minimum(rim, np.hypot(r * np.cos(off) - 0.52, r * np.sin(off)) - 0.11)
    web = np.clip((0.17 - np.abs(r - 0.52)) / 0.05, 0.0, 1.0)
    return rim, 0.2 * _bevel(rim, 0.07) - 0.09 * web


def _bolt(x: Field, y: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """A hex bolt lying on its side: faceted head on the left, threaded shank to the right."""
    neck, half, wide = rng.uniform(-0.7, -0.62), rng.uniform(0.16, 0.2), rng.uniform(0.35, 0.4)
    flat = np.abs(y)
    head = np.minimum(np.minimum(x + 1.0, neck - x), wide - flat)
    tip = 1.0 - x - np.clip(flat - half * 0.6, 0.0, None)
    shank = np.minimum(np.minimum(tip, half - flat), x - neck + 0.05)
    facet = np.where(flat < wide / 2, 0.34, 0.34 - 0.9 * (flat - wide / 2))
    round_ = np.sqrt(np.clip(half**2 - flat**2, 0.0, None))
    threaded = np.clip((x - rng.uniform(-0.5, 0.0)) / 0.04, 0.0, 1.0)
    round_ = round_ + 0.016 * threaded * np.sin(2 * np.pi * (x + 0.06 * y / half) / 0.085)
    height = np.where(head > 0, facet * (0.6 + 0.4 * _bevel(head, 0.1)), round_)
    return np.maximum(head, shank), height


SHAPES: dict[str, Shape] = {"bolt": _bolt, "nut": _nut, "washer": _washer, "gear": _gear}


def _cloud(rng: np.random.Generator, width: int, height: int, cell: float) -> Field:
    """Smooth noise of about unit deviation, (height, width), with lumps of `cell` px."""
    small = rng.normal(0, 1, (max(2, int(height / cell)), max(2, int(width / cell))))
    return cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def _shade(height: Field, metal: Colour, look: Look, rng: np.random.Generator) -> Field:
    """Metal of the given height map (px) under the scene's light: (h, w, 3), 0..255."""
    size = height.shape[0]
    bumpy = height + 0.9 * _cloud(rng, size, size, size / 4) + 0.025 * _cloud(rng, size, size, 2)
    gx = cv2.Sobel(bumpy, cv2.CV_32F, 1, 0, scale=0.125)
    gy = cv2.Sobel(bumpy, cv2.CV_32F, 0, 1, scale=0.125)
    up = 1.0 / np.sqrt(gx * gx + gy * gy + 1.0)
    lx, ly = np.cos(look.azimuth), np.sin(look.azimuth)
    toward = -(gx * lx + gy * ly) * up
    diffuse = np.clip(0.6 * toward + 0.8 * up, 0.0, None)
    shine = np.clip(0.316 * toward + 0.949 * up, 0.0, 1.0) ** 28
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    sky = ramp[None, :] * lx + ramp[:, None] * ly
    mirror = 0.5 + 0.5 * np.sin(6.8 * toward * up + 1.7 * sky + rng.uniform(-0.4, 0.8))
    tone = 0.1 + 0.4 * diffuse + 0.46 * mirror
    lit: Field = 255 * (tone[..., None] * np.array(metal, np.float32) + 0.3 * shine[..., None])
    return lit


def _shadow(alpha: Field, look: Look, reach: float) -> Field:
    """Drop shadow of a mask: away from the light by `reach` px, plus the dark contact line."""
    dx, dy = -reach * np.cos(look.azimuth), -reach * np.sin(look.azimuth)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    cast = cv2.warpAffine(alpha, move, alpha.shape[::-1])
    cast = cv2.GaussianBlur(cast, (0, 0), 0.8 + reach / 3)
    contact = cv2.GaussianBlur(alpha, (0, 0), 2.5)
    return np.clip(0.55 * cast + 0.35 * contact, 0.0, 0.8).astype(np.float32)


def _part(label: str, zoom: float, look: Look, rng: np.random.Generator) -> Item:
    """A part of random size, metal and orientation, at the origin; rendered twice oversampled."""
    radius, angle = zoom * rng.uniform(*RADII[label]), rng.uniform(0, 2 * np.pi)
    side = 2 * (int(np.ceil(radius)) + PAD)
    axis = ((np.arange(2 * side) + 0.5) / 2 - side / 2).astype(np.float32) / radius
    x = axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle)
    y = axis[:, None] * np.cos(angle) - axis[None, :] * np.sin(angle)
    rim, height = SHAPES[label](x.astype(np.float32), y.astype(np.float32), rng)
    metal = METALS[int(rng.choice(len(METALS), p=(0.36, 0.22, 0.18, 0.1, 0.14)))]
    colour = _shade((height * radius * 2).astype(np.float32), metal, look, rng)
    mask = np.clip(rim * radius * 2 + 0.5, 0.0, 1.0).astype(np.float32)
    alpha = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)
    colour = cv2.resize(colour.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return Item(label, 0, 0, colour, alpha, _shadow(alpha, look, radius * 0.13))


def _chip(look: Look, rng: np.random.Generator) -> Item:
    """A distractor without a label: a curled shaving or a flake of metal."""
    side = 2 * PAD + 28
    mask = np.zeros((side * 2, side * 2), np.uint8)
    turn = np.linspace(0, rng.uniform(1.5, 5.5), 24) + rng.uniform(0, 6.3)
    reach = rng.uniform(5, 20) * np.linspace(0.5, 1, 24)
    curl = np.stack([np.cos(turn) * reach, np.sin(turn) * reach], 1) + side
    if rng.random() < 0.6:
        cv2.polylines(mask, [curl.astype(np.int32)], False, 255, int(rng.integers(2, 5)))
    else:
        corners = side + rng.normal(0, 7, (6, 2))
        cv2.fillConvexPoly(mask, cv2.convexHull(corners.astype(np.int32)), 255)
    alpha = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    height = cv2.GaussianBlur(alpha, (0, 0), 1.2) * 4
    colour = _shade(height, METALS[int(rng.integers(len(METALS)))], look, rng)
    return Item("", 0, 0, colour.astype(np.float32), alpha, _shadow(alpha, look, 2.0))


def _stain(strip: Field, rng: np.random.Generator) -> None:
    """Darken one oil stain on the strip, (h, w, 3), in place."""
    h, w = strip.shape[:2]
    blot: Field = np.zeros((h, w), np.float32)
    centre, axes = (int(rng.integers(w)), int(rng.integers(h))), rng.uniform(8, 42, 2)
    cv2.ellipse(blot, centre, (int(axes[0]), int(axes[1] * 0.7)), 0, 0, 360, 1.0, -1)
    blot = cv2.GaussianBlur(blot, (0, 0), rng.uniform(2, 9))
    blot *= np.clip(0.75 + 0.3 * _cloud(rng, w, h, 12), 0, 1)
    strip *= 1.0 - rng.uniform(0.15, 0.45) * blot[..., None]


def _scratch(strip: Field, rng: np.random.Generator) -> None:
    """Draw one scratch on the strip, (h, w, 3), in place: mostly along the belt."""
    h, w = strip.shape[:2]
    start = rng.uniform((0, 0), (w, h))
    end = start + rng.uniform(20, 190) * np.array([1.0, rng.normal(0, 0.12)])
    line = np.zeros((h, w), np.uint8)
    points = [(int(p[0]), int(p[1])) for p in (start, end)]
    cv2.line(line, points[0], points[1], 255, int(rng.integers(1, 3)), cv2.LINE_AA)
    depth = rng.uniform(-16, 22)
    top, low = sorted((points[0][1], points[1][1]))
    rows = slice(max(0, top - 3), max(0, low + 4))
    strip[rows] += depth * (line[rows, :, None].astype(np.float32) / 255)


def _seam(strip: Field, x: int) -> None:
    """Draw a stitched joint across the strip, (h, w, 3), at column x, in place."""
    h = strip.shape[0]
    strip[:, x - 7 : x + 7] *= 1.10
    strip[:, x - 8 : x - 6] *= 0.6
    strip[:, x + 6 : x + 8] *= 0.6
    for y in range(4, h, 14):
        strip[y : y + 7, x - 1 : x + 2] *= 0.62


def _strip(width: int, height: int, colour: Colour, rng: np.random.Generator) -> Field:
    """The belt's bare surface, (height, width, 3), 0..255: rubber, wear, stains, seams."""
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = np.sin(cols * 1.57 + rows * 0.79) * np.sin(rows * 1.57 - cols * 0.79)
    wear = _cloud(rng, max(2, width // 60), height, 9)
    wear = cv2.resize(wear, (width, height), interpolation=cv2.INTER_LINEAR)
    tone = 1 + 0.05 * _cloud(rng, width, height, 70) + 0.035 * wear + 0.025 * weave
    tone += 0.03 * _cloud(rng, width, height, 2)
    strip: Field = (tone[..., None] * np.array(colour, np.float32)).astype(np.float32)
    for _ in range(int(rng.poisson(width / 160))):
        _stain(strip, rng)
    for _ in range(int(rng.poisson(width / 70))):
        _scratch(strip, rng)
    for x in range(int(rng.integers(30, 700)), width - 10, 560):
        _seam(strip, x)
    return strip


def _paste(canvas: Field, item: Item, shift: int = 0) -> None:
    """Lay an item with its shadow on the canvas, (h, w, 3), in place, cut at the borders."""
    h, w = canvas.shape[:2]
    left, top = item.x + shift, item.y
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + item.alpha.shape[1], w), min(top + item.alpha.shape[0], h)
    if x1 >= x2 or y1 >= y2:
        return
    cut = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    alpha = item.alpha[cut][..., None]
    under = canvas[y1:y2, x1:x2] * (1 - item.shadow[cut][..., None])
    canvas[y1:y2, x1:x2] = under * (1 - alpha) + item.colour[cut] * alpha


def _rails(canvas: Field, rail: int) -> None:
    """Draw the two fixed side rails, `rail` px high, over the canvas, (h, w, 3), in place."""
    if rail < 4:
        return
    h = canvas.shape[0]
    t = np.linspace(0, 1, rail, dtype=np.float32)
    profile = 92 + 70 * np.exp(-(((t - 0.35) / 0.13) ** 2)) + 22 * np.exp(-(((t - 0.8) / 0.1) ** 2))
    profile[-2:] = 34
    metal = profile[:, None, None] * np.array([1.0, 0.97, 0.93], np.float32)
    canvas[:rail] = metal
    canvas[h - rail :] = metal[::-1]
    fade = (1.0 - 0.5 * np.exp(-np.arange(14, dtype=np.float32) / 4))[:, None, None]
    canvas[rail : rail + 14] *= fade
    canvas[h - rail - 14 : h - rail] *= fade[::-1]


def _expose(canvas: Field, look: Look, moving: bool, rng: np.random.Generator) -> Picture:
    """What the camera makes of the scene, (h, w, 3) BGR: light, blur, sensor noise."""
    h, w = canvas.shape[:2]
    across = np.linspace(-0.5, 0.5, w, dtype=np.float32)[None, :]
    down = np.linspace(-0.5, 0.5, h, dtype=np.float32)[:, None]
    light = look.gain * (1 + look.slope[0] * across + look.slope[1] * down)
    lit: Field = canvas * light[..., None] * np.array(look.tint, np.float32)
    if look.blur > 0.2:
        lit = cv2.GaussianBlur(lit, (0, 0), look.blur)
    if moving and look.smear > 1:
        lit = cv2.blur(lit, (look.smear, 1))
    grain = rng.standard_normal(lit.shape, np.float32) * (look.noise * (0.6 + lit / 255.0))
    return np.clip(lit + grain, 0, 255).astype(np.uint8)


def _random_look(rng: np.random.Generator) -> Look:
    """Light and camera of a training picture; flicker shows as the spread of the gain."""
    warm = rng.normal(0, 0.05)
    return Look(
        azimuth=rng.uniform(0, 2 * np.pi),
        tint=(1 - warm, 1.0, 1 + warm),
        gain=float(np.exp(rng.normal(0, 0.2))),
        slope=(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)),
        blur=float(max(0.0, rng.normal(0.6, 0.5))),
        noise=rng.uniform(0.5, 7.0),
        smear=int(rng.integers(1, 7)),
    )


def _solid(item: Item, shift: int, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The item's mask on the whole frame, (h, w)."""
    canvas = np.zeros((size[1], size[0], 1), np.float32)
    _paste(canvas, replace(item, colour=np.ones((*item.alpha.shape, 1), np.float32)), shift)
    return canvas[..., 0] > 0.5


def _truth(items: list[Item], shift: int, size: tuple[int, int]) -> list[Part]:
    """The labelled items' boxes and visible fractions; a later item lies on the earlier ones."""
    parts: list[Part] = []
    covered = np.zeros((size[1], size[0]), np.bool_)
    for ident in range(len(items) - 1, -1, -1):
        item = items[ident]
        mask = _solid(item, shift, size)
        seen = int((mask & ~covered).sum())
        covered |= mask
        if seen:
            share = min(1.0, seen / float((item.alpha > 0.5).sum()))
            x, y, wide, high = cv2.boundingRect(mask.astype(np.uint8))
            box = (x / size[0], y / size[1], (x + wide) / size[0], (y + high) / size[1])
            parts.append(Part(ident, item.label, box, share))
    return parts[::-1]


def _fits(item: Item, others: list[Item], share: float) -> bool:
    """Whether the item covers at most `share` of itself and of each of the others."""
    for other in others:
        dx, dy = other.x - item.x, other.y - item.y
        if max(abs(dx), abs(dy)) >= max(item.alpha.shape[0], other.alpha.shape[0]):
            continue
        mine = replace(item, x=0, y=0)
        frame = (item.alpha.shape[1], item.alpha.shape[0])
        both = _solid(mine, 0, frame) & _solid(replace(other, x=dx, y=dy), 0, frame)
        least = min((item.alpha > 0.5).sum(), (other.alpha > 0.5).sum())
        if both.sum() > share * least:
            return False
    return True


def _scatter(items: list[Item], item: Item, spots: npt.NDArray[np.float64], share: float) -> bool:
    """Add the item, centred on the first of the spots, (n, 2) px, where it fits."""
    half = item.alpha.shape[0] // 2
    for x, y in spots:
        placed = replace(item, x=int(x) - half, y=int(y) - half)
        if _fits(placed, items, share):
            items.append(placed)
            return True
    return False


def _littered(strip: Field, count: int, look: Look, rng: np.random.Generator) -> None:
    """Lay `count` chips and shavings on the strip, (h, w, 3), in place."""
    h, w = strip.shape[:2]
    for _ in range(count):
        spot = rng.uniform((-PAD, 0), (w - PAD, h - 2 * PAD))
        _paste(strip, replace(_chip(look, rng), x=int(spot[0]), y=int(spot[1])))


def render_still(rng: np.random.Generator) -> tuple[Picture, list[Part]]:
    """One random scene: picture (360, 640, 3) BGR and its parts, also those cut by the border."""
    look, zoom = _random_look(rng), rng.uniform(0.85, 1.2)
    colour = np.array(BELTS[int(rng.integers(len(BELTS)))]) * rng.uniform(0.8, 1.2, 3)
    canvas = _strip(*SIZE, (colour[0], colour[1], colour[2]), rng)
    _littered(canvas, int(rng.poisson(3)), look, rng)
    rail = int(rng.integers(0, 36))
    items: list[Item] = []
    for _ in range(int(rng.integers(0, 12))):
        part = _part(LABELS[int(rng.integers(len(LABELS)))], zoom, look, rng)
        margin = rail + part.alpha.shape[0] / 2 - PAD
        spots = rng.uniform((-30, margin), (SIZE[0] + 30, SIZE[1] - margin), (12, 2))
        _scatter(items, part, spots, 0.08 if rng.random() < 0.5 else 0.0)
    for item in items:
        _paste(canvas, item)
    _rails(canvas, rail)
    return _expose(canvas, look, rng.random() < 0.6, rng), _truth(items, 0, SIZE)


class Belt:
    """A belt that carries known parts from left to right; iterating yields `Frame`s.

    Two groups of parts pass. The belt halts once in the middle of the first group and once,
    empty, between the groups; the sequence ends when the last part has left the picture.
    """

    def __init__(self, seed: int, size: tuple[int, int] = SIZE, fps: int = FPS) -> None:
        """Lay out the belt for pictures of `size` (width, height) px."""
        self.size, self.fps, self.zoom = size, fps, size[1] / SIZE[1]
        self.rail = round(RAIL * self.zoom)
        self._seed, self._rng = seed, np.random.default_rng(seed)
        self.look = Look(-2.2, (0.99, 1.0, 1.02), 1.12, (-0.12, -0.1), 0.45, 1.5, 3)
        self.items: list[Item] = []
        self.still: list[tuple[float, float]] = []  # s from the first frame
        names = [label for label, count in CLIP_COUNTS.items() for _ in range(count)]
        self._rng.shuffle(names)
        gap_from = self._lay(names[: len(names) // 2], size[0])
        self._lay(names[len(names) // 2 :], gap_from - size[0] - round(16 * self.zoom))
        self.length = size[0] - min(item.x for item in self.items)
        halts = {round(0.45 * size[0]): PAUSE_S, size[0] - gap_from + 8: EMPTY_S}
        self.shifts = self._travel(halts)
        width = self.length + size[0] + 64
        self._strip = _strip(width, size[1], BELTS[1], self._rng)
        _littered(self._strip, width // 130, self.look, self._rng)

    def _lay(self, names: list[str], right: int) -> int:
        """Put a group of parts left of column `right`; returns the column where it begins."""
        lanes, first = 3, len(self.items)
        inner = self.size[1] - 2 * self.rail
        for i, name in enumerate(names):
            part = _part(name, self.zoom, self.look, self._rng)
            reach = part.alpha.shape[0] / 2 - PAD
            x = right - reach - 6 - 72 * self.zoom * i
            lane = (2 * i + i // lanes) % lanes
            y = self.rail + inner * (lane + 0.5) / lanes
            spots = np.array([x, y]) + self._rng.normal(0, 9 * self.zoom, (80, 2))
            low, high = self.rail + reach + 3, self.size[1] - self.rail - reach - 3
            spots = np.clip(spots, (-1e9, low), (right - reach - 6, high))
            spots[40:, 0] -= np.linspace(0, 90, 40) * self.zoom
            if not _scatter(self.items, part, spots, 0.04):
                raise ValueError(f"no room for part {i}, a {name}")
        return min(item.x for item in self.items[first:]) + PAD

    def _travel(self, halts: dict[int, float]) -> list[int]:
        """How far the belt has moved in each frame, px, with a halt of some seconds at each key."""
        shifts, step = [0], round(SPEED * self.zoom)
        due = sorted(halts.items())
        while shifts[-1] < self.length:
            shifts.append(shifts[-1] + step)
            if due and shifts[-1] >= due[0][0]:
                first = len(shifts)
                shifts += [shifts[-1]] * round(due.pop(0)[1] * self.fps)
                self.still.append((first / self.fps, len(shifts) / self.fps))
        return shifts

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.shifts)

    def parts(self, frame: int) -> list[Part]:
        """The parts to be seen in a frame, without rendering it."""
        return _truth(self.items, self.shifts[frame], self.size)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, the same ones each time."""
        rng = np.random.default_rng((self._seed, 1))
        for i, shift in enumerate(self.shifts):
            moving = shift != self.shifts[max(0, i - 1)] or i == 0
            start = self._strip.shape[1] - self.size[0] - shift
            canvas = self._strip[:, start : start + self.size[0]].copy()
            for item in self.items:
                _paste(canvas, item, shift)
            _rails(canvas, self.rail)
            image = _expose(canvas, self.look, moving, rng)
            yield Frame(image, self.parts(i), moving)
