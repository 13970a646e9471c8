"""What the page consists of, and who may see it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from edge_agent.page.options import PageOptions, check_options

_LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1"}
_ASSETS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}

State = Callable[[], Mapping[str, Any]]
Picture = Callable[[str], bytes | None]


class Site:
    """A fixed table of routes, none of which writes; `picture` gives a JPEG of a pipeline or None.

    Raises ValueError for options that would let strangers in.
    """

    def __init__(self, options: PageOptions, state: State, picture: Picture) -> None:
        check_options(options)
        self._options = options
        self._state = state
        self.picture = picture
        self._hosts = _LOCAL | {options.address}
        self._assets = {
            route: (files("edge_agent.page").joinpath("assets", name).read_bytes(), kind)
            for route, (name, kind) in _ASSETS.items()
        }

    def knows_host(self, host: str) -> bool:
        """Whether a Host header is one of ours: where only this machine comes, its own names."""
        name = host.lower()
        return (
            not self._options.is_local
            or name.rsplit(":", 1)[0] in self._hosts
            or name in self._hosts
        )

    def pass_for(self, token: str) -> str | None:
        """What a browser shows from then on, in place of the token; None for a wrong one.

        Cookies go to every port of a host, so that other servers there would learn the token.
        """
        made = _pass(token)
        return made if self.lets_in(made) else None

    def lets_in(self, shown: str) -> bool:
        """Whether a pass opens the page; without a token of ours everybody is let in."""
        wanted = self._options.token
        if wanted is None:
            return True
        return hmac.compare_digest(
            shown.encode("utf-8", "replace"), _pass(wanted.reveal()).encode()
        )

    @property
    def has_pictures(self) -> bool:
        """Whether what the cameras see is shown."""
        return self._options.preview

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[bytes, str] | None:
        """Content and type of a route; None where there is nothing."""
        if path in self._assets:
            return self._assets[path]
        if path == "/state":
            return json.dumps(self._state(), allow_nan=False).encode(), "application/json"
        if path == "/picture" and self.has_pictures:
            jpeg = self.picture(pipeline_of(query))
            return None if jpeg is None else (jpeg, "image/jpeg")
        return None


def _pass(token: str) -> str:
    return hmac.digest(token.encode("utf-8", "replace"), b"edge-agent page", "sha256").hex()


def pipeline_of(query: Mapping[str, list[str]]) -> str:
    """Name of the pipeline that a request asks for; empty where it names none."""
    return query.get("pipeline", [""])[0]
