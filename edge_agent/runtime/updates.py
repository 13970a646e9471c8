"""Fetches newer models by itself: a thread that looks, waits, and never does harm."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edge_agent.backoff import Backoff
from edge_agent.config.schema import Config
from edge_agent.errors import DownloadError, EdgeAgentError, StoreError
from edge_agent.event import ModelStep
from edge_agent.modelstore import ModelStore, store_folder
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.manifest import is_name, name_of
from edge_agent.modelstore.pull import Folder, bring, latest, put_to_use, release_at
from edge_agent.modelstore.release import Release
from edge_agent.modelstore.web import Refused, Web

_log = logging.getLogger(__name__)

_FIRST = 60.0  # s within which it looks for the first time
_AGAIN = (60.0, 3600.0)  # s after a failure, at first and at most
_LEAST = 5.0  # s between two looks, whatever is drawn
_JITTER = 0.1
_LONGEST = 1000  # characters of a reason
_STOPPING = 1.0  # s in which the thread ends, or is left behind

Models = Callable[[], Mapping[str, Sequence[str]]]
"""Names in the store that the configuration uses, and the models there that each stands for."""

_rng = random.SystemRandom()


class Stopped(Exception):
    """The agent ends in the middle of a download."""


class Source(Protocol):
    """Where newer models may come from."""

    def look(self, step: Callable[[int], None]) -> float:
        """Do what is due; returns the seconds until the next look.

        `step` is called while something is fetched, and may raise. Raises EdgeAgentError.
        """

    def note(self, step: ModelStep) -> bool:
        """Take note of what became of a model; True where the next look is due at once."""


class Updater:
    """Looks for newer models in a thread of its own, one look at a time.

    What fails is told in one line, once for each reason, and tried again later: every time for
    longer, up to `longest` seconds, and each device at another moment. `first` is the most that it
    waits at the beginning.
    """

    def __init__(
        self, source: Source, first: float | None = None, longest: float = _AGAIN[1]
    ) -> None:
        self._source = source
        self._delay = _rng.uniform(0.0, _FIRST if first is None else first)
        self._backoff = Backoff(_AGAIN[0], max(_AGAIN[0], longest))
        self._told = ""
        self._stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; a server that says nothing is not waited for. Safe without `start` and twice."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_STOPPING)

    def note(self, step: ModelStep) -> None:
        """Take note of a step of a swap; returns at once, safe in any thread."""
        if self._source.note(step):
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._delay)
            self._wake.clear()
            if not self._stopping:
                self._delay = max(_LEAST, self._look())

    def _look(self) -> float:
        try:
            wait = self._source.look(self._step)
        except Stopped:
            return 0.0
        except EdgeAgentError as error:
            self._complain(str(error))
        except Exception as error:  # noqa: BLE001 - the thread's edge: without it the agent works on
            _log.exception("the look for newer models failed")
            self._told = str(error)
        else:
            self._backoff.reset()
            self._told = ""
            return wait * _rng.uniform(1.0 - _JITTER, 1.0 + _JITTER)
        return self._backoff.next_delay()

    def _complain(self, reason: str) -> None:
        if reason != self._told:  # the same reason again is no news
            _log.warning("updates: %s", one_line(reason))
            self._told = reason

    def _step(self, _: int) -> None:
        if self._stopping:
            raise Stopped


class Directory:
    """Releases in a folder of a web server, as `edge-agent models release` writes them.

    A release comes into use if its serial is above all that this device has accepted: so what was
    rolled back does not come again. `tell` is told of a release that is refused.
    """

    def __init__(
        self,
        web: Web,
        store: ModelStore,
        keys: Sequence[PublicKey],
        models: Models,
        every: float,
        tell: Callable[[ModelStep], None] = lambda _: None,
    ) -> None:
        self._web = web
        self._store = store
        self._keys = keys
        self._models = models
        self._every = every
        self._tell = tell
        self._etags: dict[str, str] = {}
        self._refused: dict[str, str] = {}

    def look(self, step: Callable[[int], None]) -> float:
        """See to every model, also where another one is refused."""
        refused = []
        for name, models in self._models().items():
            try:
                self._see_to(name, models, step)
            except StoreError as error:
                if error.retriable and not isinstance(error, Refused):
                    raise  # there is no use in asking it for the others
                refused.append(f"{name}: {error}")
        if refused:
            raise DownloadError("; ".join(refused))
        return self._every

    def note(self, step: ModelStep) -> bool:  # noqa: ARG002 - others tell their server
        """Whatever becomes of a model, the server is not told."""
        return False

    def _see_to(self, name: str, models: Sequence[str], step: Callable[[int], None]) -> None:
        version, etag = latest(self._web, name, self._etags.get(name, ""))
        if version is None:
            return
        release = None
        try:
            place = Folder(self._web, name, version)
            release = release_at(place, self._keys)
            if _is_news(release, name, version, self._store):
                bring(release, place, self._store, step)
                entry = put_to_use(release, self._store)
                _log.info("updates: %s %s is installed", name, entry.manifest.version)
        except StoreError as error:
            if not error.retriable:
                self._refuse(name, models, version, release, str(error))
            raise
        self._etags[name] = etag
        self._refused.pop(name, None)

    def _refuse(
        self, name: str, models: Sequence[str], version: str, release: Release | None, reason: str
    ) -> None:
        if self._refused.get(name) == reason:
            return
        self._refused[name] = reason
        sha256 = release.manifest.sha256 if release else ""
        before, reason = in_use(self._store, name), one_line(reason)
        for model in models:
            self._tell(ModelStep(model, "refused", sha256, version, before, reason, time.time()))


def one_line(text: str) -> str:
    """A text with words of a server in it as a log can show it."""
    return "".join(each if each.isprintable() else "?" for each in text[:_LONGEST])


def web_of(config: Config, timeout: float) -> Web:
    """The server of a configuration; raises StoreError where it has none that can be asked."""
    options = config.updates
    return Web(options.server or "", options.ca_file, {}, timeout)


def _is_news(release: Release, name: str, version: str, store: ModelStore) -> bool:
    """Whether a release is newer than all before; raises StoreError where it is not the one."""
    check_place(release, name, version)
    floor = store.floor(name)
    floor.raised(release)
    return release.serial > floor.serial


def check_place(release: Release, name: str, version: str | None = None) -> None:
    """Raise StoreError for a sound release that is not meant here."""
    manifest = release.manifest
    if manifest.name != name or version not in (None, manifest.version):
        raise StoreError(
            f"what stands for {name}{f' {version}' if version else ''} is {manifest.name} "
            f"{manifest.version}",
            "have the server serve what edge-agent models release wrote",
        )


def in_use(store: ModelStore, name: str) -> str:
    """SHA-256 of the version in use, empty where there is none that could be read."""
    try:
        entry = store.find(name)
    except StoreError:
        return ""
    return "" if entry is None else entry.manifest.sha256


def stored_models(config: Config) -> dict[str, list[str]]:
    """Models that pipelines use and that are names of the store, by these names."""
    folder = store_folder(config.agent.state_dir).absolute()
    found: dict[str, list[str]] = {}
    used = {model for item in config.running.values() for model in item.models}
    for model in config.models.keys() & used:
        file = config.models[model].file.absolute()
        if file.is_relative_to(folder):
            name = file.relative_to(folder).parts[0]
        elif not file.exists():  # as long as the store does not have it either
            name = name_of(file)
        else:
            continue
        if is_name(name):
            found.setdefault(name, []).append(model)
    return {name: sorted(models) for name, models in sorted(found.items())}
