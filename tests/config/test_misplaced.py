"""Keys at the wrong level, and sections that stand twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import MINIMAL, problems

_AREA = "[[0, 0], [1, 0], [1, 1]]"
_BELOW = "belongs inside a pipeline (indent it further, below the name of one)"
_ZONE = f"{{polygon: {_AREA}}}"


@pytest.mark.parametrize(
    ("pasted", "lines"),
    [
        (
            f"  zones:\n    porch: {_ZONE}\n",
            [f"9:3: pipelines.zones: {_BELOW}"],
        ),
        (
            "  lines:\n    door: {from: [0, 0], to: [1, 0]}\n",
            [f"9:3: pipelines.lines: {_BELOW}"],
        ),
        (
            "  threshold: 0.4\n",
            [f"9:3: pipelines.threshold: {_BELOW}"],
        ),
        (
            f"zones:\n  porch: {_ZONE}\n",
            ["9:1: zones: unknown key (it belongs inside a pipeline: indent it further)"],
        ),
        (
            "lines: {}\n",
            ["9:1: lines: unknown key (it belongs inside a pipeline: indent it further)"],
        ),
        (
            f"    zones:\n  porch:\n    polygon: {_AREA}\n",
            [
                (
                    "10:3: pipelines.porch: this is a zone, not a pipeline "
                    "(zones belong inside a pipeline: indent it further)"
                )
            ],
        ),
        (
            f"    zones:\n    porch: {_ZONE}\n",
            [
                (
                    "10:5: pipelines.p.porch: unknown key "
                    "(a zone belongs under zones: indent it further)"
                )
            ],
        ),
        (
            f"    polygon: {_AREA}\n",
            [
                (
                    "9:5: pipelines.p.polygon: unknown key "
                    "(it belongs inside a zone: indent it further)"
                )
            ],
        ),
        (
            "    gate: {motion: {}, threshold: 0.4}\n",
            [
                (
                    "9:24: pipelines.p.gate.threshold: unknown key "
                    "(it belongs inside a pipeline: indent it less)"
                )
            ],
        ),
        (
            "yard: {type: camera, fps: 3}\n",
            ["9:1: yard: unknown key (a source belongs under sources: indent it further)"],
        ),
        (
            "mqtt: {host: h, zones: {}}\n",
            ["9:17: mqtt.zones: unknown key (it belongs inside a pipeline)"],
        ),
        (
            "mqtt: {host: h, prefix: x}\n",
            ["9:17: mqtt.prefix: unknown key (did you mean 'topic_prefix'?)"],
        ),
        (
            "  q:\n    threshold: 0.4\n",
            [
                "9:3: pipelines.q.source: is missing (Name of the source)",
                "9:3: pipelines.q.model: is missing (Name of the model)",
            ],
        ),
    ],
)
def test_the_wrong_level(tmp_path: Path, pasted: str, lines: list[str]) -> None:
    """One line that says where it belongs; what is no more than incomplete is told as before."""
    assert problems(tmp_path, MINIMAL + pasted) == [f"c.yaml:{line}" for line in lines]


def test_two_sections_of_one_name(tmp_path: Path) -> None:
    """They are to become one; of a single value one is enough."""
    text = MINIMAL + f"    zones: {{a: {_ZONE}}}\n    model: m\n    zones: {{b: {_ZONE}}}\n"
    assert problems(tmp_path, text) == [
        "c.yaml:10:5: pipelines.p.model: stands here again (it is on line 8 already)",
        (
            "c.yaml:11:5: pipelines.p.zones: stands here again "
            "(it is on line 9 already; put the content of both under one zones:)"
        ),
    ]
