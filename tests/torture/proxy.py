"""A line between agent and broker that can be cut, reset, slowed down and closed."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from edge_agent.mqtt.broker import HOST
from tests.torture.packets import Ledger, Witness

_PIECE = 4096
_SLOW_PIECE = 256
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST and forgets what waits

T = TypeVar("T")


class FaultProxy:
    """Forwards a free loopback port to a broker's, in a thread of its own.

    `cut` is silence: no byte comes through in either direction, no end of a connection either,
    and new connections get no answer. What was under way comes through after `heal`, as it does
    where TCP sends again. Every acknowledgement that leaves the broker is written to `ledger`.
    """

    def __init__(self, target: int, ledger: Ledger) -> None:
        self.port = 0
        self._target = target
        self._ledger = ledger
        self._rate: float | None = None
        self._closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> FaultProxy:
        """Begin to listen."""
        self._thread.start()
        self._do(self._listen)
        return self

    def cut(self) -> None:
        """Let nothing through."""
        self._call(self._open.clear)

    def heal(self) -> None:
        """Let everything through at full speed again, new connections too."""
        self._rate = None
        self._closed = False
        self._call(self._open.set)

    def slow(self, rate: float) -> None:
        """Let through only so many bytes/s in each direction of each connection."""
        self._rate = rate

    def close(self) -> None:
        """Hang up at once on whoever comes; those who are there stay."""
        self._closed = True

    def reset(self) -> None:
        """End every connection by RST; what was under way is gone."""
        self._call(self._reset)

    def stop(self) -> None:
        """End everything."""
        self.reset()
        self._call(self._cancel)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10.0)

    def _call(self, work: Callable[[], object]) -> None:
        async def run() -> None:
            work()

        self._do(run)

    async def _listen(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.close()
            return
        await self._open.wait()
        try:
            there, to_there = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()
            return
        witness = Witness(self._ledger)
        ends = {writer, to_there}
        self._writers |= ends
        pumps = (
            asyncio.ensure_future(self._pump(reader, to_there, witness.from_agent)),
            asyncio.ensure_future(self._pump(there, writer, witness.from_broker)),
        )
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        await self._open.wait()
        for end in ends:
            end.close()
        self._writers -= ends
        await asyncio.wait(pumps, timeout=1.0)
        self._tasks.difference_update(pumps)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        note: Callable[[bytes], None],
    ) -> None:
        with suppress(OSError):
            while data := await source.read(_SLOW_PIECE if self._rate else _PIECE):
                note(data)
                if self._rate:
                    await asyncio.sleep(len(data) / self._rate)
                await self._open.wait()
                sink.write(data)
                await sink.drain()

    def _reset(self) -> None:
        for writer in self._writers:
            sock: socket.socket | None = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
