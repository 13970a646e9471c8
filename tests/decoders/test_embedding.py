"""Directions: made as long as 1, and named after what they are nearest to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.embedding import EmbeddingDecoder, EmbeddingOptions
from edge_agent.decoders.gallery import Gallery, Vector
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, Origin
from edge_agent.result import ClassScore, RawOutput
from tests.support.models import make_info, make_spec

PLAIN = make_info([make_spec((1, 2))])


def folder_of(root: Path, *pictures: str) -> Path:
    """A gallery with files of these names, with nothing in them."""
    for each in pictures:
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        (root / each).touch()
    return root


def unit(degrees: float) -> Vector:
    """A direction."""
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def known(root: Path, margin: float = 0.05, **at: float) -> EmbeddingDecoder:
    """A decoder that knows one picture for each name, at these angles."""
    gallery = folder_of(root / "g", *(f"{name}/1.jpg" for name in at))
    decoder = EmbeddingDecoder(PLAIN, None, EmbeddingOptions(gallery, margin=margin))
    assert decoder.gallery is not None
    decoder.gallery.enroll(lambda path: unit(at[path.parent.name]))
    return decoder


def told(decoder: EmbeddingDecoder, degrees: float, threshold: float = 0.0) -> object:
    """Label and score for a direction of any length."""
    (found,) = decoder.decode([7.0 * unit(degrees)[None]], BoxMapping(), threshold)
    assert isinstance(found, ClassScore)
    return found.label, round(found.score, 3)


def test_a_vector_is_made_as_long_as_1() -> None:
    """Also a quantised one; one without a direction stays 0."""
    info = make_info([make_spec((1, 1, 1, 2), "int8", 0.5, 1)])
    decoder = EmbeddingDecoder(info, None, EmbeddingOptions())
    assert decoder.kind == "raw"
    (found,) = decoder.decode([np.array([[[[7, 9]]]], np.int8)], BoxMapping(), 1.0)
    assert isinstance(found, RawOutput)
    np.testing.assert_allclose(found.values, [0.6, 0.8], rtol=1e-6)
    assert decoder.vector([np.array([[[[1, 1]]]], np.int8)]).tolist() == [0.0, 0.0]


def test_the_nearest_name_is_told(tmp_path: Path) -> None:
    """Its score is the cosine; what is too far from all of them is unknown."""
    decoder = known(tmp_path, ann=0.0, bob=90.0)
    assert (decoder.kind, decoder.labels) == ("class", ("ann", "bob", "unknown"))
    assert told(decoder, 10.0) == ("ann", 0.985)
    assert told(decoder, 80.0) == ("bob", 0.985)
    assert told(decoder, 180.0) == ("unknown", 1.0)
    assert told(decoder, 150.0) == ("unknown", 0.5)


def test_between_two_names_is_neither(tmp_path: Path) -> None:
    """Such an unknown has a low score, so that a threshold leaves it out."""
    decoder = known(tmp_path, margin=0.1, ann=0.0, bob=20.0)
    assert told(decoder, 10.0) == ("unknown", 0.015)
    assert decoder.decode([unit(10.0)[None]], BoxMapping(), 0.5) == ()
    assert told(decoder, -40.0) == ("ann", 0.766)


def test_a_single_name_needs_no_margin(tmp_path: Path) -> None:
    """There is nobody else whom it could be."""
    assert told(known(tmp_path, margin=1.0, ann=0.0), 10.0) == ("ann", 0.985)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 360)), min_size=1), st.floats(0, 360)
)
def test_nearest_is_what_comparing_with_each_gives(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[tuple[str, float]], degrees: float
) -> None:
    """The best picture of each name counts, however many it has."""
    names = [f"{name}/{at}.png" for at, (name, _) in enumerate(pictures)]
    gallery = Gallery(folder_of(tmp_path_factory.mktemp("gallery"), *names))
    gallery.enroll(lambda path: unit(pictures[int(path.stem)][1]))
    found = gallery.nearest(unit(degrees))
    assert found is not None
    near = [(float(np.cos(np.radians(degrees - at))), name) for name, at in pictures]
    best = max(near)[0]
    assert found.similarity == pytest.approx(best, abs=1e-5)
    assert any(name == found.name and s == pytest.approx(best, abs=1e-5) for s, name in near)
    others = [s for s, name in near if name != found.name]
    assert found.next == pytest.approx(max(others, default=-1.0), abs=1e-5)


def test_only_pictures_in_subfolders_count(tmp_path: Path) -> None:
    """A subfolder without any is no name."""
    folder = folder_of(tmp_path, "ann/1.JPG", "ann/notes.txt", "loose.jpg", "empty/readme")
    assert Gallery(folder).names == ("ann",)


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_a_gallery_without_pictures_is_refused(tmp_path: Path, what: str) -> None:
    """With the folder's name and how it should look."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=f"gallery .*{what}.*subfolder"):
        Gallery(tmp_path / what)


def test_pictures_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    """But one of them must be."""
    gallery = Gallery(folder_of(tmp_path, "ann/1.jpg", "bob/1.jpg"))
    assert gallery.nearest(unit(0.0)) is None
    with pytest.raises(ModelError, match="no picture of the gallery"):
        gallery.enroll(lambda path: None)
    gallery.enroll(lambda path: unit(0.0) if path.parent.name == "bob" else None)
    found = gallery.nearest(unit(0.0))
    assert found is not None
    assert (found.name, found.next) == ("bob", -1.0)


@pytest.mark.parametrize(
    "info", [make_info([make_spec((1, 4, 4))]), make_info([make_spec((1, 1))])]
)
def test_other_outputs_are_refused(info: ModelInfo) -> None:
    """One vector, of more than one number."""
    with pytest.raises(ModelError, match="needs one output of 1 x numbers"):
        EmbeddingDecoder(info, None, EmbeddingOptions())


def test_it_is_chosen_where_the_model_says_so() -> None:
    """A vector that ends in a normalisation; any other only where the task names it."""
    info = make_info([make_spec((1, 128))], [Origin("L2_NORMALIZATION", 0)])
    decoder, why = choose_decoder(info, None)
    assert decoder.name == "embedding"
    assert "128 values and comes from L2_NORMALIZATION" in why
    assert choose_decoder(PLAIN, None)[0].name == "raw"
    assert choose_decoder(PLAIN, None, "embedding")[0].name == "embedding"
