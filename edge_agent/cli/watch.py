"""`edge-agent watch`: shows live what agents publish."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from typing import Any

from edge_agent.cli.options import add_config, from_values
from edge_agent.cli.run import broker_values
from edge_agent.config.load import load_or_raise
from edge_agent.errors import ConfigError, EdgeAgentError, UsageError
from edge_agent.mqtt import reasons
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.subscriber import Subscriber
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.signals import stop_on_signals

EXAMPLES = """\
  edge-agent watch -c edge-agent.yaml            what this agent publishes
  edge-agent watch --broker broker.local         every agent below the topic "edge"
"""

_SHOWN = 100
_NO_EVENT = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser)
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="broker, in place of a file")
    parser.add_argument(
        "--topic", type=topic_filter, metavar="FILTER", help="what to subscribe to (edge/#)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per message")


def run(arguments: argparse.Namespace) -> int:
    """Print messages until a signal comes, or until nobody reads them any more."""
    options, topic = _what(arguments)
    failures: list[OSError] = []

    def show(message: Received) -> None:
        try:
            print(as_json(message) if arguments.json else as_line(message), flush=True)
        except OSError as error:  # not for the client's thread: it would die, and we would wait
            failures.append(error)
            stop.set()

    told: set[str] = set()

    def tell(reason: str) -> None:
        """Say what is new: a refusal is tried again and again, and ends each time."""
        if reason in told:
            return
        told.add(reason)
        if not reason:
            told.clear()
            print(f"watching {topic}", file=sys.stderr)
            return
        host, port = options.address
        print(f"no connection to {host}:{port}: {reason}; trying again", file=sys.stderr)

    try:
        subscriber = Subscriber(options, [topic], show, tell)
    except ValueError as error:
        raise ConfigError((str(error),)) from error
    with stop_on_signals() as stop:
        try:
            subscriber.start()
        except (OSError, ValueError) as error:
            raise _unreachable(error, options) from error
        stop.wait()
        subscriber.stop()
    if failures:
        raise failures[0]
    return 0


def _unreachable(error: OSError | ValueError, options: MqttOptions) -> EdgeAgentError:
    if isinstance(error, OSError):
        return EdgeAgentError(reasons.unreachable(error, options, 5.0))
    return EdgeAgentError(str(error))


def _what(arguments: argparse.Namespace) -> tuple[MqttOptions, str]:
    if arguments.config is None:
        broker = "localhost" if arguments.broker is None else arguments.broker
        options = from_values({"mqtt": broker_values(broker)}).mqtt
        return options, arguments.topic or f"{options.topic_prefix}/#"
    if arguments.broker is not None:
        raise UsageError("give either -c FILE or --broker, not both")
    config = load_or_raise(arguments.config)
    base = Topics(config.mqtt.topic_prefix, config.agent.name).base
    return config.mqtt, arguments.topic or f"{base}/#"


def topic_filter(text: str) -> str:
    """An MQTT topic filter, for argparse."""
    levels = text.split("/")
    mixed = any(len(level) > 1 and ("+" in level or "#" in level) for level in levels)
    if not text or mixed or "#" in levels[:-1]:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no topic filter: + stands for one whole level, # for the rest at the end"
        )
    return text


def as_json(message: Received) -> str:
    """The message as one JSON object; a payload that is no JSON stays a text."""
    with suppress(ValueError, RecursionError):
        return _object(message, json.loads(message.payload))
    return _object(message, message.payload.decode("utf-8", "replace"))


def _object(message: Received, payload: Any) -> str:
    values = {"topic": message.topic, "retained": message.retained, "payload": payload}
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def as_line(message: Received) -> str:
    """The message as one line for a person; one that is no event is shown as it came."""
    try:
        line = _line(json.loads(message.payload))
    except _NO_EVENT:
        text = message.payload.decode("utf-8", "replace")
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        line = f"{'':8}  {message.topic} = {shown}"
    return "".join(c if c.isprintable() else "." for c in line)


def _line(said: Any) -> str:
    """Raises one of _NO_EVENT for what is none; anybody may publish anything."""
    if said["schema"].startswith("edge-agent/model/"):
        return _step_line(said)
    return _event_line(said)


def _step_line(step: Any) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(step["time"]))
    version = f"version {step['version']}" if step["version"] else step["sha256"][:12]
    parts = [when, step["device"], f"model {step['model']}, {version}: {step['stage']}"]
    return "  ".join([*parts, step["reason"]] if step["reason"] else parts)


def _event_line(event: Any) -> str:
    if not event["schema"].startswith("edge-agent/event/"):
        raise ValueError(event["schema"])
    if event["media_time"] is None:
        when = time.strftime("%H:%M:%S", time.localtime(event["time"]))
    else:
        when = f"{event['media_time']:7.2f}s"
    where = f"{event['device']}/{event['pipeline']}"
    box = " ".join(f"{side:.2f}" for side in event["box"] or ())
    what = event["label"] if event["track"] is None else f"{event['label']} #{event['track']}"
    if sublabel := event.get("sublabel"):
        what += f" ({sublabel})"
    parts = [when, where, f"{event['type']:<6}", what]
    parts += [f"{event['score']:.2f}", f"at {box}" if box else "", *event["zones"]]
    for name, value in (event.get("readings") or {}).items():
        parts.append(f"{name}={'?' if value is None else f'{value:g}'}")
    return "  ".join(part for part in parts if part)
