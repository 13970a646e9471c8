"""`edge-agent run`: the daemon, or the same without a file for the first five minutes."""

from __future__ import annotations

import argparse
import glob
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_agent.cli.check import load_with_models, load_with_stages
from edge_agent.cli.options import (
    add_config,
    add_model,
    fraction,
    from_values,
    model_values,
    usage_error,
)
from edge_agent.config.schema import Config
from edge_agent.errors import ConfigError, UsageError
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.commands import Wish
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.signals import stop_on_signals
from edge_agent.runtime.wire import build_agent, open_outbox, open_overrides

EXAMPLES = """\
  edge-agent run -c /etc/edge-agent/edge-agent.yaml
  edge-agent run --camera 0 --model coco_ssd.tflite --broker broker.local
  edge-agent run --rtsp rtsp://user:password@camera/stream --model coco_ssd.tflite
  edge-agent run --video clip.mp4 --model coco_ssd.tflite --labels person
"""

_IPV6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*(?:%\w+)?"
_BROKER = re.compile(
    rf"(?P<bare>{_IPV6})|(?:\[(?P<ipv6>{_IPV6})\]|(?P<host>[^][:/@\s]+))(?::(?P<port>[0-9]{{1,9}}))?"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    group = parser.add_argument_group("without a file: one source, one model, one pipeline")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--camera", metavar="DEVICE", help="number or path of a camera")
    source.add_argument("--picamera", action="store_true", help="the camera of a Raspberry Pi")
    source.add_argument("--rtsp", metavar="URL", help="network camera")
    source.add_argument("--http", metavar="URL", help="MJPEG stream or still picture")
    source.add_argument("--video", metavar="FILE", help="recording, at its own pace")
    source.add_argument(
        "--images", metavar="PATTERN", help="pictures (a pattern in quotes), or a folder to watch"
    )
    add_model(parser, required=False)
    group.add_argument(
        "--broker", default="localhost", metavar="HOST[:PORT]", help="MQTT broker (localhost)"
    )
    group.add_argument("--name", metavar="NAME", help="device id in topics (the host name)")
    group.add_argument("--labels", metavar="A,B", help="only these labels count (all)")
    group.add_argument(
        "--threshold", type=fraction, default=0.5, metavar="T", help="least score (0.5)"
    )
    group.add_argument("--motion", action="store_true", help="infer only while something moves")


def run(arguments: argparse.Namespace) -> int:
    """Run until a signal comes or every recording is over; a command may begin it anew."""
    set_up_logging("debug" if arguments.verbose else "info")
    reload = _Reload(arguments, _configuration(arguments))
    with stop_on_signals(reload.on_hangup) as stop:
        while True:
            if not arguments.verbose:
                agent = reload.config.agent
                set_up_logging(agent.log_level, agent.log_format)
            code, wish = _serve(reload, stop)
            if wish is None:
                return code
            if wish == "restart":
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


class _Reload:
    """The configuration that was read last; called, it reads the file anew."""

    def __init__(self, arguments: argparse.Namespace, config: Config) -> None:
        self.config = config
        self.arguments = arguments
        self.agent: Agent | None = None

    @property
    def on_hangup(self) -> Callable[[], None] | None:
        """What SIGHUP does: without a file to read it ends the agent, as a closed terminal does."""
        return self._hang_up if self.arguments.config is not None else None

    def _hang_up(self) -> None:
        if self.agent is not None:
            self.agent.reload_soon()

    def __call__(self) -> Config | None:
        """What the file says now, None if that is nothing new. Raises ConfigError."""
        loaded = load_with_models(self.arguments.config)
        if loaded.config is None or loaded.problems:
            raise ConfigError(tuple(map(str, loaded.problems)))
        fresh = loaded.config
        before, self.config = self.config, fresh
        return fresh if fresh != before else None


def _serve(reload: _Reload, stop: threading.Event) -> tuple[int, Wish | None]:
    """One life of the agent: its exit code, and whether it is to begin anew."""
    config = reload.config
    has_file = reload.arguments.config is not None
    with closing(open_outbox(config)) as outbox:
        try:
            agent = build_agent(
                config,
                outbox,
                overrides=open_overrides(config),
                reload=reload if has_file else None,
                metrics=reload.agent.metrics if reload.agent is not None else None,
            )
        except ConfigError as error:
            if not has_file:
                raise usage_error(error) from error
            raise
        reload.agent = agent
        return agent.run(stop), agent.wish


def _configuration(arguments: argparse.Namespace) -> Config:
    source = _source_values(arguments)
    if arguments.config is not None:
        if source or arguments.model:
            raise UsageError("give either -c FILE or a source with --model, not both")
        return load_with_stages(arguments.config).or_raise()
    if not source or not arguments.model:
        raise UsageError(
            "nothing to run",
            "give -c FILE, or a source such as --camera 0 together with --model FILE",
        )
    return from_values(_values(arguments, source))


def _values(arguments: argparse.Namespace, source: dict[str, Any]) -> dict[str, Any]:
    kind, model = source["type"], Path(arguments.model).stem
    pipeline: dict[str, Any] = {
        "source": kind,
        "model": model,
        "threshold": arguments.threshold,
    }
    if arguments.labels:
        pipeline["labels"] = [label.strip() for label in arguments.labels.split(",")]
    if arguments.motion:
        pipeline["gate"] = {"motion": {}}
    return {
        "agent": {"name": arguments.name} if arguments.name else {},
        "mqtt": broker_values(arguments.broker),
        "models": {model: model_values(arguments)},
        "sources": {kind: source},
        "pipelines": {kind: pipeline},
    }


def broker_values(text: str) -> dict[str, Any]:
    """Host and port of `HOST[:PORT]`, also of `[::1]:1883`; raises UsageError."""
    found = _BROKER.fullmatch(text)
    if found is None:
        raise UsageError("--broker must be HOST or HOST:PORT, for IPv6 [ADDRESS]:PORT")
    host = found["bare"] or found["ipv6"] or found["host"]
    return {"host": host, "port": int(found["port"])} if found["port"] else {"host": host}


def _source_values(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.camera is not None:
        return {"type": "camera", "device": arguments.camera}
    if arguments.picamera:
        return {"type": "picamera"}
    for kind in ("rtsp", "http"):
        if (url := getattr(arguments, kind)) is not None:
            return {"type": kind, "url": url}
    if arguments.video is not None:
        if not Path(arguments.video).is_file():
            raise UsageError(f"--video {arguments.video}: no such file")
        return {"type": "video", "file": arguments.video}
    if arguments.images is not None:
        key = "folder" if Path(arguments.images).is_dir() else "files"
        if key == "files" and not glob.glob(arguments.images, recursive=True):  # noqa: PTH207
            raise UsageError(f"--images {arguments.images}: no such picture or folder")
        return {"type": "images", key: arguments.images}
    return {}
