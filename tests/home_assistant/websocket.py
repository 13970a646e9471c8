"""As much of a WebSocket client as Home Assistant's registries need: JSON questions and answers."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from types import TracebackType
from typing import Any, Self

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LIMIT = 10.0  # s that an answer may take


class HomeAssistantSocket:
    """A logged-in connection to `/api/websocket` on loopback."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _LIMIT)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._open(port)
        assert self._receive()["type"] == "auth_required"
        self._send({"type": "auth", "access_token": token})
        answer = self._receive()
        assert answer["type"] == "auth_ok", answer

    def ask(self, command: str, **arguments: Any) -> Any:
        """The result of one command; fails the test when Home Assistant refuses it."""
        self._number += 1
        self._send({"id": self._number, "type": command, **arguments})
        answer = self._receive()
        assert answer["id"] == self._number, answer
        assert answer["success"], answer
        return answer["result"]

    def _open(self, port: int) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /api/websocket HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        status = self._stream.readline()
        assert b" 101 " in status, status
        while self._stream.readline().strip():
            pass

    def _send(self, message: dict[str, Any]) -> None:
        self._send_frame(_TEXT, json.dumps(message).encode())

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        if len(payload) < 126:
            length = struct.pack("!B", 0x80 | len(payload))
        else:
            length = struct.pack("!BH", 0x80 | 126, len(payload))
        self._socket.sendall(struct.pack("!B", 0x80 | opcode) + length + mask + masked)

    def _receive(self) -> dict[str, Any]:
        text = b""
        while True:
            opcode, is_last, payload = self._receive_frame()
            assert opcode != _CLOSE, payload
            if opcode == _PING:
                self._send_frame(_PONG, payload)
                continue
            text += payload
            if is_last:
                message: dict[str, Any] = json.loads(text)
                return message

    def _receive_frame(self) -> tuple[int, bool, bytes]:
        head, length = self._read("!BB")
        if length == 126:
            (length,) = self._read("!H")
        elif length == 127:
            (length,) = self._read("!Q")
        return head & 0x0F, bool(head & 0x80), self._stream.read(length)

    def _read(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._stream.read(struct.calcsize(form)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._socket.close()
