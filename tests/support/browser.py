"""Chromium without a window, driven over its own pipe: no driver, no port, no package."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip


def chromium() -> str | None:
    """Where Chromium is, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page in one browser with a new profile in `folder`; `complaints` are its errors."""

    def __init__(self, folder: Path) -> None:
        command = [chromium() or "chromium", *_FLAGS, f"--user-data-dir={folder / 'profile'}"]
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The browser wants its pipe at descriptors 3 and 4.
        joined = f'exec 8<&{to_browser} 9>&{from_browser}; exec "$@" 3<&8 4>&9 8<&- 9>&-'
        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", joined, "bash", *command, "about:blank"],
                pass_fds=(to_browser, from_browser),
                stdout=log,
                stderr=log,
            )
        os.close(to_browser)
        os.close(from_browser)
        self._ids = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Result of a command of the DevTools protocol; raises RuntimeError when refused."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def open(self, address: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """Value of an expression in the page; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, script: str, limit: float = 10.0) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + limit
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < end, f"never true: {script}; {self.complaints}"
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a keyboard would."""
        for key in keys:
            code = {"Tab": 9, "Enter": 13, " ": 32, "Backspace": 8, "ArrowLeft": 37,
                    "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[key]  # fmt: skip
            text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
            base = {"key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", **base, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **base)

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Give the page so many pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip

    def colours(self, scheme: str) -> None:
        """Prefer `light` or `dark`."""
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[wish])

    def photograph(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _note(self, message: dict[str, Any]) -> None:
        told: dict[str, Callable[[dict[str, Any]], str]] = {
            "Runtime.exceptionThrown": lambda p: json.dumps(p["exceptionDetails"]),
            "Log.entryAdded": lambda p: f"{p['entry']['text']} {p['entry'].get('url', '')}",
        }
        if tell := told.get(message.get("method", "")):
            self.complaints.append(tell(message["params"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        os.close(self._write)
        os.close(self._read)
