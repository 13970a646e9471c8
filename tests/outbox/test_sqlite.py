"""What only the outbox on disk has: files, restarts, and numbers that go on."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

import edge_agent.outbox.sqlite
from edge_agent.errors import StateError, StateInUse
from edge_agent.message import Delivery, Message
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.support.broker import wait_until
from tests.support.outbox import Disk, event, numbers, put_events, settle, take_all


def test_events_survive_a_crash_and_are_marked(disk: Disk) -> None:
    """What was there when the process started comes again as it was, marked as replayed."""
    outbox = disk.open()
    outbox.set_online(True)
    message = Message(
        "P/p/events", b'{"n":1}', Delivery.EVENT, 1, False, "application/json", 60, (("a", "b"),)
    )
    outbox.put_event(lambda _: message)
    put_at = disk.clock.now
    disk.clock.now += 100
    disk.crash()
    (entry,) = take_all(again := disk.open())
    assert (entry.message, entry.put_time, entry.replayed) == (message, put_at, True)
    again.set_online(True)
    put_events(again, 1)
    assert [entry.replayed for entry in again.take(9)] == [False]


def test_seq_goes_on_after_a_crash_although_all_was_delivered(disk: Disk) -> None:
    """The newest number outlives its event."""
    outbox = disk.open()
    put_events(outbox, 7)
    assert settle(outbox) == list(range(1, 8))
    wait_until(lambda: disk.rows() == 0)
    disk.crash()
    again = disk.open()
    assert again.depth == 0
    assert again.put_event(event) == 8
    assert settle(again) == [8]
    again.close()
    assert disk.open().put_event(event) == 9


def test_a_crash_before_the_first_event_leaves_no_gap(disk: Disk) -> None:
    """Numbers begin at 1 however often the agent is started."""
    for _ in range(3):
        disk.open()
        disk.crash()
    assert disk.open().put_event(event) == 1


def test_acknowledged_events_do_not_come_again_after_a_stop(disk: Disk) -> None:
    """close() writes what was settled a moment ago."""
    outbox = disk.open()
    put_events(outbox, 3)
    outbox.ack([outbox.take(1)[0].id])
    outbox.close()
    assert numbers(take_all(disk.open())) == [2, 3]


def test_rejected_and_expired_events_leave_the_disk(disk: Disk) -> None:
    """What was dropped for good is not there after a crash either."""
    outbox = disk.open(max_age=60.0)
    put_events(outbox, 2)
    outbox.reject([outbox.take(1)[0].id], "refused")
    disk.clock.now += 61
    assert outbox.take(9) == []
    wait_until(lambda: disk.rows() == 0)
    assert outbox.drops == {"event_refused": 1, "event_age": 1}


def test_events_are_too_old_after_a_restart_as_well(disk: Disk) -> None:
    """The time in which the agent did not run counts."""
    put_events(disk.open(max_age=60.0), 2)
    disk.crash()
    disk.clock.now += 40
    put_events(disk.open(max_age=60.0), 1)
    disk.crash()
    disk.clock.now += 40
    outbox = disk.open(max_age=60.0)
    assert numbers(take_all(outbox)) == [3]
    assert outbox.drops == {"event_age": 2}


@pytest.mark.parametrize("then", [0.0, 1_780_000_000.0 + 3600])
def test_a_clock_that_was_wrong_loses_nothing(disk: Disk, then: float) -> None:
    """Events put before the clock was set, or while it was ahead, count as new after a restart."""
    now = disk.clock.now
    disk.clock.now = then
    put_events(disk.open(max_age=60.0), 2)
    disk.crash()
    disk.clock.now = now
    assert numbers(take_all(disk.open(max_age=60.0))) == [1, 2]


def test_the_bound_holds_on_disk_and_over_a_restart(disk: Disk) -> None:
    """The files stay below max_bytes; the oldest go first, also from an earlier process."""
    outbox = disk.open(max_bytes=2**21)
    put_events(outbox, 3000, size=1000)
    kept = 3000 - outbox.drops["event_full"]
    assert disk.file.stat().st_size <= 2**21
    disk.crash()
    again = disk.open(max_bytes=2**20)
    put_events(again, 1, size=1000)
    assert again.drops["event_full"] > kept / 3
    left = kept - again.drops["event_full"] + 1
    assert numbers(take_all(again)) == list(range(3002 - left, 3002))


def test_states_are_not_written_to_the_disk(disk: Disk) -> None:
    """States and telemetry cost the disk nothing."""
    outbox = disk.open()
    outbox.set_online(True)
    before = _stamps(disk.folder)
    for number in range(50):
        outbox.put(Message("P/counts/a", b"%d" % number, Delivery.STATE, 1, True))
        outbox.put(Message("P/health", b"1", Delivery.TELEMETRY))
    outbox.ack([entry.id for entry in outbox.take(99)])
    outbox.close()
    with closing(sqlite3.connect(disk.file)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert before.keys() >= {"dev", "dev.lock", "dev.seq"}


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in folder.iterdir()}


def test_an_idle_outbox_writes_nothing(disk: Disk) -> None:
    """Once what was settled is deleted, no file changes, although takes go on."""
    outbox = disk.open()
    outbox.set_online(True)
    put_events(outbox, 20)
    settle(outbox)
    wait_until(lambda: disk.rows() == 0)
    before = _stamps(disk.folder)
    for _ in range(25):
        assert outbox.take(20) == []
        time.sleep(0.1)  # two and a half rounds of the thread that tidies up
    assert _stamps(disk.folder) == before


def test_many_threads_put_and_take_at_once(disk: Disk) -> None:
    """Every event is taken once and in order by each taker; nothing is left on the disk."""
    outbox = disk.open()
    outbox.set_online(True)
    seen: list[list[int]] = [[], []]
    is_over = threading.Event()

    def take(mine: list[int]) -> None:
        while not is_over.is_set() or outbox.depth:
            mine += settle(outbox, 7)

    takers = [threading.Thread(target=take, args=(mine,)) for mine in seen]
    putters = [threading.Thread(target=put_events, args=(outbox, 400)) for _ in range(4)]
    for thread in takers + putters:
        thread.start()
    for thread in putters:
        thread.join()
    is_over.set()
    for thread in takers:
        thread.join()
    assert sorted(seen[0] + seen[1]) == list(range(1, 1601))
    assert all(mine == sorted(mine) for mine in seen)
    outbox.close()
    assert disk.open().depth == 0


def test_a_second_user_of_the_file_is_refused(disk: Disk) -> None:
    """The error names the file, the process that has it, and what to do."""
    disk.open()
    with pytest.raises(StateInUse, match=r"dev is in use by process \d+ \(stop that agent"):
        SqliteOutbox(disk.file)


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """A path through a file, or a folder in the database's place, is told as it is."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "dev", tmp_path / "folder"):
        with pytest.raises(StateError, match="cannot be used"):
            SqliteOutbox(path)


def _reboot(disk: Disk, monkeypatch: pytest.MonkeyPatch, boot: str = "the next boot") -> None:
    disk.crash()
    monkeypatch.setattr(edge_agent.outbox.sqlite, "boot_id", lambda: boot)


def test_numbers_never_come_again_after_a_power_cut(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may have taken numbers that subscribers saw: seq jumps over all of them."""
    put_events(disk.open(), 5)
    _reboot(disk, monkeypatch)
    outbox = disk.open()
    assert numbers(outbox.take(9)) == [1, 2, 3, 4, 5]
    assert outbox.put_event(event) == 10_001
    disk.crash()
    assert disk.open().put_event(event) == 10_002
    _reboot(disk, monkeypatch, "the one after it")
    disk.open().close()
    assert disk.open().put_event(event) == 20_002


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_seq_has_no_gap_over_a_reboot(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """After a clean stop, and with durability full always, the next boot goes on by one."""
    outbox = disk.open(durability=durability)
    put_events(outbox, 5)
    if durability == "normal":
        outbox.close()
    _reboot(disk, monkeypatch)
    assert disk.open(durability=durability).put_event(event) == 6
