"""A short stay at the broker that waits for each answer: for `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

from edge_agent.errors import EdgeAgentError
from edge_agent.message import Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.connection import Answer, Connection, Grant
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.waker import Waker

_TICK = 0.2  # seconds


class VisitFailed(EdgeAgentError):
    """There is no connection to the broker, or it has ended."""


class Visit:
    """One connection without a last will; `with` opens it and says goodbye.

    Each answer may take `timeout` s. Methods raise VisitFailed with the reason and its cure, and
    ValueError for TLS files that cannot be used.
    """

    def __init__(self, options: MqttOptions, client_id: str, timeout: float) -> None:
        self._options = options
        self._timeout = timeout
        self._waker = Waker()
        self._connection = Connection(options, client_id, None, self._waker)
        self._received: list[Received] = []
        self._answers: dict[int, Answer] = {}

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.disconnect()
        self._connection.close()

    def open(self) -> Grant:
        """Connect and log in; what the broker allows."""
        try:
            self._connection.open(self._timeout)
        except OSError as error:
            raise VisitFailed(reasons.unreachable(error, self._options, self._timeout)) from error
        if not self._turn_until(lambda: self._connection.grant is not None):
            raise VisitFailed(reasons.silent(self._options, self._timeout))
        assert self._connection.grant is not None
        return self._connection.grant

    def publish(self, message: Message) -> int:
        """Publish with QoS 1; the reason code of the broker's answer (0 with MQTT 3.1.1)."""
        return self._answer(self._connection.publish(message))

    def subscribe(self, filter_: str) -> int:
        """Subscribe, also to what we publish; the reason code or granted QoS."""
        return self._answer(self._connection.subscribe([filter_], own=True))

    def receive(self, wanted: Callable[[Received], bool], timeout: float) -> Received | None:
        """The first message that is wanted, of all that came and come; None where none does."""
        found: list[Received] = []

        def seen() -> bool:
            found[:] = [each for each in self._received if wanted(each)]
            return bool(found)

        self._turn_until(seen, timeout)
        return found[0] if found else None

    def _answer(self, mid: int) -> int:
        if not self._turn_until(lambda: mid in self._answers):
            raise VisitFailed(f"the broker does not answer within {self._timeout:g} s")
        return self._answers.pop(mid).codes[0]

    def _turn_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Work on the connection until it is done, at most `timeout` s; raises VisitFailed."""
        until = monotonic() + (self._timeout if timeout is None else timeout)
        while not done():
            if self._connection.ended is not None:
                raise VisitFailed(self._connection.ended)
            left = until - monotonic()
            if left <= 0:
                return False
            self._connection.step(min(left, _TICK))
            answers = (*self._connection.take_published(), *self._connection.take_subscribed())
            self._answers |= {answer.mid: answer for answer in answers}
            self._received += self._connection.take_received()
        return True
