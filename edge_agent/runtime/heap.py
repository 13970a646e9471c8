"""Keeps the garbage of reference cycles small."""

from __future__ import annotations

import gc


def tidy() -> None:
    """Free garbage of what came since the last `settle`, which takes next to no time."""
    gc.collect()


def settle() -> None:
    """Take all that is alive now out of the sight of the garbage collector.

    It looks at everything only once a quarter as many new objects have survived as there are, so
    that the tens of thousands of modules and classes would let as much garbage pile up before it
    is freed. What was taken out before is looked at once more: it may be garbage by now. All
    threads wait meanwhile, for some tens of milliseconds.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
