"""A disk without room for a single byte, made of a small file system of the test's own."""

from __future__ import annotations

from pathlib import Path

from edge_agent.outbox.seq_mark import SeqMark, read_mark, write_mark
from tests.support.outbox import Disk, event, put_events
from tests.support.small_disk import needs_root, told_by_child

_FULL_AT_THE_START = """
import json, sys
from pathlib import Path
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.support.outbox import event, put_events, settle
from tests.support.small_disk import SmallDisk, own_mounts

if not own_mounts():
    sys.exit("no mounts")
disk = SmallDisk(Path(sys.argv[1]), mounted=True)
file = disk.folder / "dev"
waited, lost = [], 0
outbox = SqliteOutbox(file)
put_events(outbox, 50, 600)
outbox.close()
for _ in range(2):
    disk.fill()
    outbox = SqliteOutbox(file)
    waited.append(outbox.depth)
    put_events(outbox, 100, 600)
    outbox.close()
    lost += outbox.drops["event_disk"]
disk.free()
outbox = SqliteOutbox(file)
last = outbox.put_event(event)
delivered = settle(outbox)
outbox.close()
print(json.dumps([waited, lost, last, delivered]))
"""


@needs_root
def test_an_outbox_opens_on_a_full_disk_and_keeps_what_it_has(tmp_path: Path) -> None:
    """However often the agent is stopped and started meanwhile; no number comes twice."""
    told = told_by_child(_FULL_AT_THE_START, str(tmp_path / "small"))
    waited, lost, last, delivered = told
    assert waited[0] == 50
    assert waited[1] >= 50
    assert last == 251
    assert delivered[:50] == list(range(1, 51))
    assert delivered == sorted(set(delivered))
    assert len(delivered) == 251 - lost


def test_the_mark_of_the_numbers_needs_no_room_for_a_second_file(tmp_path: Path) -> None:
    """Where none can be made the old mark is written over, also by a shorter one."""
    path = tmp_path / "dev.seq"
    write_mark(path, SeqMark(10, 10_010, "a-long-boot-id"))
    (tmp_path / "dev.seq.new").mkdir()
    write_mark(path, SeqMark(11, 11, "*"))
    assert read_mark(path) == SeqMark(11, 11, "*")


def test_numbers_count_as_reserved_only_when_that_is_on_the_disk(disk: Disk) -> None:
    """A mark that could not be written at the start is written as soon as it can be."""
    disk.folder.mkdir()
    mark = disk.folder / "dev.seq"
    for name in (mark, disk.folder / "dev.seq.new"):
        name.mkdir()
    outbox = disk.open()
    mark.rmdir()
    (disk.folder / "dev.seq.new").rmdir()
    put_events(outbox, 1)
    found = read_mark(mark)
    assert found is not None
    assert found.reserved > 1
    assert outbox.put_event(event) == 2
