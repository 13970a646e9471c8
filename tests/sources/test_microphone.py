"""Sound that is recorded: by programs that behave well and badly, and by the real ones."""

from __future__ import annotations

import functools
import http.server
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Secret
from edge_agent.sources.audio import AudioOptions, AudioSource
from tests.support.broker import wait_until
from tests.support.reading import LIMIT, reading
from tests.support.recorder import calls, fake_arecord, is_running, sound_server
from tests.support.rtsp_server import RtspServer
from tests.support.sounds import noise, write_wav


def _microphone(device: str = "plughw:CARD=Device", timeout: float = 10.0) -> AudioSource:
    return AudioSource("mic", AudioOptions(device=device, timeout=timeout))


def _stream(url: str) -> AudioSource:
    return AudioSource("radio", AudioOptions(url=Secret(url), timeout=10.0))


def _fails(source: AudioSource) -> SourceError:
    """The error that it meets in its first 100 blocks."""

    def run() -> None:
        source.start()
        for _ in range(100):
            assert source.read() is not None

    with pytest.raises(SourceError) as error:
        run()
    source.stop()
    return error.value


def _numbers(frames: list[Frame]) -> list[int]:
    return [round(value) for value in np.concatenate([f.data for f in frames])[:, 0] * 32768]


def _gaps(frames: list[Frame]) -> list[bool]:
    return [frame.signal.is_gap for frame in frames if frame.signal is not None]


def test_blocks_of_a_microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sample in order, at even times of the monotonic clock; no process is left over."""
    fake_arecord(tmp_path, monkeypatch, "play(10000)")
    with reading(_microphone()) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 20)
        assert reader.reopens == 0
        ((pid, arguments),) = calls(tmp_path)
    assert not is_running(pid)
    assert "-D plughw:CARD=Device -t raw -f S16_LE -r 16000 -c 1" in arguments
    frames = watcher.frames
    assert _numbers(frames) == [n & 0x7FFF for n in range(len(_numbers(frames)))]
    assert not any(_gaps(frames))
    times = np.concatenate([frame.signal.times for frame in frames if frame.signal is not None])
    np.testing.assert_allclose(np.diff(times), 1 / 16000, rtol=0.01)
    assert frames[0].media_time is None
    assert abs(frames[0].timeline - time.monotonic()) < 60


def test_several_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of two inputs come by turns."""
    fake_arecord(tmp_path, monkeypatch, "play(10000)")
    source = AudioSource("mic", AudioOptions(device="x", inputs=2, channels="all"))
    source.start()
    frame = source.read()
    source.stop()
    assert frame is not None
    assert frame.signal is not None
    assert frame.signal.channels == ("audio_1", "audio_2")
    assert (frame.data[:3] * 32768).tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert "-c 2" in calls(tmp_path)[0][1]


