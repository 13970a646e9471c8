"""The options by which a source of lines says where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Gt

from edge_agent import options as words
from edge_agent.options import Doc, Duration
from edge_agent.sources.address import Contact
from edge_agent.sources.endpoint import Endpoint, parse_endpoint
from edge_agent.sources.ports import FifoPort, Port, StdinPort
from edge_agent.sources.sockets import ListeningPort, TcpPort, UdpPort


@dataclass(frozen=True, slots=True)
class ConnectionOptions(words.Options):
    """Where lines come from; exactly one of them is given."""

    tcp: Annotated[str | None, Doc("HOST:PORT to connect to.")] = None
    listen: Annotated[
        str | None, Doc("ADDRESS:PORT of this machine that senders connect to, by TCP.")
    ] = None
    udp: Annotated[
        str | None, Doc("ADDRESS:PORT of this machine that senders send datagrams to.")
    ] = None
    fifo: Annotated[Path | None, Doc("A named pipe (mkfifo) that another program writes to.")] = (
        None
    )
    stdin: Annotated[bool, Doc("Whether they come from the standard input.")] = False
    timeout: Annotated[Duration, Gt(0), Doc("Limit for connecting.")] = 5.0
    silence: Annotated[
        Duration | None,
        Gt(0),
        Doc("A source from which nothing usable came for so long is opened again. Default: never."),
    ] = None

    @property
    def contact(self) -> Contact | None:
        """Whom the source connects to, None where it connects to nobody."""
        if self.tcp is None:
            return None
        endpoint = parse_endpoint(self.tcp, "tcp", _CONNECT)
        return Contact(endpoint.host, endpoint.port, encrypted=False, login=False)

    @property
    def listens(self) -> Endpoint | None:
        """Where the source can be reached by others, None where it cannot."""
        for key, text in (("listen", self.listen), ("udp", self.udp)):
            if text is not None:
                return parse_endpoint(text, key, _LISTEN)
        return None

    def ports(self) -> Iterator[Port]:
        """A port for each way that is given; raises ValueError."""
        if self.tcp is not None:
            yield TcpPort(parse_endpoint(self.tcp, "tcp", _CONNECT), self.timeout)
        if self.listen is not None:
            yield ListeningPort(parse_endpoint(self.listen, "listen", _LISTEN))
        if self.udp is not None:
            yield UdpPort(parse_endpoint(self.udp, "udp", _LISTEN))
        if self.fifo is not None:
            yield FifoPort(self.fifo)
        if self.stdin:
            yield StdinPort()


_CONNECT = "192.168.1.20:4001"
_LISTEN = "0.0.0.0:4001"


def only(ports: Iterator[Port], keys: str) -> Port:
    """The one port that is given; raises ValueError where there is none, or several."""
    found = list(ports)
    if len(found) != 1:
        raise ValueError(f"give {'only ' if found else ''}one of {keys}")
    return found[0]
