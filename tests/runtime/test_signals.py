"""Signals: stop, reload, and those that somebody has made harmless."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from edge_agent.runtime.signals import stop_on_signals
from tests.support.reading import LIMIT


def send(number: int) -> None:
    """Send this process a signal."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_stops(number: int) -> None:
    """The event is set, and afterwards the signal acts as before."""
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        send(number)
        assert stop.wait(LIMIT)
    assert signal.getsignal(number) == before


def test_a_signal_while_the_event_is_locked() -> None:
    """It comes between any two instructions, also while the main thread begins to wait."""
    script = (
        "import os, signal\n"
        "from edge_agent.runtime.signals import stop_on_signals\n"
        "with stop_on_signals() as stop:\n"
        "    with stop._cond:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(stop.wait(10))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_a_hangup_reloads_each_time() -> None:
    """Where there is something to reload it does not stop."""
    reloads: list[int] = []
    with stop_on_signals(lambda: reloads.append(1)) as stop:
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert not stop.is_set()
    assert reloads == [1, 1]


def test_under_nohup_a_closed_terminal_does_not_stop() -> None:
    """What is ignored stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            send(signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
