"""Runs an amqtt broker in this process: `python -m edge_agent.mqtt.amqtt_broker HOST PORT`."""

from __future__ import annotations

import asyncio
import sys


async def _serve(host: str, port: int) -> None:
    from amqtt.broker import Broker  # noqa: PLC0415 - optional, and only this process needs it

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    await Broker(config).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
