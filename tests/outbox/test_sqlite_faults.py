"""Disks that fail, damaged files, killed processes: what is lost, and what is not."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.agent import ROOT
from tests.support.outbox import Disk, event, numbers, put_events, settle, take_all

_PUTTER = """
import os, sys, threading
from pathlib import Path
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.support.outbox import event

outbox = SqliteOutbox(Path(sys.argv[1]), OutboxOptions(sys.argv[2]))

def put():
    while True:
        os.write(1, b"%d\\n" % outbox.put_event(event))

for _ in range(int(sys.argv[3])):
    threading.Thread(target=put).start()
"""

_FULL = """
import json, resource, sys, time
from pathlib import Path
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.support.outbox import event, settle

outbox = SqliteOutbox(Path(sys.argv[1]))
room = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, room[1]))
taken = []

def deliver():
    until = time.monotonic() + 20
    while outbox.depth and time.monotonic() < until:
        taken.extend(settle(outbox, 100))

for _ in range(4000):
    outbox.put_event(lambda seq: event(seq, 1000))
full = dict(outbox.drops)
depth = outbox.depth
if sys.argv[2] == "later":
    resource.setrlimit(resource.RLIMIT_FSIZE, room)
last = outbox.put_event(event)
deliver()
print(json.dumps([full, depth, last, dict(outbox.drops), taken]))
outbox.close()
"""


def _run(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def _put_until_killed(file: Path, durability: str, threads: int, count: int) -> int:
    """Have a child put events, kill it in the middle; the last seq that it was given."""
    child = _run(_PUTTER, str(file), durability, str(threads))
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(count)]
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    told += map(int, rest.split())
    return max(told)


@pytest.mark.parametrize(("durability", "threads"), [("normal", 1), ("normal", 4), ("full", 4)])
def test_sigkill_loses_no_event_whose_put_returned(
    disk: Disk, durability: str, threads: int
) -> None:
    """Killed again and again in the middle of puts: all that was told is there, without a gap."""
    for _ in range(4):
        last = _put_until_killed(disk.file, durability, threads, 150)
        outbox = disk.open()
        found = numbers(take_all(outbox))
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= last
        assert outbox.put_event(event) == len(found) + 1
        outbox.close()


@pytest.mark.parametrize("room", ["later", "its own"])
def test_a_full_disk_loses_what_it_must_and_recovers(disk: Disk, room: str) -> None:
    """No put raises; the oldest that cannot be held are counted; with room all goes on in order.

    Room is also made by what was delivered meanwhile, although to delete takes room itself.
    """
    child = _run(_FULL, str(disk.file), room)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    full, depth, last, drops, taken = json.loads(out)
    assert full.keys() == drops.keys() == {"event_disk"}
    assert full["event_disk"] + depth == 4000
    assert depth > 800  # what is on the disk, and a mebibyte in memory
    assert last == 4001
    assert taken == sorted(taken)
    assert len(taken) == 4001 - drops["event_disk"]
    assert taken[-1] == 4001
    assert "cannot use its disk" in err
    assert err.count("the outbox lost messages") == 2  # within the same minute, then at the end


def _damage(file: Path, at: float, length: int = 4096) -> None:
    """Overwrite a part of a file, as a worn card does."""
    with file.open("r+b") as stream:
        size = file.stat().st_size
        stream.seek(int(size * at) // 4096 * 4096)
        stream.write(b"\xa5" * min(length, size))


def test_a_damaged_database_is_set_aside_and_its_events_are_saved(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad page costs the few events on it; the rest comes in order, and seq never again."""
    outbox = disk.open()
    put_events(outbox, 300, size=1000)
    outbox.close()
    _damage(disk.file, at=0.5)
    again = disk.open()
    saved = numbers(take_all(again))
    assert 280 < len(saved) < 300
    assert saved == sorted(saved)
    assert again.put_event(event) > 300
    assert len(disk.set_aside()) == 1
    assert "is damaged" in caplog.text
    assert "set aside" in caplog.text


@pytest.mark.parametrize("at", [0.0, 0.999])
def test_no_database_at_all_is_no_obstacle(disk: Disk, at: float) -> None:
    """Garbage instead of a database: a new one is begun, seq goes on above all that were used."""
    outbox = disk.open()
    put_events(outbox, 3)
    outbox.close()
    _damage(disk.file, at, length=2**20)
    assert disk.open().put_event(event) >= 4


def test_without_any_memory_seq_goes_on_from_the_time(disk: Disk) -> None:
    """Where even the mark of the numbers is gone, milliseconds outrun any count."""
    outbox = disk.open()
    put_events(outbox, 3)
    outbox.close()
    _damage(disk.file, 0.0)
    (disk.folder / "dev.seq").write_text("no number")
    assert disk.open().put_event(event) > 1_700_000_000_000


def test_a_database_that_was_deleted_is_begun_anew(disk: Disk) -> None:
    """Whoever deletes the file does not make old numbers come again."""
    outbox = disk.open()
    put_events(outbox, 3)
    outbox.close()
    disk.file.unlink()
    assert disk.open().put_event(event) == 4


@pytest.mark.parametrize(
    "statement",
    ["PRAGMA user_version = 99", "DROP TABLE events", "UPDATE events SET head = 'x'",
     "UPDATE events SET topic = CAST(x'ff' AS TEXT)", "UPDATE events SET put_time = 'noon'"],
)  # fmt: skip
def test_a_file_that_is_not_ours_any_more_is_set_aside(disk: Disk, statement: str) -> None:
    """Another version's tables, none, or rows that nobody can read: the agent goes on."""
    outbox = disk.open()
    put_events(outbox, 3)
    outbox.close()
    with closing(sqlite3.connect(disk.file)) as connection, connection:
        connection.execute(statement)
    again = disk.open()
    take_all(again)
    assert len(disk.set_aside()) == 1
    assert again.put_event(event) == 4
    assert numbers(again.take(9))[-1:] == [4]


def test_damage_while_running_is_survived(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """Pages that go bad under a running agent cost what was on them, never the agent."""
    put_events(disk.open(), 5000, size=2000)
    disk.close()
    outbox = disk.open()
    _damage(disk.file, at=0.3, length=2**20)
    found = numbers(take_all(outbox))
    assert 3000 < len(found) < 5000
    assert found == sorted(found)
    assert outbox.put_event(event) == 5001
    assert numbers(outbox.take(9)) == [5001]
    assert "were lost with it" in caplog.text


def test_a_locked_database_delays_events_but_loses_none(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """While a foreign program holds the file puts go on; later everything is there, in order."""
    caplog.set_level(logging.WARNING)
    outbox = disk.open()
    told = threading.Event()
    outbox.set_listener(told.set)
    with closing(sqlite3.connect(disk.file, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        put_events(outbox, 100)
        assert outbox.take(9) == []  # nobody gets what is not on the disk
        told.clear()
        with suppress(sqlite3.Error):
            foreign.execute("ROLLBACK")
    assert told.wait(10.0)
    assert settle(outbox) == list(range(1, 101))
    assert outbox.drops == {}
    assert caplog.text.count("cannot use its disk") == 1
    assert "can use its disk again" in caplog.text
