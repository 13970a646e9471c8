"""Finds out why an RTSP stream does not open: FFmpeg tells its log alone."""

from __future__ import annotations

import socket
import time

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.address import Address
from edge_agent.sources.auth import Login

_MAX_ANSWER = 64 * 1024


def why_closed(address: Address, timeout: float) -> SourceError:
    """Ask the server to describe the stream and put its answer into words.

    Takes at most `timeout` seconds beside the look-up of the name. The text holds no secret.
    """
    where = f"{address.host}:{address.port}"
    try:
        return _verdict(address, _describe(address, timeout))
    except socket.gaierror:
        return SourceUnavailable(
            f"{address.shown}: the host {address.host!r} is not known", "check the name and the DNS"
        )
    except ConnectionRefusedError:
        return SourceUnavailable(
            f"{address.shown}: nothing listens at {where}",
            "check that the camera runs, and the port",
        )
    except TimeoutError:
        return SourceUnavailable(
            f"{address.shown}: no answer from {where} within {timeout:g} s",
            "check power, network and address of the camera",
        )
    except OSError as error:
        text = f"{address.shown}: the connection failed: {error.strerror or error}"
        return SourceUnavailable(text, "check power, network and address of the camera")


def _verdict(address: Address, status: int) -> SourceError:
    shown = address.shown
    if status == 401 and not address.user:
        return SourceUnusable(f"{shown} wants a password (401)", "write rtsp://USER:PASSWORD@HOST")
    if status in (401, 403):
        return SourceUnusable(
            f"{shown} refuses the user name or password ({status})", "check both in its settings"
        )
    if status == 404:
        return SourceUnusable(
            f"{shown}: the camera has no stream of that path (404)", "look it up in its manual"
        )
    if status == 0:
        return SourceUnusable(f"{shown}: the server does not speak RTSP", "check the port")
    if status == 200:
        return SourceUnavailable(
            f"{shown} answers but gives no video", "try the other transport, or H.264 as its codec"
        )
    return SourceUnavailable(f"{shown}: the camera answers {status}", "restart the camera")


def _describe(address: Address, timeout: float) -> int:
    """Status of a DESCRIBE, logged in where the server wants it; 0 when it is no RTSP."""
    if address.scheme != "rtsp":
        raise OSError("it is encrypted, so the reason stays unknown")
    deadline = time.monotonic() + timeout
    host = f"[{address.host}]" if ":" in address.host else address.host
    url = f"rtsp://{host}:{address.port}{address.target}"
    login = Login(address.user, address.password)
    with socket.create_connection((address.host, address.port), timeout) as connection:
        status, headers = _ask(connection, url, login, 1, deadline)
        if status == 401 and login.challenged(headers):
            status, _ = _ask(connection, url, login, 2, deadline)
    return status


def _ask(
    connection: socket.socket, url: str, login: Login, number: int, deadline: float
) -> tuple[int, list[str]]:
    headers = {"CSeq": str(number), "Accept": "application/sdp", **login.headers("DESCRIBE", url)}
    lines = [f"DESCRIBE {url} RTSP/1.0", *(f"{key}: {value}" for key, value in headers.items())]
    connection.settimeout(_left(deadline))
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _MAX_ANSWER:
        connection.settimeout(_left(deadline))
        data = connection.recv(4096)
        if not data:
            break
        answer += data
    return _parse(answer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left


def _parse(answer: bytes) -> tuple[int, list[str]]:
    """Status (0 for no RTSP) and the WWW-Authenticate headers."""
    if not answer:
        raise ConnectionResetError("the server closed it without an answer")
    first, *lines = answer.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith("RTSP/") or not words[1].isdecimal():
        return 0, []
    pairs = (line.partition(":") for line in lines)
    return int(words[1]), [v.strip() for k, _, v in pairs if k.lower() == "www-authenticate"]
