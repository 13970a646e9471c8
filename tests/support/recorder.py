"""Programs that behave like `arecord`, well or badly, and a sound server without a sound card."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.broker import wait_until

_LISTED = "card 1: Device [USB Audio Device], device 0: USB Audio [USB Audio]"
_SCRIPT = '''#!{python} -IS
import os, sys, time

if sys.argv[1:] == ["-l"]:
    print({listed!r})
    sys.exit()
open({folder!r} + "/calls", "a").write(f"{{os.getpid()}} {{' '.join(sys.argv[1:])}}\\n")

def say(text):
    sys.stderr.write(text + "\\n")
    sys.stderr.flush()

def fail(text):
    say("arecord: main:831: " + text)
    sys.exit(1)

def play(blocks, first=0):
    """Rising numbers, 30 ms of 16 kHz a time."""
    for n in range(first, first + blocks):
        block = b"".join((480 * n + k & 0x7FFF).to_bytes(2, "little") for k in range(480))
        os.write(1, block)
        time.sleep(0.02)

say("Recording raw data 'stdin' : Signed 16 bit Little Endian, Rate 16000 Hz, Mono")
{body}
'''


def fake_arecord(
    folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, listed: str = _LISTED
) -> None:
    """Put an `arecord` that does `body` before all others; it may `say`, `fail` and `play`.

    `listed` is what it answers when it is asked for the devices.
    """
    program = folder / "bin" / "arecord"
    program.parent.mkdir(exist_ok=True)
    program.write_text(
        _SCRIPT.format(python=sys.executable, folder=str(folder), body=body, listed=listed)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def calls(folder: Path) -> list[tuple[int, str]]:
    """Process id and arguments of each run of the fake so far."""
    file = folder / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]


def is_running(pid: int) -> bool:
    """Whether a process is there, a zombie too."""
    return Path(f"/proc/{pid}").exists()


@contextmanager
def sound_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A PulseAudio of the test's own, whose sink `lab` is heard at `lab.monitor`."""
    for program in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: sudo apt install pulseaudio pulseaudio-utils")
    socket = folder / "native"
    monkeypatch.setenv("PULSE_RUNTIME_PATH", str(folder))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{socket}")
    monkeypatch.setenv("HOME", str(folder))
    modules = (
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
        "module-null-sink sink_name=lab rate=16000 channels=1",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    with (folder / "pulse.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *(word for each in modules for word in ("-L", each))],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: _answers(process, folder))
        yield
    finally:
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], folder: Path) -> bool:
    if process.poll() is not None:
        pytest.skip(f"pulseaudio does not run here: {(folder / 'pulse.log').read_text()[-300:]}")
    return subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode == 0
