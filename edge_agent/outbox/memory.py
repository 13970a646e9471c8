"""The outbox in memory: bounded, counted, lost when the agent ends."""

from __future__ import annotations

from threading import Lock

from edge_agent.clock import Clock
from edge_agent.message import Delivery
from edge_agent.outbox.core import QueuedOutbox, share
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.queues import Queue


class MemoryOutbox(QueuedOutbox):
    """An `Outbox` without a disk; `seq` starts anew with each process, at `first_seq`."""

    def __init__(
        self,
        options: OutboxOptions | None = None,
        first_seq: int = 1,
        clock: Clock | None = None,
    ) -> None:
        options = options or OutboxOptions()
        events = Queue(share(options, Delivery.EVENT))
        super().__init__(options, events, Lock(), clock, first_seq)
