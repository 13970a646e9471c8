"""The client: one thread that owns the connection and empties the outbox into it.

Nothing else touches the socket: other threads put messages into the outbox, which wakes this one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from time import monotonic

from edge_agent.backoff import Backoff
from edge_agent.clock import Clock, SystemClock
from edge_agent.message import Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.connection import LOST, Connection
from edge_agent.mqtt.dialect import Dialect, JsonDialect
from edge_agent.mqtt.feed import Feed
from edge_agent.mqtt.healing import Healer, NoHealer
from edge_agent.mqtt.listener import Listener
from edge_agent.mqtt.options import MqttOptions, check_options
from edge_agent.mqtt.session import Memory, Session
from edge_agent.mqtt.topics import Topics
from edge_agent.mqtt.waker import Waker

_log = logging.getLogger(__name__)

_STABLE = 10.0  # s that a connection must last before earlier failures are forgotten
_SUSPICIOUS = 5  # connections lost sooner than that, one after the other
_TICK = 1.0  # s between looks at the keep-alive time
_MARGIN = 0.1  # s before the end of stop() at which the thread lets go
_GOODBYE = 1.0  # s of stop() kept for the last states


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """Whether the broker is there, why not, since when (epoch s) and how often it was."""

    connected: bool
    reason: str
    since: float
    connects: int


class MqttClient:
    """Publishes what the feed holds, and keeps trying to reach the broker until stopped.

    `pipelines` are the names in the configuration: their stuck counts are set to 0, the retained
    states of others are removed, and so are the earlier pictures of those not in `pictures`.
    `dialect` is how the device speaks, JSON by default. `listeners` read what others publish.
    `on_state` is called in the client's thread at each change and must be quick. Raises ValueError
    for options that do not fit together.
    """

    def __init__(
        self,
        options: MqttOptions,
        topics: Topics,
        feed: Feed,
        *,
        pipelines: Collection[str] = (),
        pictures: Collection[str] = (),
        dialect: Dialect | None = None,
        listeners: Sequence[Listener] = (),
        on_state: Callable[[ConnectionState], None] | None = None,
        backoff: Backoff | None = None,
        connect_timeout: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        check_options(options)
        self._options = options
        self._topics = topics
        self._feed = feed
        self.serve(pipelines, pictures)
        self._dialect = dialect or JsonDialect(topics)
        self._listeners = tuple(listeners)
        self._on_state = on_state
        self._backoff = backoff or Backoff(base=1.0, cap=30.0)
        self._connect_timeout = connect_timeout
        self._clock = clock or SystemClock()
        self._client_id = options.client_id or f"edge-agent-{topics.device}"
        self._memory = Memory()
        self._waker = Waker()
        self._stopping = Event()
        self._deadline = float("inf")
        self._final: list[Message] = []
        self._clean = False
        self._thread: Thread | None = None
        self._said = ""
        self._short = 0
        self._state = ConnectionState(False, "not started", self._clock.wall(), 0)

    @property
    def state(self) -> ConnectionState:
        """The connection as it is now."""
        return self._state

    def serve(self, pipelines: Collection[str], pictures: Collection[str]) -> None:
        """Heal for these pipelines from the next connection on."""
        self._present = (tuple(pipelines), tuple(pictures))

    @property
    def refused(self) -> tuple[str, ...]:
        """Topics that the broker's access rules did not let us write when we last tried."""
        return tuple(sorted(self._memory.refused.copy()))

    @property
    def running(self) -> bool:
        """True from `start` until the thread has ended."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect, in the background."""
        if self._thread is not None:
            raise RuntimeError("an MqttClient starts only once")
        if self._options.tls and self._options.tls.insecure:
            _log.warning("mqtt.tls.insecure is set: anyone on the way may pose as the broker")
        self._state = replace(self._state, reason="connecting")
        self._feed.set_listener(self._waker.wake)
        self._thread = Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0, final: Sequence[Message] = ()) -> bool:
        """Deliver what waits, publish `final` and `offline`, and disconnect, within `timeout` s.

        True when all of it was acknowledged. Where the broker cannot be reached any more, its
        last will says `offline`. Safe without `start` and twice.
        """
        if self._thread is None:
            return self._feed.depth == 0
        if not self._stopping.is_set():
            self._final = list(final)
            self._deadline = monotonic() + timeout - min(_MARGIN, timeout / 4)
            self._stopping.set()
            self._waker.wake()
        self._thread.join(timeout)
        self._feed.set_listener(None)
        left = self._feed.depth
        if left:
            rest = "those on disk wait for the next start"
            _log.warning("stopped before %d messages reached the broker: %s", left, rest)
        return self._clean and left == 0

    def _run(self) -> None:
        while True:
            last_try = self._stopping.is_set()
            reason = self._try_once()
            if reason is None:
                self._clean = True
                break
            self._tell(False, reason)
            delay = self._backoff.next_delay()
            if last_try or (self._stopping.wait(delay) and not self._worth_a_last_try()):
                break
        self._tell(False, "stopped")

    def _worth_a_last_try(self) -> bool:
        return self._feed.depth > 0 and self._remaining() > 0

    def _try_once(self) -> str | None:
        """One connection from its opening to its end: why it ended, None after a clean stop."""
        will = self._dialect.will()
        connection = Connection(self._options, self._client_id, will, self._waker)
        try:
            return self._open(connection) or self._serve(connection)
        except Exception:  # noqa: BLE001 - the thread's edge: publishing must not end for good
            _log.exception("fault in the MQTT client")
            return "fault in the MQTT client (see the log)"
        finally:
            connection.close()

    def _open(self, connection: Connection) -> str | None:
        """Connect and wait until the broker accepts us; returns why it did not."""
        limit = max(0.01, min(self._connect_timeout, self._remaining()))
        try:
            connection.open(limit)
            until = monotonic() + limit
            while connection.grant is None and connection.ended is None:
                left = min(until, self._deadline) - monotonic()
                if left <= 0:
                    return reasons.silent(self._options, limit)
                connection.step(min(left, _TICK))
        except OSError as error:
            self._short = 0
            return reasons.unreachable(error, self._options, limit)
        except ValueError as error:
            return str(error)
        return connection.ended

    def _serve(self, connection: Connection) -> str | None:
        """Publish until the connection ends or we are stopped; None after a clean stop."""
        healer = Healer(self._topics, *self._present) if self._dialect.heals else NoHealer()
        wary = _STABLE if self._short else 0.0
        session = Session(
            connection, self._feed, self._memory, healer, self._dialect, self._listeners, wary
        )
        began = monotonic()
        self._feed.set_online(True)
        self._tell(True, "")
        try:
            session.begin()
            while connection.ended is None and not self._stopping.is_set():
                session.turn(_TICK)
            if connection.ended is None and self._say_goodbye(connection, session):
                return None
        finally:
            session.abandon()
            self._feed.set_online(False)
        reason = connection.ended or "no time was left to deliver everything"
        return self._judge(reason, monotonic() - began)

    def _judge(self, reason: str, lasted: float) -> str:
        """Forget earlier failures after a stable connection; add what short ones hint at."""
        if lasted > _STABLE:
            self._backoff.reset()
            self._said = ""
            self._short = 0
            return reason
        self._short += 1
        if self._short >= _SUSPICIOUS and reason == LOST:
            return f"{reason} soon, again: is our client id {self._client_id!r} used twice?"
        return reason

    def _say_goodbye(self, connection: Connection, session: Session) -> bool:
        """Flush the feed, then the final messages; without an answer in time just hang up."""
        reserve = min(_GOODBYE, self._remaining() / 2)
        while connection.ended is None and (self._feed.depth or not session.idle):
            left = self._remaining() - reserve
            if left <= 0:
                break
            session.turn(min(left, _TICK))
        session.send([*self._final, *self._dialect.goodbye()])
        while connection.ended is None and not session.idle and self._remaining() > 0:
            session.turn(min(self._remaining(), _TICK), feeding=False)
        if connection.ended is not None or not session.idle:
            return False
        connection.disconnect()
        return True

    def _remaining(self) -> float:
        return self._deadline - monotonic()

    def _tell(self, connected: bool, reason: str) -> None:
        """Note and log a change; the same reason again, as at each retry, is no change."""
        before = self._state
        if (before.connected, before.reason) == (connected, reason):
            return
        connects = before.connects + connected
        self._state = ConnectionState(connected, reason, self._clock.wall(), connects)
        host, port = self._options.address
        if connected:
            version = "5" if self._options.is_v5 else "3.1.1"
            _log.info("connected to the broker %s:%d with MQTT %s", host, port, version)
        elif reason != self._said and not self._stopping.is_set():
            self._said = reason
            _log.warning("no connection to the broker %s:%d: %s", host, port, reason)
        if self._on_state:
            try:
                self._on_state(self._state)
            except Exception:  # noqa: BLE001 - a fault of the listener is not ours
                _log.exception("fault in the listener of the MQTT connection")
