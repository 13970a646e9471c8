"""`edge-agent watch`: shows live what agents publish."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from edge_agent.cli.options import add_config
from edge_agent.cli.run import broker_values
from edge_agent.config.load import load_or_raise
from edge_agent.errors import EdgeAgentError
from edge_agent.mqtt import reasons
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.subscriber import Received, Subscriber
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.signals import stop_on_signals

EXAMPLES = """\
  edge-agent watch -c edge-agent.yaml            what this agent publishes
  edge-agent watch --broker broker.local         every agent below the topic "edge"
"""

_SHOWN = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser)
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="broker, in place of a file")
    parser.add_argument("--topic", metavar="FILTER", help="what to subscribe to (edge/#)")
    parser.add_argument("--json", action="store_true", help="one JSON object per message")


def run(arguments: argparse.Namespace) -> int:
    """Print messages until a signal comes."""
    options, topic = _what(arguments)

    def show(message: Received) -> None:
        print(as_json(message) if arguments.json else as_line(message), flush=True)

    def tell(reason: str) -> None:
        host, port = options.address
        state = f"no connection to {host}:{port}: {reason}" if reason else f"watching {topic}"
        print(state, file=sys.stderr)

    subscriber = Subscriber(options, [arguments.topic or topic], show, tell)
    with stop_on_signals() as stop:
        try:
            subscriber.start()
        except (OSError, ValueError) as error:
            raise _unreachable(error, options) from error
        stop.wait()
        subscriber.stop()
    return 0


def _unreachable(error: OSError | ValueError, options: MqttOptions) -> EdgeAgentError:
    if isinstance(error, OSError):
        return EdgeAgentError(reasons.unreachable(error, options, 5.0))
    return EdgeAgentError(str(error))


def _what(arguments: argparse.Namespace) -> tuple[MqttOptions, str]:
    if arguments.config is not None:
        config = load_or_raise(arguments.config)
        return config.mqtt, f"{Topics(config.mqtt.topic_prefix, config.agent.name).base}/#"
    options = MqttOptions(**broker_values(arguments.broker or "localhost"))
    return options, arguments.topic or f"{options.topic_prefix}/#"


def as_json(message: Received) -> str:
    """The message as one JSON object; a payload that is no JSON stays a text."""
    try:
        payload: Any = json.loads(message.payload)
    except ValueError:
        payload = message.payload.decode("utf-8", "replace")
    return json.dumps(
        {"topic": message.topic, "retained": message.retained, "payload": payload},
        ensure_ascii=False,
    )


def as_line(message: Received) -> str:
    """The message as one line for a person."""
    event = _event(message.payload)
    if event is not None:
        return _event_line(event)
    text = message.payload.decode("utf-8", "replace")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    printable = "".join(c if c.isprintable() else "." for c in shown)
    return f"{'':8}  {message.topic} = {printable}"


def _event(payload: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(payload)
    except ValueError:
        return None
    known = isinstance(value, dict) and str(value.get("schema", "")).startswith("edge-agent/event/")
    return value if known else None


def _event_line(event: dict[str, Any]) -> str:
    if event["media_time"] is None:
        when = time.strftime("%H:%M:%S", time.localtime(event["time"]))
    else:
        when = f"{event['media_time']:7.2f}s"
    where = f"{event['device']}/{event['pipeline']}"
    box = " ".join(f"{side:.2f}" for side in event["box"] or ())
    parts = [when, where, f"{event['type']:<6}", f"{event['label']} #{event['track']}"]
    parts += [f"{event['score']:.2f}", f"at {box}" if box else "", *event["zones"]]
    return "  ".join(part for part in parts if part)