def test_overruns_are_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What arecord says of lost sound is counted, and the next block is no continuation."""
    body = 'play(5); say("overrun!!! (at least 23.456 ms long)"); play(10000, 8)'
    fake_arecord(tmp_path, monkeypatch, body)
    with reading(_microphone()) as (watcher, _):
        watcher.wait(lambda: any(_gaps(watcher.frames)) and len(watcher.frames) > 10)
    assert sum(_gaps(watcher.frames)) == 1
    assert "source mic: sound was lost" in caplog.text


@pytest.mark.parametrize(
    ("body", "kind", "message", "cure"),
    [
        ("fail('audio open error: Device or resource busy')", SourceUnavailable, "is busy",
         "fuser"),
        ("fail('audio open error: No such device')", SourceUnavailable, "is not there",
         "plughw:CARD=Device,DEV=0 (USB Audio Device)"),
        ("fail('audio open error: Permission denied')", SourceUnavailable, "no permission",
         "usermod -aG audio"),
        ("fail('Channels count non available')", SourceUnusable,
         "cannot give 16000 samples a second of 1 channels", "plughw:"),
        ("say('Warning: rate is not accurate (requested = 16000Hz, got = 48000Hz)'); play(9)",
         SourceUnusable, "records 48000 samples a second, not 16000", "set rate: 48000"),
        ("play(3); fail('read error: No such device')", SourceUnavailable, "was unplugged",
         "plug it in"),
        ("play(3)", SourceUnavailable, "fails: ", "arecord -D"),
    ],
)  # fmt: skip
def test_what_goes_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    kind: type[SourceError],
    message: str,
    cure: str,
) -> None:
    """Each fault has its words and its cure, and leaves no process behind."""
    fake_arecord(tmp_path, monkeypatch, body)
    error = _fails(_microphone())
    assert isinstance(error, kind)
    assert message in error.message
    assert cure in error.cure
    assert not any(is_running(pid) for pid, _ in calls(tmp_path))


def test_cards_that_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the group, or in a service without the drop-in, arecord finds no card at all."""
    body = "fail('audio open error: No such file or directory')"
    fake_arecord(tmp_path, monkeypatch, body, listed="")
    cards = tmp_path / "cards"
    monkeypatch.setattr("edge_agent.sources.recorder._CARDS", cards)
    for text, cure in (
        (" 1 [Device         ]: USB-Audio - USB Audio Device\n", "usermod -aG audio"),
        ("--- no soundcards ---\n", "plug it in"),
    ):
        cards.write_text(text)
        assert cure in _fails(_microphone()).cure
    cards.unlink()
    assert "plug it in" in _fails(_microphone()).cure


@pytest.mark.parametrize("body", ["time.sleep(3600)", "play(3); os.system('sleep 3600')",
                                  "while True: os.write(1, b'x'); time.sleep(0.05)"])  # fmt: skip
def test_silence_ends_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """A recorder that hangs, at once or later, or drips, is given up with all its children."""
    fake_arecord(tmp_path, monkeypatch, body)
    error = _fails(_microphone(timeout=0.5))
    assert "is silent: no sound for 0.5 s" in str(error)
    assert not any(is_running(pid) for pid, _ in calls(tmp_path))


def test_a_microphone_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is pulled out and plugged in again is online again by itself."""
    fake_arecord(tmp_path, monkeypatch, "play(10000)")
    with reading(_microphone()) as (watcher, _):
        watcher.wait_online()
        fake_arecord(tmp_path, monkeypatch, "fail('audio open error: No such device')")
        os.kill(calls(tmp_path)[0][0], signal.SIGKILL)
        watcher.wait_reason("mic")
        watcher.wait(lambda: "is not there" in watcher.statuses[-1].reason)
        fake_arecord(tmp_path, monkeypatch, "play(10000)")
        watcher.wait_online()
        watcher.wait(lambda: watcher.frames[-1].seq > 3)
    assert any(_gaps(watcher.frames))


def test_stop_ends_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the wait for the first block and that for a later one end with a stop."""
    for body, least in (("time.sleep(3600)", 0), ("play(4); time.sleep(3600)", 2)):
        fake_arecord(tmp_path, monkeypatch, body)
        before = len(calls(tmp_path))
        with reading(_microphone(timeout=3600.0)) as (watcher, _):
            wait_until(lambda before=before: len(calls(tmp_path)) > before)  # type: ignore[misc]
            watcher.wait(lambda least=least: len(watcher.frames) >= least)  # type: ignore[misc]
        wait_until(lambda: not is_running(calls(tmp_path)[-1][0]))


_PROGRAM = """
from edge_agent.sources.audio import AudioOptions, AudioSource
source = AudioSource("mic", AudioOptions(device="x", timeout=60.0))
source.start()
while True:
    source.read()
"""


