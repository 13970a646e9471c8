"""How an event stands in a row of the database."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from edge_agent.message import Delivery, Message
from edge_agent.outbox.queues import Item

COLUMNS = "id, seq, put_time, put_ns, topic, head, payload"

Row = tuple[int, int, float, int, str | None, str | None, bytes | None]
"""Values in the order of COLUMNS; the last three are null in a stub, which only keeps the seq."""

Properties = tuple[tuple[str, str], ...]


def to_row(item: Item) -> Row:
    """The row of an event."""
    message = item.message
    head = _head(
        message.qos, message.retain, message.content_type, message.expiry, message.properties
    )
    return (
        item.id, item.seq, item.put_time, item.put_ns, message.topic, head, message.payload,
    )  # fmt: skip


def from_row(row: Row) -> Item:
    """The event of a row; raises ValueError for what no `to_row` has made."""
    id_, seq, put_time, put_ns, topic, head, payload = row
    if not (
        isinstance(put_time, float)
        and isinstance(put_ns, int)
        and isinstance(topic, str)
        and isinstance(head, str)
        and isinstance(payload, bytes)
    ):
        raise ValueError(f"row {id_!r} is damaged")  # noqa: TRY004 - the value of a file
    qos, retain, content_type, expiry, properties = _parts(head)
    message = Message(
        topic, payload, Delivery.EVENT, qos, retain, content_type, expiry, properties,
    )  # fmt: skip
    return Item(id_, message, put_time, put_ns, seq)


@lru_cache(maxsize=64)
def _head(*parts: Any) -> str:
    return json.dumps(parts, separators=(",", ":"))


@lru_cache(maxsize=64)
def _parts(head: str) -> tuple[int, bool, str, int | None, Properties]:
    try:
        qos, retain, content_type, expiry, properties = json.loads(head)
        pairs = tuple((str(name), str(value)) for name, value in properties)
        return int(qos), bool(retain), str(content_type), expiry, pairs
    except (TypeError, ValueError) as error:
        raise ValueError("the head of a message is damaged") from error
