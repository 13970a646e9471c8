"""Classes by the names that the YAML gives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from edge_agent import registry
from edge_agent.registry import Registry, UnknownName

GROUP = "edge_agent.things"
ENTRIES = EntryPoints(
    [
        EntryPoint("plug", "collections:OrderedDict", GROUP),
        EntryPoint("camera", "collections:OrderedDict", GROUP),
        EntryPoint("other", "collections:OrderedDict", "edge_agent.others"),
    ]
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plug-ins as if these were installed; nothing of it is remembered."""

    def entry_points(**which: Any) -> EntryPoints:
        return ENTRIES.select(**which)

    registry._plugins.cache_clear()
    monkeypatch.setattr(registry, "entry_points", entry_points)
    yield
    registry._plugins.cache_clear()


def things(group: str = GROUP) -> Registry[Any]:
    """A registry with two names of its own, and one that cannot be imported."""
    return Registry(
        group,
        {"camera": "decimal:Decimal", "video": "decimal:Context", "rare": "no_such_module:X"},
    )


def test_names() -> None:
    """Built-in names come first, each name once, and other groups do not count."""
    assert things().names() == ("camera", "video", "rare", "plug")
    assert things("edge_agent.nothing").names() == ("camera", "video", "rare")


def test_load() -> None:
    """The class that the name stands for; a built-in one is not replaced by a plug-in."""
    assert things().load("camera").__name__ == "Decimal"
    assert things().load("video").__name__ == "Context"


def test_plug_in() -> None:
    """A class of another package is found by its entry point."""
    assert things().load("plug") is OrderedDict


def test_imported_when_asked_for() -> None:
    """A class whose module is missing harms nobody who does not want it."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        things().load("rare")
    assert "rare" in things().names()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("camra", "(did you mean 'camera'? known: camera, video, rare, plug)"),
        ("plugg", "(did you mean 'plug'? known: camera, video, rare, plug)"),
        ("zzz", "(known: camera, video, rare, plug)"),
        ("", "(known: camera, video, rare, plug)"),
        ("other", "(known: camera, video, rare, plug)"),
    ],
)
def test_unknown(name: str, hint: str) -> None:
    """An unknown name is answered with the likeliest and all known ones."""
    with pytest.raises(UnknownName) as error:
        things().load(name)
    assert str(error.value) == f"{name!r} is not known {hint}"


def test_the_callers_names_are_copied() -> None:
    """A change of the mapping that was handed in changes no registry."""
    builtin = {"camera": "decimal:Decimal"}
    made: Registry[Any] = Registry(GROUP, builtin)
    builtin["late"] = "decimal:Context"
    assert "late" not in made.names()
