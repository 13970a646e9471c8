"""The page in a real browser: what people see, press and copy."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from edge_agent.config.load import load_or_raise
from edge_agent.mqtt.broker import free_port
from edge_agent.page.options import PageOptions
from edge_agent.page.server import PageServer
from tests.support.agent import belt_config
from tests.support.browser import Browser, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")

_EVIL = "<img src=/evil onerror=alert(1)>"
_PICTURE = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()


def _pipeline(state: str, reason: str = "") -> dict[str, Any]:
    latency = {"total": {"p50": 20.5, "p99": 31.25}} if state == "online" else {}
    fps = {"in": 10.0, "inferred": 9.5, "dropped": 0.5}
    return {"state": state, "reason": reason, "fps": fps, "latency_ms": latency, "restarts": 0}


def _state() -> dict[str, Any]:
    event = {"time": 1.78e9, "pipeline": "door", "type": "new", "label": _EVIL, "track": 3,
             "score": 0.83, "zones": ["porch"]}  # fmt: skip
    return {
        "info": {
            "device": "front-door",
            "version": "1.2.3",
            "pipelines": {name: {"source": "cam", "model": "coco"} for name in ("door", "yard")},
            "models": [{"name": "coco", "sha256": "61d598093ed0", "engine": "tflite"}],
        },
        "health": {
            "pipelines": {"door": _pipeline("online"), "yard": _pipeline("offline", "no cable")},
            "outbox": {"depth": 7, "drops": {"event: too old": 2}},
            "mqtt": {"connects": 1, "refused": []},
            "governor": {"divisor": 1, "reason": ""},
            "cpu_temperature": 51.5,
            "rss_bytes": 100 << 20,
            "uptime": 93600.0,
        },
        "settings": {name: {"enabled": True, "threshold": 0.5} for name in ("door", "yard")},
        "sources": {"cam": "camera"},
        "shapes": {
            "door": [
                {"name": "porch", "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9]], "closed": True}
            ]
        },
        "mqtt": {"connected": False, "reason": "connection refused"},
        "events": [event],
        "log": [f"12:00:00 INFO    {_EVIL}"],
        "preview": True,
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser at a page that has been shown."""
    port = free_port()
    page = PageServer(PageOptions(port=port, preview=True), _state, lambda _: _PICTURE)
    page.start()
    try:
        with Browser(tmp_path_factory.mktemp("browser")) as opened:
            opened.size(1000, 900)
            opened.open(f"http://127.0.0.1:{port}/")
            opened.until("document.querySelectorAll('.card').length === 2")
            opened.until("document.querySelector('.card img').naturalWidth")
            yield opened
            assert opened.complaints == []
    finally:
        page.stop()


def test_what_is_shown(browser: Browser) -> None:
    """States with reasons, rates, what waits and was lost, the broker, events, log; soon."""
    text = browser.run("document.body.innerText")
    for part in ("front-door", "1 of 2 pipelines online", "no cable", "cam (camera) → coco",
                 "9.5 of 10.0 frames/s inferred, 0.5 dropped", "20.5 ms a frame",
                 "connection refused", "7 messages", "2 event: too old", "1 d 2 h",
                 "tflite, 61d59809", "51.5 °C", "0.83", "porch"):  # fmt: skip
        assert part in text
    assert browser.run("document.querySelectorAll('.card .spark path[d^=M]').length") == 3
    paint = "performance.getEntriesByName('first-contentful-paint')"
    browser.until(f"{paint}.length")
    assert browser.run(f"{paint}[0].startTime") < 1000  # seen: 52 to 264 ms with others at work


