"""What happens on an accepted connection: send, settle, heal."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from time import monotonic

from paho.mqtt.client import topic_matches_sub

from edge_agent.message import Delivery, Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.connection import Answer, Connection
from edge_agent.mqtt.dialect import Dialect
from edge_agent.mqtt.feed import Feed
from edge_agent.mqtt.healing import Healer, NoHealer
from edge_agent.mqtt.listener import Listener, Received

_log = logging.getLogger(__name__)

_QUIET = 2.0  # s without a retained message after which all have come
_MOST_REMEMBERED = 1000
_BARRED = 60.0  # s for which a topic is not tried again after the broker's rules refused it


class Memory:
    """What outlives a connection: states that the broker has, errors told, topics refused."""

    def __init__(self) -> None:
        self.states: dict[str, Message] = {}
        self.refused: set[str] = set()  # topics that the broker's rules do not let us write
        self._told: set[str] = set()
        self._barred: dict[str, float] = {}

    def bar(self, topic: str) -> None:
        """Do not try a topic for a while.

        Some brokers (mosquitto 2.0.11) hang up after refusing a message, so trying each one
        would cost the connection each time.
        """
        if len(self._barred) < _MOST_REMEMBERED:
            self._barred[topic] = monotonic() + _BARRED
            self.refused.add(topic)

    def is_barred(self, topic: str) -> bool:
        """True while a topic need not be tried."""
        if topic not in self._barred:
            return False
        if monotonic() > self._barred[topic]:
            del self._barred[topic]
            return False
        return True

    def accepted(self, message: Message) -> None:
        """Remember a retained state, to publish it again at a broker that lost it."""
        if self.refused:
            self.refused.discard(message.topic)
        if message.delivery is not Delivery.STATE or not message.retain:
            return
        if message.payload:
            self.states[message.topic] = message
        else:
            self.states.pop(message.topic, None)

    def tell_once(self, topic: str, text: str) -> None:
        """Log an error about a topic the first time only."""
        if topic not in self._told and len(self._told) < _MOST_REMEMBERED:
            self._told.add(topic)
            _log.error("%s", text)


class Session:
    """Moves messages from the feed to the broker and settles them by its answers.

    The dialect says how. `wary` seconds long only one message at a time is under way. A broker that
    hangs up because of a message may have said why, but its answer is lost if we are just sending
    the next one.
    """

    def __init__(
        self,
        connection: Connection,
        feed: Feed,
        memory: Memory,
        healer: Healer | NoHealer,
        dialect: Dialect,
        listeners: Sequence[Listener] = (),
        wary: float = 0.0,
    ) -> None:
        self._wary_until = monotonic() + wary
        self._connection = connection
        self._feed = feed
        self._memory = memory
        self._healer = healer
        self._dialect = dialect
        self._listeners = tuple(listeners)
        self._asked: dict[int, tuple[str, ...]] = {}  # filters by packet id of the subscription
        self._own: deque[Message] = deque()
        self._sent: dict[int, tuple[int | None, Message]] = {}
        self._healing = 0  # packet id of the subscription
        self._heal_until: float | None = None

    def begin(self) -> None:
        """Publish that we are there and every known state again; ask for what may be stuck."""
        self.send(self._dialect.hello(list(self._memory.states.values())))
        # First, so that what listeners read is what was there before we wrote.
        for listener in self._listeners:
            if listener.filters:
                self._asked[self._connection.subscribe(listener.filters)] = listener.filters
        self._send_own()
        if self._healer.filters:
            self._healing = self._connection.subscribe(self._healer.filters)

    def send(self, messages: Iterable[Message]) -> None:
        """Queue messages of our own, which go before those of the feed."""
        self._own.extend(messages)

    @property
    def idle(self) -> bool:
        """True when nothing of ours waits for the broker."""
        return not self._own and not self._sent

    def turn(self, timeout: float, feeding: bool = True) -> None:
        """Send what fits into the window, wait at most `timeout` s, settle the answers."""
        self._send_own()
        if feeding and not self._own:
            self._send_feed()
        self._connection.step(timeout)
        self._settle(self._connection.take_published())
        for answer in self._connection.take_subscribed():
            self._heal_begins(answer)
            self._complain(answer)
        for received in self._connection.take_received():
            self._receive(received)
        self._end_healing()

    def abandon(self) -> None:
        """Give back to the feed what the broker has not acknowledged."""
        self._feed.release([id_ for id_, _ in self._sent.values() if id_ is not None])
        self._sent.clear()

    @property
    def _room(self) -> int:
        grant = self._connection.grant
        if grant is None or self._connection.congested:
            return 0
        window = grant.window if monotonic() > self._wary_until else 1
        return max(0, window - len(self._sent))

    def _send_own(self) -> None:
        for _ in range(min(self._room, len(self._own))):
            self._publish(None, self._own.popleft())

    def _send_feed(self) -> None:
        room = self._room
        if room:
            for taken in self._feed.take(room):
                self._publish(taken.id, taken.message, taken.replayed)

    def _publish(self, id_: int | None, message: Message, replayed: bool = False) -> None:
        if self._memory.is_barred(message.topic):
            self._refuse(id_, message, reasons.not_published(reasons.NOT_AUTHORISED))
            return
        mid, qos = None, 0
        try:
            for said, payload in self._dialect.outgoing(message, replayed):
                sent = self._connection.publish(said, payload)
                if said.qos >= qos:
                    mid, qos = sent, said.qos
        except ValueError as error:
            self._refuse(id_, message, str(error))
            return
        if mid is not None:
            self._sent[mid] = (id_, message)
        elif id_ is not None:
            self._feed.ack([id_])  # there was nothing to say

    def _settle(self, answers: list[Answer]) -> None:
        acked: list[int] = []
        for answer in answers:
            id_, message = self._sent.pop(answer.mid, (None, None))
            if message is None:
                continue
            if reasons.is_failure(answer.codes[0]):
                if answer.codes[0] == reasons.NOT_AUTHORISED:
                    self._memory.bar(message.topic)
                self._refuse(id_, message, reasons.not_published(answer.codes[0], answer.detail))
                continue
            self._memory.accepted(message)
            if id_ is not None:
                acked.append(id_)
        if acked:
            self._feed.ack(acked)

    def _refuse(self, id_: int | None, message: Message, why: str) -> None:
        if id_ is not None:
            self._feed.reject([id_], "refused")
        self._memory.tell_once(message.topic, f"cannot publish {message.topic}: {why}")

    def _heal_begins(self, answer: Answer) -> None:
        if answer.mid != self._healing:
            return
        if answer.refused:
            why = reasons.not_published(answer.codes[0], answer.detail)
            text = f"cannot look for stuck states, the broker refuses to show them: {why}"
            self._memory.tell_once("", text)
        else:
            self._heal_until = monotonic() + _QUIET

    def _complain(self, answer: Answer) -> None:
        """Tell once which topics the broker does not let us read."""
        for filter_, code in zip(self._asked.pop(answer.mid, ()), answer.codes, strict=False):
            if reasons.is_failure(code):
                why = reasons.not_published(code, answer.detail)
                self._memory.tell_once(filter_, f"cannot subscribe to {filter_}: {why}")

    def _receive(self, received: Received) -> None:
        for listener in self._listeners:
            if any(topic_matches_sub(each, received.topic) for each in listener.filters):
                self.send(listener.receive(received))
                return
        if received.retained and self._healing:
            self._heal(received)

    def _heal(self, received: Received) -> None:
        message = self._healer.heal(received.topic, received.payload, self._knows)
        if message:
            _log.info("putting right what an earlier run left at the broker: %s", received.topic)
            self.send([message])
        self._heal_until = monotonic() + _QUIET

    def _end_healing(self) -> None:
        if self._heal_until is not None and monotonic() > self._heal_until:
            self._connection.unsubscribe(self._healer.filters)
            self._heal_until = None
            self._healing = 0

    def _knows(self, topic: str) -> bool:
        waiting = (message.topic for _, message in self._sent.values())
        return topic in self._memory.states or topic in waiting
