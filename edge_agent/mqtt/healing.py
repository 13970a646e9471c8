"""Takes away retained states that nobody will ever correct.

After a crash the broker still holds `counts/person = 1`, and a pipeline that left the YAML stays
`online` for ever. On each connection the client reads back the retained states of its own device.
What it does not hold itself is healed: a count of a present pipeline becomes `0`; whatever belongs
to no present pipeline, and a picture that nobody allowed, is removed with an empty payload. Only
topics below the device's own base are touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.topics import Topics

_BELOW = ("status", "+/state", "snapshot", "reading", "counts/#", "zones/#", "lines/#")
_MOST = 1000  # retained states that are looked at for each connection


class NoHealer:
    """In place of a healer where no states are retained."""

    filters: tuple[str, ...] = ()

    def heal(self, topic: str, payload: bytes, known: Callable[[str], bool]) -> Message | None:
        """Heal nothing."""


class Healer:
    """Decides for each retained message read back whether it stays.

    `pipelines` are the present ones; a picture that this client did not make itself stays only
    where it is of one of `pictures`.
    """

    def __init__(
        self, topics: Topics, pipelines: Collection[str], pictures: Collection[str] = ()
    ) -> None:
        base = topics.base
        self._present = tuple(f"{topics.pipeline(pipeline)}/" for pipeline in pipelines)
        self._forbidden = {topics.snapshot(p) for p in pipelines if p not in pictures}
        self._seen = 0
        self.filters = tuple(f"{base}/+/{below}" for below in _BELOW)

    def heal(self, topic: str, payload: bytes, known: Callable[[str], bool]) -> Message | None:
        """What to publish for a retained message, None where it may stay.

        `known` tells whether this client publishes a topic itself.
        """
        self._seen += 1
        if self._seen > _MOST or not payload or known(topic):
            return None
        present = topic.startswith(self._present) and topic not in self._forbidden
        is_count = "/counts/" in topic
        if present and (payload == b"0" or not is_count):
            return None
        healed = b"0" if present else b""
        return Message(topic, healed, Delivery.STATE, qos=1, retain=True, content_type="text/plain")
