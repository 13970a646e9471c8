"""What no single value can tell of composites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import MINIMAL, good, problems, warnings

DOOR = """\
    labels: [person]
    zones: {porch: {polygon: [[0, 0], [1, 0], [1, 1]]}}
"""


@pytest.mark.parametrize(
    ("composites", "complaint"),
    [
        (
            "{p: {all: {a: {pipeline: p}}}}",
            (
                "composites.p: 'p' is a pipeline already, and both have the same topics"
                " (choose another name)"
            ),
        ),
        (
            "{cmd: {all: {a: {pipeline: p}}}}",
            "composites.cmd: 'cmd' is taken by the topics of commands (choose another name)",
        ),
        (
            "{a b: {all: {a: {pipeline: p}}}}",
            (
                "composites.'a b': a name cannot have spaces in it: it is part of MQTT topics"
                " (choose another name)"
            ),
        ),
        (
            "{c: {all: {a: {pipeline: q}}}}",
            "composites.c.all.a.pipeline: 'q' is not among the pipelines (known: p)",
        ),
        (
            "{c: {all: {a: {pipeline: p, zone: prch}}}}",
            (
                "composites.c.all.a.zone: 'prch' is not among the zones of 'p'"
                " (did you mean 'porch'?)"
            ),
        ),
        (
            "{c: {all: {a: {pipeline: p, label: persn}}}}",
            (
                "composites.c.all.a.label: 'persn' is not among the labels of 'p'"
                " (did you mean 'person'?)"
            ),
        ),
        (
            "{c: {all: {a: {pipeline: p, sublabel: ann}}}}",
            (
                "composites.c.all.a.sublabel: no second model of 'p' gives names"
                " (set pipelines.p.refine)"
            ),
        ),
        (
            "{c: {all: {a: {pipeline: p, type: new}}}}",
            (
                "composites.c.all.a.type: is a moment, and nothing else is at the same one"
                " (set within: 10s beside all)"
            ),
        ),
        (
            "{c: {all: {a: {pipeline: p, type: gone}}}}",
            "composites.c.all.a.type: expected 'present', 'new', 'update' or 'end', got 'gone'",
        ),
        (
            "{c: {within: 3s}}",
            "composites.c.all: is missing (The conditions, by names of your own)",
        ),
        (
            "{c: {all: {a: {pipelin: p}}}}",
            "composites.c.all.a.pipelin: unknown key (did you mean 'pipeline'?)",
        ),
    ],
)
def test_a_mistake_is_found(tmp_path: Path, composites: str, complaint: str) -> None:
    """Each is told with its place."""
    found = problems(tmp_path, f"{MINIMAL}{DOOR}composites: {composites}\n")
    assert complaint in [each.split(": ", 1)[1] for each in found]


def test_a_sound_one(tmp_path: Path) -> None:
    """Conditions by name, with what they go by."""
    text = "composites: {c: {within: 10s, all: {a: {pipeline: p, label: person, zone: porch}}}}\n"
    assert not warnings(tmp_path, MINIMAL + DOOR + text)
    config = good(tmp_path, MINIMAL + DOOR + text)
    assert config.composites["c"].within == 10.0
    assert config.composites["c"].all["a"].zone == "porch"


def test_a_pipeline_that_does_not_run(tmp_path: Path) -> None:
    """With it no condition ever holds: a warning."""
    text = "composites: {c: {all: {a: {pipeline: p}}}}\n"
    (found,) = warnings(tmp_path, f"{MINIMAL}    enabled: false\n{text}")
    assert "composites.c.all.a.pipeline: 'p' is not enabled, so this never holds" in found
