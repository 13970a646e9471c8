"""Lines from the network: a TCP connection, a TCP port that others connect to, a UDP port."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.endpoint import Endpoint
from edge_agent.sources.ports import PIECE

_MAX_CONNECTIONS = 32  # to a port of ours; the oldest goes when one more comes
_DATAGRAMS = 256  # taken at once
_IDLE, _BETWEEN, _PROBES = 10, 5, 3  # seconds, seconds, times: a dead peer is found in 25 s


class TcpPort:
    """A connection that we make."""

    every: float | None = None
    joins_midway = False

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self.shown = f"tcp {endpoint}"
        self._endpoint = endpoint
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connect; raises SourceUnavailable."""
        self.close()
        address = (self._endpoint.host, self._endpoint.port)
        try:
            self._socket = socket.create_connection(address, self._timeout)
        except OSError as error:
            raise _explain(self.shown, error, self._timeout) from error
        self._socket.setblocking(False)
        _keep_alive(self._socket)

    def fds(self) -> Sequence[int]:
        """The connection."""
        return () if self._socket is None else (self._socket.fileno(),)

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What was sent; raises SourceUnavailable where the other side has closed."""
        if self._socket is None:
            return
        for fd in ready:
            with contextlib.suppress(BlockingIOError):
                piece = self._socket.recv(PIECE)
                if not piece:
                    text = f"{self.shown} closed the connection"
                    raise SourceUnavailable(text, "it is opened again by itself")
                yield fd, piece

    def close(self) -> None:
        """Close the connection."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()


class ListeningPort:
    """A TCP port that others connect to; several may at once."""

    every: float | None = None
    joins_midway = False

    def __init__(self, endpoint: Endpoint) -> None:
        self.shown = f"tcp port {endpoint}"
        self._endpoint = endpoint
        self._listener: socket.socket | None = None
        self._connections: dict[int, socket.socket] = {}

    def open(self) -> None:
        """Listen; raises SourceError."""
        self.close()
        try:
            self._listener = _bound(self._endpoint, socket.SOCK_STREAM)
            self._listener.listen()
        except OSError as error:
            raise _not_bound(self.shown, error) from error

    def fds(self) -> Sequence[int]:
        """The port and its connections."""
        listener = [] if self._listener is None else [self._listener.fileno()]
        return [*listener, *self._connections]

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What was sent; an empty piece where one has closed or lost its connection."""
        for fd in ready:
            if fd not in self._connections:
                yield from self._accept()
                continue
            try:
                piece = self._connections[fd].recv(PIECE)
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            yield fd, piece
            if not piece:
                self._connections.pop(fd).close()

    def _accept(self) -> Iterator[tuple[int, bytes]]:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            _keep_alive(connection)
            if len(self._connections) >= _MAX_CONNECTIONS:
                oldest = next(iter(self._connections))
                yield oldest, b""
                self._connections.pop(oldest).close()
            self._connections[connection.fileno()] = connection

    def close(self) -> None:
        """Close the port and all connections."""
        sockets = [*self._connections.values(), *([self._listener] if self._listener else [])]
        self._connections, self._listener = {}, None
        for each in sockets:
            each.close()


class UdpPort:
    """A UDP port; each datagram ends a line."""

    every: float | None = None
    joins_midway = False

    def __init__(self, endpoint: Endpoint) -> None:
        self.shown = f"udp port {endpoint}"
        self._endpoint = endpoint
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take the port; raises SourceError."""
        self.close()
        try:
            self._socket = _bound(self._endpoint, socket.SOCK_DGRAM)
        except OSError as error:
            raise _not_bound(self.shown, error) from error

    def fds(self) -> Sequence[int]:
        """The port."""
        return () if self._socket is None else (self._socket.fileno(),)

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Datagrams that have come."""
        if self._socket is None:
            return
        for fd in ready:
            with contextlib.suppress(BlockingIOError):
                for _ in range(_DATAGRAMS):
                    yield fd, self._socket.recv(PIECE) + b"\n"

    def close(self) -> None:
        """Give the port back."""
        port, self._socket = self._socket, None
        if port is not None:
            port.close()


def _bound(endpoint: Endpoint, kind: socket.SocketKind) -> socket.socket:
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=kind, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    bound = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _keep_alive(connection: socket.socket) -> None:
    """Find out that the other side is gone although it never said so."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _BETWEEN)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def _explain(shown: str, error: OSError, timeout: float) -> SourceUnavailable:
    if isinstance(error, socket.gaierror):
        return SourceUnavailable(f"{shown}: the host is not known", "check the name and the DNS")
    if isinstance(error, ConnectionRefusedError):
        return SourceUnavailable(
            f"{shown}: nothing listens there", "check that the sender runs, and the port"
        )
    if isinstance(error, TimeoutError):
        text = f"{shown} does not answer within {timeout:g} s"
        return SourceUnavailable(text, "check power and network of the sender")
    return SourceUnavailable(f"{shown}: {error.strerror or error}", "check the network")


def _not_bound(shown: str, error: OSError) -> SourceError:
    if error.errno == errno.EADDRINUSE:
        return SourceUnavailable(f"{shown} is in use", "another program listens there: ss -lnp")
    if error.errno == errno.EACCES:
        return SourceUnusable(f"no permission to take {shown}", "use a port from 1024 on")
    text = f"{shown} cannot be taken: {error.strerror or error}"
    return SourceUnavailable(text, "write an address of this machine, or 0.0.0.0 for all")
