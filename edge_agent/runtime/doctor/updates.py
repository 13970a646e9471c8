"""Whether new models can come: the server of updates, and what it has."""

from __future__ import annotations

from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.modelstore import ModelStore, store_folder
from edge_agent.modelstore.pull import Folder, latest, release_at
from edge_agent.modelstore.web import Web
from edge_agent.runtime.doctor.commands import edge_agent
from edge_agent.runtime.doctor.finding import Finding, failed, ok, warn
from edge_agent.runtime.rollout import ddi_of
from edge_agent.runtime.updates import check_place, stored_models, web_of

STUCK = "see whether the server of updates answers at all: curl -I URL"


def updates(config: Config, timeout: float) -> Finding:
    """Ask as the agent does, and fetch nothing but what tells of the newest releases."""
    options = config.updates
    try:
        if options.hawkbit is not None:
            sleep = ddi_of(config, timeout).waiting().sleep
            return ok(f"hawkBit knows this device and is asked every {sleep:g} s")
        names = list(stored_models(config))
        if not names:
            cure = f"see {edge_agent('models', 'list')}, and write such a name as file:"
            return warn("no pipeline uses a model of the model store", cure)
        found = [_newest(config, web_of(config, timeout), name) for name in names]
    except EdgeAgentError as error:
        return failed(error, STUCK)
    return ok(f"{', '.join(found)}; signed by a key of yours")


def _newest(config: Config, web: Web, name: str) -> str:
    """The release that is there, with what it is to this device; raises EdgeAgentError."""
    version, _ = latest(web, name, "")
    assert version is not None
    release = release_at(Folder(web, name, version), config.updates.trusted)
    check_place(release, name, version)
    floor = ModelStore(store_folder(config.agent.state_dir)).floor(name)
    floor.raised(release)
    return f"{name} {version}" + (" is new" if release.serial > floor.serial else " is here")
