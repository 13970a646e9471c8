"""A server that speaks hawkBit's Direct Device Integration API, on loopback, to one device.

It is as strict as the real one: an answer of another form is 400, one to an action that is over is
410.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

BASE = "/DEFAULT/controller/v1/dev"
EXECUTIONS = {
    "closed", "proceeding", "canceled", "scheduled", "rejected", "resumed", "downloaded",
    "download",
}  # fmt: skip


@dataclass
class Action:
    """An assignment: its files by software module, and what the device said of it."""

    modules: dict[str, dict[str, bytes]]
    update: str = "forced"
    window: str | None = None
    active: bool = True
    canceling: bool = False
    answers: list[tuple[str, str, list[str]]] = field(default_factory=list)


class Hawkbit:
    """The server and the device that it knows.

    `failing` is the status of each answer of this kind (`base`, `deployment`, `cancel`, `feedback`,
    `artifact`), `garbage` a content in the place of it, `cut` how many bytes an artifact has at
    most before its connection ends, `host` what addresses of actions begin with.
    """

    def __init__(self) -> None:
        self.token = "secret"
        self.sleep: Any = "00:00:30"
        self.actions: dict[str, Action] = {}
        self.attributes: dict[str, str] | None = None
        self.wants_attributes = False
        self.failing: dict[str, int] = {}
        self.garbage: dict[str, bytes] = {}
        self.cut: int | None = None
        self.host: str | None = None
        self.asked: list[str] = []
        self.on_artifact: Callable[[], None] = lambda: None
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def assign(self, number: str, *folders: Path, **more: Any) -> Action:
        """A new action that asks for the releases in these folders."""
        modules = {
            folder.name: {file.name: file.read_bytes() for file in folder.iterdir()}
            for folder in folders
        }
        self.actions[number] = Action(modules, **more)
        return self.actions[number]

    @property
    def active(self) -> tuple[str, Action] | None:
        """The action that the device is told of."""
        return next(((n, a) for n, a in self.actions.items() if a.active), None)

    def base(self) -> dict[str, Any]:
        """What the device is told when it asks."""
        links = {}
        if self.active is not None:
            number, action = self.active
            kind = "cancelAction" if action.canceling else "deploymentBase"
            links[kind] = {"href": f"{self.host or self.url}{BASE}/{kind}/{number}?c=-21"}
        if self.wants_attributes:
            links["configData"] = {"href": f"{self.url}{BASE}/configData"}
        return {"config": {"polling": {"sleep": self.sleep}}, "_links": links}

    def deployment(self, number: str) -> dict[str, Any]:
        """An action with its files."""
        action = self.actions[number]
        chunks = [
            {
                "part": "bApp", "version": "1", "name": name,
                "artifacts": [self._artifact(number, name, file) for file in files],
            }
            for name, files in action.modules.items()
        ]  # fmt: skip
        told = {"download": "forced", "update": action.update, "chunks": chunks}
        if action.window is not None:
            told["maintenanceWindow"] = action.window
        return {"id": number, "deployment": told}

    def _artifact(self, number: str, module: str, file: str) -> dict[str, Any]:
        content = self.actions[number].modules[module][file]
        href = f"{self.url}{BASE}/softwaremodules/{number}-{module}/artifacts/{file}"
        return {
            "filename": file,
            "hashes": {"sha1": "0" * 40, "md5": "0" * 32, "sha256": _sha256(content)},
            "size": len(content),
            "_links": {"download": {"href": href}, "md5sum": {"href": f"{href}.MD5SUM"}},
        }

    def feedback(self, kind: str, number: str, values: dict[str, Any]) -> int:
        """Take what the device says; returns the status."""
        status = values["status"]
        execution, finished = status["execution"], status["result"]["finished"]
        details = status["details"]
        if execution not in EXECUTIONS or finished not in {"success", "failure", "none"}:
            return 400
        if not isinstance(values.get("timestamp"), int) or not all(
            isinstance(text, str) and len(text) <= 512 for text in details
        ):
            return 400
        action = self.actions.get(number)
        if action is None:
            return 404
        if not action.active:
            return 410
        action.answers.append((execution, finished, details))
        if kind == "cancelAction" and execution == "rejected":
            action.canceling = False
        elif execution == "closed":
            action.active = False
        return 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Hawkbit

    def do_GET(self) -> None:
        """Answer a question."""
        path = self.path.partition("?")[0]
        owner = self.owner
        owner.asked.append(path)
        if not self._known():
            return
        words = path.removeprefix(BASE).strip("/").split("/")
        if words == [""]:
            self._json("base", owner.base())
        elif words[0] == "deploymentBase" and words[1] in owner.actions:
            self._json("deployment", owner.deployment(words[1]))
        elif words[0] == "cancelAction" and words[1] in owner.actions:
            self._json("cancel", {"id": words[1], "cancelAction": {"stopId": words[1]}})
        elif words[0] == "softwaremodules":
            number, _, module = words[1].partition("-")
            owner.on_artifact()
            self._send("artifact", owner.actions[number].modules[module][words[3]])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Take feedback."""
        values = self._body()
        if not self._known():
            return
        kind, number, last = self.path.removeprefix(BASE).strip("/").split("/")
        assert last == "feedback"
        status = self.owner.failing.get("feedback") or self.owner.feedback(kind, number, values)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        """Take attributes."""
        values = self._body()
        if not self._known():
            return
        assert self.path == f"{BASE}/configData"
        assert values["mode"] in {"merge", "replace", "remove"}
        assert all(len(text) <= 128 for item in values["data"].items() for text in item)
        self.owner.attributes = values["data"]
        self.owner.wants_attributes = False
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _known(self) -> bool:
        if self.headers.get("Authorization") == f"TargetToken {self.owner.token}":
            return True
        self.send_error(401)
        return False

    def _body(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _json(self, kind: str, values: Any) -> None:
        self._send(kind, json.dumps(values).encode())

    def _send(self, kind: str, content: bytes) -> None:
        owner = self.owner
        if kind in owner.failing:
            self.send_error(owner.failing[kind])
            return
        content = owner.garbage.get(kind, content)
        wanted = self.headers.get("Range")
        begin = int(wanted[6:-1]) if wanted else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:][: owner.cut if kind == "artifact" else None])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
