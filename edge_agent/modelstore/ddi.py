"""Eclipse hawkBit's Direct Device Integration API, as far as a device of ours speaks it.

Addresses in an answer are taken as paths at the server that was asked, never as another server.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_agent.errors import DownloadError, StoreError
from edge_agent.modelstore.download import Step, download
from edge_agent.modelstore.manifest import MISSHAPEN
from edge_agent.modelstore.options import HawkbitOptions
from edge_agent.modelstore.web import Web

Execution = Literal["closed", "proceeding", "rejected"]
Finished = Literal["success", "failure", "none"]

USUAL_SLEEP = 300.0  # s, where the server names no time
_SLEEP = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])")
_ACTION = re.compile(r"[0-9]{1,19}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 480  # characters of a message, of which the server keeps 512
_LONGEST_VALUE = 128  # characters of an attribute


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the server has for this device: addresses of actions, None where there is none.

    `sleep` is how long to wait before it is asked again, in seconds.
    """

    sleep: float
    deployment: str | None
    cancel: str | None
    wants_attributes: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a deployment; `sha256` is empty where the server does not tell it."""

    url: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A software module: its files by name."""

    name: str
    version: str
    artifacts: Mapping[str, Artifact]


@dataclass(frozen=True, slots=True)
class Deployment:
    """An action to execute; `update` and `window` are the server's words for when."""

    action: str
    update: str
    window: str | None
    chunks: tuple[Chunk, ...]


class Ddi:
    """One device of a hawkBit server; raises DownloadError and StoreError."""

    def __init__(
        self, options: HawkbitOptions, controller: str, ca_file: Path | None, timeout: float
    ) -> None:
        self._web = Web(options.url.reveal(), ca_file, _authorization(options), timeout)
        self._place = (options.tenant, "controller", "v1", controller)

    def waiting(self) -> Waiting:
        """What there is to do."""
        values = self._read(self._web.url(*self._place))
        with _understood("the device"):
            links = values.get("_links") or {}
            sleep = ((values.get("config") or {}).get("polling") or {}).get("sleep")
            return Waiting(
                _seconds(sleep),
                _link(links, "deploymentBase"),
                _link(links, "cancelAction"),
                "configData" in links,
            )

    def deployment(self, href: str) -> Deployment:
        """What an action asks for."""
        values = self._read(self._web.own(href))
        with _understood("a deployment"):
            told = values["deployment"]
            return Deployment(
                _action(values["id"]),
                str(told.get("update", "forced")),
                told.get("maintenanceWindow"),
                tuple(map(self._chunk, told["chunks"])),
            )

    def cancelled(self, href: str) -> tuple[str, str]:
        """The id of a cancellation, and the action that is to be stopped."""
        values = self._read(self._web.own(href))
        with _understood("a cancellation"):
            return _action(values["id"]), _action(values["cancelAction"]["stopId"])

    def answer(
        self,
        kind: Literal["deploymentBase", "cancelAction"],
        action: str,
        execution: Execution,
        finished: Finished,
        details: Sequence[str],
    ) -> None:
        """Tell what became of an action."""
        now = time.time()
        values = {
            "id": action,  # older servers want these two
            "time": time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)),
            "timestamp": round(1e3 * now),
            "status": {
                "execution": execution,
                "result": {"finished": finished},
                "details": [text[:_LONGEST] for text in details],
            },
        }
        self._web.send("POST", self._web.url(*self._place, kind, action, "feedback"), values)

    def tell(self, attributes: Mapping[str, str]) -> None:
        """Tell the server what this device is."""
        data = {key: value[:_LONGEST_VALUE] for key, value in attributes.items()}
        values = {"mode": "merge", "data": data}
        self._web.send("PUT", self._web.url(*self._place, "configData"), values)

    def place(self, chunk: Chunk) -> Module:
        """Where the files of a software module are."""
        return Module(self._web, chunk)

    def _read(self, url: str) -> Any:
        content = self._web.get(url).content or b""
        with _understood("an answer"):
            values = json.loads(content)
            if not isinstance(values, dict):
                raise TypeError
            return values

    def _chunk(self, values: Any) -> Chunk:
        artifacts = {
            str(each["filename"]): Artifact(
                _download(each["_links"]), int(each["size"]), _sha256(each.get("hashes") or {})
            )
            for each in values.get("artifacts") or ()
        }
        return Chunk(str(values["name"]), str(values["version"]), artifacts)


class Module:
    """A software module whose artifacts are the files of a release."""

    def __init__(self, web: Web, chunk: Chunk) -> None:
        self._web = web
        self._chunk = chunk

    def small(self, name: str, most: int) -> bytes:
        """All of a file."""
        return self._web.get(self._web.own(self._artifact(name).url), most).content or b""

    def large(self, name: str, part: Path, sha256: str, size: int, step: Step) -> None:
        """Make `part` this file; refused at once where the server has another one."""
        artifact = self._artifact(name)
        if artifact.size != size or artifact.sha256 not in ("", sha256):
            raise StoreError(
                f"{name} of {self._chunk.name} at the server is not the file that was signed",
                "upload the files of one release into one software module",
            )
        url = self._web.own(artifact.url)
        download(url, part, sha256, size, self._web.timeout, step, self._web.ask)

    def _artifact(self, name: str) -> Artifact:
        if name not in self._chunk.artifacts:
            raise StoreError(
                f"the software module {self._chunk.name} {self._chunk.version} has no {name}",
                "upload all files of a release, as edge-agent models release writes them",
            )
        return self._chunk.artifacts[name]


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Turns what is not of the API's form into one line."""
    try:
        yield
    except MISSHAPEN as error:
        raise DownloadError(
            f"the server tells {what} not as the API of hawkBit does",
            "is updates.hawkbit.url the address of a hawkBit server?",
        ) from error


def _authorization(options: HawkbitOptions) -> dict[str, str]:
    for scheme, token in (
        ("TargetToken", options.token),
        ("GatewayToken", options.gateway_token),
    ):
        if token:
            return {"Authorization": f"{scheme} {token.reveal()}"}
    return {}


def _seconds(text: Any) -> float:
    found = _SLEEP.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return USUAL_SLEEP
    hours, minutes, seconds = map(int, found.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


def _link(links: Mapping[str, Any], name: str) -> str | None:
    return str(links[name]["href"]) if name in links else None


def _download(links: Mapping[str, Any]) -> str:
    found = _link(links, "download") or _link(links, "download-http")
    if found is None:
        raise KeyError("download")
    return found


def _action(value: Any) -> str:
    """An id as part of an address."""
    if not _ACTION.fullmatch(str(value)):
        raise ValueError
    return str(value)


def _sha256(hashes: Mapping[str, Any]) -> str:
    found = hashes.get("sha256") or ""
    if found and not _SHA256.fullmatch(found):
        raise ValueError
    return str(found)
