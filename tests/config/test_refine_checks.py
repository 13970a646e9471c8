"""What no single value can tell of second models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import problems, warnings

TEXT = """\
models:
  m: {{file: m.tflite}}
  species: {{file: m.tflite}}
  makes: {{file: m.tflite}}
sources:
  s: {{type: camera}}
pipelines:
  p:
    source: s
    model: m
    labels: [bird, car]
    refine: {refine}
"""


@pytest.mark.parametrize(
    ("refine", "complaint"),
    [
        ("{specis: {}}", "specis: 'specis' is not among the models (did you mean 'species'?)"),
        ("{other: {}}", "other: 'other' is not among the models (known: m, species, makes)"),
        (
            "{m: {}}",
            (
                "m: is the model that finds the objects, so it cannot name them more closely"
                " (name a classifier)"
            ),
        ),
        (
            "{species: {labels: [brid]}}",
            (
                "species.labels[0]: 'brid' is not among the labels of the pipeline"
                " (did you mean 'bird'?)"
            ),
        ),
        (
            "{species: {labels: [bird]}, makes: {labels: [car, bird]}}",
            "makes: looks at bird, as 'species' does already (give each labels of its own)",
        ),
        (
            "{species: {labels: [bird]}, makes: }",
            "makes: looks at every label, as 'species' does already (give each labels of its own)",
        ),
        ("{species: {look: 3}}", "species.look: unknown key (did you mean 'looks'?)"),
        (
            "{species: {margin: 2}}",
            "species.margin: expected a number from 0 to 1, got 2 (write 0.02)",
        ),
    ],
)
def test_a_mistake_is_found(tmp_path: Path, refine: str, complaint: str) -> None:
    """Each is told with its place, and nothing else is."""
    (found,) = problems(tmp_path, TEXT.format(refine=refine))
    assert found.split(": ", 1)[1] == f"pipelines.p.refine.{complaint}"


def test_both_are_used(tmp_path: Path) -> None:
    """A model that only looks closer is in use, and a name alone is enough."""
    text = TEXT.format(refine="{species: {labels: [bird]}, makes: {labels: [car]}}")
    assert not problems(tmp_path, text)
    assert not warnings(tmp_path, text)


def test_a_gallery_that_is_not_there(tmp_path: Path) -> None:
    """It is told with its place; a file is none."""
    text = TEXT.format(refine="{species: {labels: [bird]}, makes: {labels: [car]}}")
    for gallery, fault in (("faces", "no such folder"), ("m.tflite", "no such folder")):
        task = f"task: {{name: embedding, gallery: {gallery}}}"
        named = text.replace(
            "  species: {file: m.tflite}", f"  species: {{file: m.tflite, {task}}}"
        )
        (found,) = problems(tmp_path, named)
        assert f"models.species.task.gallery: {fault}: {gallery}" in found
