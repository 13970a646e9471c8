"""An HTTP camera that shows parts on the belt or the bare belt, as the test says."""

from __future__ import annotations

import contextlib
import http.server
import threading
from functools import cache
from types import TracebackType
from typing import Any, Self

import cv2

from tests.support.agent import ASSETS
from tests.support.pictures import encode

_WITH_PARTS, _BARE = 60, 165  # frames of the bundled clip


class BeltCamera:
    """Serves one still picture on loopback; it begins with a bare belt.

    With parts it shows one gear, in the upper left quarter, besides others.
    """

    def __init__(self, port: int = 0) -> None:
        self.has_parts = False
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                """Answer with the picture."""
                picture = _frame(_WITH_PARTS if camera.has_parts else _BARE)
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(picture)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the agent is killed at times
                    self.wfile.write(picture)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Address of its picture."""
        return f"http://127.0.0.1:{self.port}/belt.jpg"

    def unplug(self) -> None:
        """Stop listening; safe twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.unplug()


@cache
def _frame(number: int) -> bytes:
    clip = cv2.VideoCapture(str(ASSETS / "belt.mp4"))
    for _ in range(number):
        assert clip.grab()
    done, image = clip.read()
    assert done
    return encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])  # type: ignore[arg-type]