def test_names_are_text(browser: Browser) -> None:
    """Nothing that a model, a file or the log calls itself becomes part of the page."""
    assert browser.run("document.getElementById('log').textContent").endswith(_EVIL)
    assert browser.run("document.querySelectorAll('[onerror]').length") == 0
    assert browser.run("[...document.images].every(i => !i.src.includes('evil'))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Browser, scheme: str) -> None:
    """Every text stands out from its ground by 4.5 to 1 or more, in both schemes."""
    browser.colours(scheme)
    found = json.loads(browser.run(_CONTRAST))
    assert found["texts"] > 20
    assert found["least"] >= 4.5, found
    pixels = cv2.imdecode(np.frombuffer(browser.photograph(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert bool(np.median(np.asarray(pixels)) < 128) is (scheme == "dark")


def test_a_phone(browser: Browser) -> None:
    """Nothing is wider than a small screen."""
    browser.size(360, 740, phone=True)
    assert browser.run("document.documentElement.scrollWidth") == 360
    browser.size(1000, 900)


def test_live_by_keyboard(browser: Browser) -> None:
    """The button goes on and off with the space bar, and keeps the focus while numbers change."""
    browser.run("document.querySelector('.card button').focus()")
    browser.press(" ")
    browser.until("document.querySelector('.card img').src.includes('/live?pipeline=door')")
    browser.until("document.querySelector('.card img').naturalWidth === 640")
    browser.run("look()")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.press(" ")
    browser.until("document.querySelector('.card img').src.includes('/picture?pipeline=door')")
    assert browser.run("document.querySelectorAll('.card button:not([hidden])').length") == 1


@pytest.mark.parametrize(
    ("kind", "name", "steps", "want"),
    [
        ("zones", "porch", [5, 5], {"polygon": [[0.5, 0.5], [0.55, 0.5], [0.55, 0.55]]}),
        ("zones", "the yard: left", [1, 2], {"polygon": [[0.5, 0.5], [0.51, 0.5], [0.51, 0.52]]}),
        ("lines", "no", [10], {"from": [0.5, 0.5], "to": [0.6, 0.5]}),
    ],
)
def test_drawing_by_keyboard(
    browser: Browser, tmp_path: Path, kind: str, name: str, steps: list[int], want: Any
) -> None:
    """Arrows, Enter and Backspace draw; the YAML is what a configuration takes."""
    browser.run(
        f"clear(); cursor = [0.5, 0.5]; $('kind').value = {json.dumps(kind)};"
        f"$('kind').dispatchEvent(new Event('change')); $('name').value = {json.dumps(name)};"
        "$('canvas').focus()"
    )
    browser.press("Enter")
    for key, count in zip(("ArrowRight", "ArrowDown"), steps, strict=False):
        browser.press(*[key] * count, "Enter", "Backspace", "Enter")
    text = browser.run("$('yaml').textContent")
    assert yaml.safe_load(text) == {kind: {name: want}}
    file = tmp_path / "agent.yaml"
    file.write_text(yaml.safe_dump(belt_config(1883, **yaml.safe_load(text))))
    assert name in getattr(load_or_raise(file).pipelines["belt"], kind)


def test_several_shapes(browser: Browser, tmp_path: Path) -> None:
    """Each is kept, also when its kind changes; the YAML has all, indented to be pasted."""
    browser.run("kind = $('kind').value = 'zones'; clear()")
    assert browser.run("$('copy').disabled && $('next').disabled")
    browser.run("for (const at of [[0, 0], [1, 0], [1, 1]]) add(at); $('next').click()")
    browser.run("for (const at of [[0, 0], [0, 1], [1, 1]]) add(at)")
    browser.run("$('kind').value = 'lines'; $('kind').dispatchEvent(new Event('change'))")
    browser.run("for (const at of [[.5, 0], [.5, 1], [.7, .7]]) add(at)")
    text = browser.run("$('yaml').textContent")
    zones, lines = ["porch", "porch2"], ["gate"]
    file = tmp_path / "agent.yaml"
    whole = yaml.safe_dump(belt_config(1883))
    file.write_text(whole.replace("    source: clip\n", f"    source: clip\n{text}\n"))
    belt = load_or_raise(file).pipelines["belt"]
    assert (list(belt.zones), list(belt.lines)) == (zones, lines)
    browser.run("undo(); undo(); undo()")
    assert browser.run("$('kind').value + $('name').value + points.length") == "zonesporch23"
    browser.run("clear()")


def test_shapes_of_the_configuration_are_shown(browser: Browser) -> None:
    """On the still of their pipeline, so that a new zone is drawn beside the old ones."""
    brightest = []
    for name in ("door", "yard"):
        browser.run(f"clear(); $('which').value = '{name}'; draw()")
        png = base64.b64decode(browser.run("$('canvas').toDataURL()").partition(",")[2])
        pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        brightest.append(int(np.asarray(pixels)[176:184, 320].max()))
    assert brightest[0] > 200
    assert brightest[1] < 100  # the picture alone


def test_copying(browser: Browser) -> None:
    """The YAML is copied, and where a browser refuses the clipboard it is at least selected."""
    browser.run(
        "clear(); points = [[0, 0], [1, 0], [1, 1]]; kind = 'zones'; $('name').value = 'all';"
        "draw(); navigator.clipboard.writeText = async () => { throw new Error('no') };"
        "document.execCommand = () => false; $('copy').click()"
    )
    browser.until("$('copied').textContent.startsWith('selected')")
    assert browser.run("getSelection().toString().trim()") == browser.run(
        "$('yaml').textContent.trim()"
    )


_CONTRAST = """(() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => parse(colour).slice(0, 3)
    .map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor, parts = parse(colour);
      if (parts.length < 4 || parts[3] > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let least = 99, where = "", texts = 0;
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    texts += 1;
    if (ratio < least) [least, where] = [ratio, node.outerHTML.slice(0, 80)];
  }
  return JSON.stringify({ least, where, texts });
})()"""
