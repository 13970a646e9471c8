"""Which outputs of a single-shot detector are which, in the forms that exporters have."""

from __future__ import annotations

import pytest

from edge_agent.decoders.choose import choose_decoder
from tests.support.models import make_info, make_spec


@pytest.mark.parametrize(("side", "name"), [(320, "efficientdet-lite"), (512, "efficientdet")])
@pytest.mark.parametrize("form", ["grids", "channels first", "flat", "joined"])
def test_the_heads_of_efficientdet(side: int, name: str, form: str) -> None:
    """Its five levels of 90 classes are known in every form in which they are exported."""
    rows = [-(-side // 2**level) for level in range(3, 8)]
    shapes: list[tuple[int, ...]] = [(1, s, s, 9 * n) for s in rows for n in (90, 4)]
    if form == "channels first":
        shapes = [(1, channels, s, s) for _, s, _, channels in shapes]
    elif form == "flat":
        shapes = [(1, 9 * s * s, channels // 9) for _, s, _, channels in shapes]
    elif form == "joined":
        shapes = [(1, sum(9 * s * s for s in rows), n) for n in (90, 4)]
    info = make_info([make_spec(s) for s in shapes], inputs=[make_spec((1, side, side, 3))])
    _, why = choose_decoder(info, None)
    assert f"with 90 scores for the priors of {name}: ssd_raw" in why