def test_the_recorder_dies_with_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a recorder that writes nothing ends when this process is killed."""
    fake_arecord(tmp_path, monkeypatch, "play(2); time.sleep(3600)")
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM])
    wait_until(lambda: calls(tmp_path), LIMIT)
    pid = calls(tmp_path)[0][0]
    process.kill()
    process.wait()
    wait_until(lambda: not is_running(pid) or _is_zombie(pid), LIMIT)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended, and only whoever inherited it has not taken note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is named with its package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for source, package in (
        (_microphone(), "alsa-utils"),
        (_microphone("pulse:"), "pulseaudio-utils"),
        (_stream("http://127.0.0.1:1/x"), "ffmpeg"),
    ):
        assert _fails(source).cure == f"sudo apt install {package}"


@pytest.mark.skipif(shutil.which("arecord") is None, reason="sudo apt install alsa-utils")
def test_the_real_arecord() -> None:
    """ALSA's null device gives samples; a card that is not there is said to be so."""
    source = _microphone("null")
    source.start()
    frame = source.read()
    source.stop()
    assert frame is not None
    assert frame.data.shape[1] == 1
    error = _fails(_microphone("plughw:CARD=NoSuchCard"))
    assert isinstance(error, SourceUnavailable)
    assert error.message == "microphone plughw:CARD=NoSuchCard is not there"


def test_the_real_sound_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is played is heard; a server that ends and comes back is found again."""
    played = write_wav(tmp_path / "x.wav", (noise(16000) // 2).astype(np.int16))
    source = _microphone("pulse:lab.monitor")
    with sound_server(tmp_path, monkeypatch):
        error = _fails(_microphone("pulse:nothing"))
        assert "pulse:lab.monitor" in error.cure
        with reading(source) as (watcher, _):
            watcher.wait_online()
            subprocess.run(["paplay", "--device=lab", str(played)], check=True)
            watcher.wait(lambda: max(float(abs(f.data).max()) for f in watcher.frames) > 0.4)
    assert "no sound server answers" in str(_fails(source))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="sudo apt install ffmpeg")
def test_network_cameras(caplog: pytest.LogCaptureFixture) -> None:
    """RTSP goes over TCP; a camera without a microphone, and one that refuses, are told."""
    with RtspServer(user="me", password="geheim") as camera:
        url = camera.url.replace("//", "//me:geheim@")
        error = _fails(_stream(url))
        assert isinstance(error, SourceUnusable)
        assert "has no sound, only pictures" in str(error)
        assert set(camera.transports) == {"tcp"}
        assert "refuses the user name or password" in str(_fails(_stream(camera.url)))
        missing = _fails(_stream(url.replace("/stream", "/none")))
        assert "no such address (404)" in str(missing)
    assert "geheim" not in caplog.text + str(missing)


def _read_on(source: AudioSource, frames: list[Frame]) -> None:
    source.start()
    try:
        while (frame := source.read()) is not None:
            frames.append(frame)
    finally:
        source.stop()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="sudo apt install ffmpeg")
def test_a_stream_through_ffmpeg(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stream of another rate is converted; its end is an error, and its password is hidden."""
    caplog.set_level(logging.DEBUG)
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000) * 16384
    write_wav(tmp_path / "it's.wav", tone.astype(np.int16), 48000)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        where = f"http://me:geheim@127.0.0.1:{server.server_port}"
        source = _stream(f"{where}/it's.wav")
        frames: list[Frame] = []
        with pytest.raises(SourceUnavailable) as error:
            _read_on(source, frames)
        missing = _fails(_stream(f"{where}/missing.wav"))
        server.shutdown()
    assert "ended the stream" in str(error.value)
    data = np.concatenate([frame.data for frame in frames])[:, 0]
    assert 15000 < len(data) <= 16000
    assert np.abs(data[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)
    assert "there is no such address (404)" in str(missing)
    assert "geheim" not in f"{error.value} {missing} {caplog.text}"
    assert "nothing listens" in str(_fails(_stream("http://127.0.0.1:1/")))
