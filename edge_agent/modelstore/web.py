"""Asks one server over HTTP(S), and never another one in its place."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from edge_agent.errors import DownloadError, StoreError
from edge_agent.modelstore.address import Origin, origin_of
from edge_agent.modelstore.download import words_of

_AGENT = {"User-Agent": "edge-agent"}
_MOST_ANSWER = 1 << 20
_KEPT = "/%?:@!$&'()*+,;="  # what may stand in a path or a query as it is
_NO_ANSWER = (URLError, http.client.HTTPException, TimeoutError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """The content of a page and its mark; the content is None where it is as it was before."""

    content: bytes | None
    etag: str


class Refused(DownloadError):
    """The server answers, but not with what was asked for."""

    def __init__(self, url: str, status: int, cure: str) -> None:
        super().__init__(f"{url} answers {status}", cure)
        self.status = status


class Web:
    """What is below one address, which may hold a user name and a password.

    These, and `headers`, go to this server alone: an answer that leads elsewhere is refused.
    `ca_file` is trusted instead of the authorities of the system; `timeout` is seconds without a
    byte. Raises StoreError where the address or the file cannot be used.
    """

    def __init__(
        self, url: str, ca_file: Path | None, headers: Mapping[str, str], timeout: float
    ) -> None:
        try:
            self._origin = origin_of(url)
            context = ssl.create_default_context(cafile=ca_file)
        except (ValueError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StoreError(
                f"the update server cannot be asked: {reason}", "set updates"
            ) from error
        parts = urlsplit(url)
        self.timeout = timeout
        self._base = urlunsplit((parts.scheme, _host(parts.netloc), parts.path, "", ""))
        self._headers = {**_AGENT, **_login(parts.username, parts.password), **headers}
        self._opener = build_opener(HTTPSHandler(context=context), _NeverElsewhere(self._origin))

    def url(self, *parts: str) -> str:
        """An address below; free of user name and password."""
        return "/".join((self._base.rstrip("/"), *(quote(part, safe="") for part in parts)))

    def own(self, href: str) -> str:
        """The same address at this server; raises StoreError where it is another's.

        What stands before a server may have another name, or TLS, so only the host must agree.
        """
        try:
            host = origin_of(href)[1]
        except ValueError:
            host = ""
        if host != self._origin[1]:
            raise StoreError(
                f"the server leads to another host than {self._origin[1]}",
                "have it serve all by itself: nothing is fetched from elsewhere",
            )
        here, there = urlsplit(self._base), urlsplit(href)
        path, query = (quote(part, safe=_KEPT) for part in (there.path, there.query))
        return urlunsplit((here.scheme, here.netloc, path, query, ""))

    def get(self, url: str, most: int = _MOST_ANSWER, etag: str = "") -> Answer:
        """A page of at most so many bytes, unless it has this mark; raises DownloadError."""
        headers = {"If-None-Match": etag} if etag else {}
        try:
            with self.ask(url, headers, self.timeout) as response:
                content: bytes = response.read(most + 1)
                found = response.headers.get("ETag", "")
                whole = int(response.headers.get("Content-Length", len(content)))
        except HTTPError as error:
            if error.code == http.client.NOT_MODIFIED:
                return Answer(None, etag)
            raise _refused(url, error) from error
        except _NO_ANSWER as error:
            raise _no_answer(url, error) from error
        if len(content) > most:
            raise StoreError(f"{url} is larger than {most} bytes", "look at what is served there")
        if len(content) < whole:
            raise DownloadError(f"{url} was cut", "it is asked again later")
        return Answer(content, found if found.isprintable() else "")

    def send(self, method: str, url: str, values: Mapping[str, Any]) -> None:
        """Send JSON; raises DownloadError."""
        headers = {**self._headers, "Content-Type": "application/json"}
        body = json.dumps(values).encode()
        request = Request(url, body, headers, method=method)  # noqa: S310 - http(s) alone
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                response.read(_MOST_ANSWER)
        except HTTPError as error:
            raise _refused(url, error) from error
        except _NO_ANSWER as error:
            raise _no_answer(url, error) from error

    def ask(self, url: str, headers: Mapping[str, str], timeout: float) -> Any:
        """Open an address of this server, for `download`; raises as `urllib.request` does."""
        if origin_of(url) != self._origin:
            raise URLError("it is another server's address")
        request = Request(url, headers={**headers, **self._headers})  # noqa: S310 - checked
        return self._opener.open(request, timeout=timeout)


class _NeverElsewhere(HTTPRedirectHandler):
    """Follows to the same server only: others must not get its secrets, nor be asked for it."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The request for the new place; raises URLError where it is another's."""
        try:
            elsewhere = origin_of(newurl) != self._origin
        except ValueError:
            elsewhere = True
        if elsewhere:
            raise URLError("it leads to another server")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def _login(user: str | None, password: str | None) -> dict[str, str]:
    if user is None and password is None:
        return {}
    text = f"{unquote(user or '')}:{unquote(password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def _refused(url: str, error: HTTPError) -> Refused:
    cures = {401: "set its user and password, or its token", 403: "it does not know this device"}
    return Refused(url, error.code, cures.get(error.code, "it is asked again later"))


def _no_answer(url: str, error: Exception) -> DownloadError:
    reason = words_of(getattr(error, "reason", None) or error)
    return DownloadError(f"{url} cannot be asked: {reason}", "it is asked again later")
