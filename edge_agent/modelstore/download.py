"""Fetches a file over HTTP(S): goes on where it was cut, and keeps nothing but the right bytes."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from edge_agent.errors import DownloadError, StoreError
from edge_agent.modelstore.files import sha256_of, store_error
from edge_agent.options import without_credentials

_BLOCK = 64 << 10
_AGAIN = "run the same command again: it goes on where it was cut"
_RANGE = re.compile(r"bytes (\d+)-")
_NOT_FOUND = (404, 410)
_RANGE_REFUSED = 416
_CUT = (URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)

Step = Callable[[int], None]
Ask = Callable[[str, Mapping[str, str], float], Any]
"""Opens an address with these headers and this timeout, as `urllib.request` does."""


def plainly(url: str, headers: Mapping[str, str], timeout: float) -> Any:
    """Open an address of anyone."""
    return build_opener().open(Request(url, headers=dict(headers)), timeout=timeout)  # noqa: S310 - checked


def download(
    url: str,
    part: Path,
    sha256: str,
    size: int,
    timeout: float,
    step: Step,
    ask: Ask = plainly,
) -> None:
    """Make `part` the file of this size and SHA-256; `step` is told of every byte that is there.

    `part` may hold a beginning from an earlier try, which is not asked for again. A proxy is taken
    from the environment (`https_proxy`, `no_proxy`). `timeout` is seconds without a byte. Raises
    DownloadError, after which another try goes on with `part`; StoreError, after which nothing is
    left of it.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise StoreError(f"{url} is no address of HTTP", "write http://... or https://...")
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have < size:
        _fetch(url, part, have, size, timeout, step, ask)
    else:
        step(have)
    _check(url, part, sha256, size)


def _fetch(
    url: str, part: Path, have: int, size: int, timeout: float, step: Step, ask: Ask
) -> None:
    headers = {"User-Agent": "edge-agent", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with ask(url, headers, timeout) as response:
            begin = _begin_of(response, have)
            _check_length(url, response, part, begin, size)
            with part.open("r+b" if begin else "wb", buffering=0) as file:
                file.truncate(begin)
                file.seek(begin)
                step(begin)
                _copy(response, file, size - begin, part, step)
    except HTTPError as error:
        _refused(url, error, part)
    except _CUT as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{without_credentials(url)} cannot be fetched: {words_of(reason)}", _cure(reason)
        ) from error


def _begin_of(response: Any, have: int) -> int:
    """Where the answer begins: a server may ignore that only the rest was asked for."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        raise http.client.HTTPException("the server sent another part than was asked for")
    return have


def _check_length(url: str, response: Any, part: Path, begin: int, size: int) -> None:
    """A shorter file was not cut on the way, so going on with it leads nowhere."""
    told = response.headers.get("Content-Length", "")
    if told.isdecimal() and begin + int(told) < size:
        part.unlink(missing_ok=True)
        raise DownloadError(
            f"{without_credentials(url)} is not the file that was meant: it has "
            f"{begin + int(told)} bytes, not {size}",
            "the mirror has another file, or it is still being copied there",
        )


def _copy(response: Any, file: FileIO, left: int, part: Path, step: Step) -> None:
    """At most one byte more than there should be, which tells that it is another file."""
    left += 1
    while left > 0 and (block := response.read(min(_BLOCK, left))):
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            part.unlink(missing_ok=True)
            raise store_error(error, part.parent, "the model cannot be kept") from error
        left -= len(block)
        step(len(block))


def _refused(url: str, error: HTTPError, part: Path) -> None:
    if error.code == _RANGE_REFUSED:
        part.unlink(missing_ok=True)
        raise DownloadError(f"{url}: the file there is shorter than what is here", _AGAIN)
    cure = "try again later"
    if error.code in _NOT_FOUND:
        cure = "it is gone from there: use --mirror, or models add FILE"
    elif error.code == http.client.PROXY_AUTHENTICATION_REQUIRED:
        cure = "write user and password into https_proxy"
    raise DownloadError(f"{url} answers {error.code} {error.reason}", cure)


def words_of(reason: object) -> str:
    """Why a server could not be asked."""
    if isinstance(reason, socket.gaierror):
        return "its host is not known here"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _cure(reason: object) -> str:
    if isinstance(reason, socket.gaierror | ConnectionRefusedError):
        return "is this device online? behind a proxy set https_proxy; or use --mirror"
    return _AGAIN


def _check(url: str, part: Path, sha256: str, size: int) -> None:
    have = part.stat().st_size
    if have < size:
        raise DownloadError(f"{url} was cut after {have} of {size} bytes", _AGAIN)
    found = sha256_of(part) if have == size else f"(it is larger than {size} bytes)"
    if found != sha256:
        part.unlink()
        raise StoreError(
            f"{url} is not the file that was meant and was removed: its SHA-256 is {found}, "
            f"not {sha256}",
            "something on the way changes it, or the mirror has another file",
        )
