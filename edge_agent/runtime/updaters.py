"""Models that come while the agent runs, as its configuration says: who fetches and swaps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from edge_agent.errors import ConfigError, StoreError
from edge_agent.event import ModelStep
from edge_agent.modelstore import ModelStore, store_folder
from edge_agent.runtime.assembly import Assembly, OpenModel
from edge_agent.runtime.marks import Marks
from edge_agent.runtime.opening import kept_folder
from edge_agent.runtime.probation import LONGEST
from edge_agent.runtime.rollout import PATIENCE, Rollout, ddi_of
from edge_agent.runtime.swapping import Swaps
from edge_agent.runtime.updates import Directory, Updater, stored_models, web_of
from edge_agent.state import state_folder

_SILENCE = 30.0  # s that a server may say nothing


class ModelNews:
    """Tells all who want to know what becomes of models; `publish` is told first."""

    def __init__(self, publish: Callable[[ModelStep], None]) -> None:
        self._listeners = [publish]

    def __call__(self, step: ModelStep) -> None:
        """Tell of a step."""
        for listener in self._listeners:
            listener(step)

    def tell(self, listener: Callable[[ModelStep], None]) -> None:
        """Tell one more from now on."""
        self._listeners.append(listener)


def swaps_of(assembly: Assembly, open_model: OpenModel, news: ModelNews, *, follow: bool) -> Swaps:
    """Who lets models take the place of others.

    Whoever does not `follow` the store leaves it alone: it is that of the daemon beside it.
    """
    config = assembly.config
    if not follow:
        return Swaps(assembly, open_model, None, config.updates, Marks(None), news)
    marks = kept_folder(config.agent.state_dir, f"{config.agent.name}.probation.json")
    try:
        store = ModelStore(store_folder(config.agent.state_dir))
    except RuntimeError:  # no home folder
        store = None
    return Swaps(assembly, open_model, store, config.updates, Marks(marks), news)


def updaters_of(assembly: Assembly, news: ModelNews) -> Sequence[Updater]:
    """Who fetches newer models, where a server has them; raises ConfigError."""
    options = assembly.config.updates
    if options.server is None:
        return ()
    try:
        if options.hawkbit is None:
            updater = Updater(_directory(assembly, news), longest=options.every)
        else:
            updater = Updater(_rollout(assembly))
    except StoreError as error:
        raise ConfigError((f"updates: {error}",)) from error
    news.tell(updater.note)
    return (updater,)


def _directory(assembly: Assembly, tell: Callable[[ModelStep], None]) -> Directory:
    options = assembly.config.updates
    store = ModelStore(store_folder(assembly.config.agent.state_dir))
    web = web_of(assembly.config, _SILENCE)
    models = partial(_stored_models, assembly)
    return Directory(web, store, options.trusted, models, options.every, tell)


def _rollout(assembly: Assembly) -> Rollout:
    agent = assembly.config.agent
    store = ModelStore(store_folder(agent.state_dir))

    def running() -> dict[str, str]:
        return {each.ref.name: each.ref.sha256 for each in assembly.open_models}

    return Rollout(
        ddi_of(assembly.config, _SILENCE),
        store,
        assembly.config.updates.trusted,
        partial(_stored_models, assembly),
        running,
        state_folder(agent.state_dir) / f"{agent.name}.hawkbit.json",
        max(PATIENCE, 1.2 * LONGEST * assembly.config.updates.watch),
    )


def _stored_models(assembly: Assembly) -> dict[str, list[str]]:
    """Those of whatever is configured by now."""
    return stored_models(assembly.config)
