"""Repeats, gaps and new numberings, by stories and for any order of arrival."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.client import Bookmark, Gap, Order, ReceivedEvent, SequenceTracker, decode_event
from edge_agent.event import ClockStamp
from edge_agent.mqtt.payloads import event_payload
from tests.support.samples import event

NEXT, GAP, LATE, RESTART, REPEAT = Order


def numbered(
    seq: int, boot: str = "b", at: int | None = None, device: str = "dev"
) -> ReceivedEvent:
    """An event with a number; its monotonic time is the number's where none is given."""
    clock = ClockStamp(boot, seq if at is None else at, True)
    received = decode_event(event_payload(event(device=device, clock=clock), seq))
    assert isinstance(received, ReceivedEvent)
    return received


def orders(events: Iterable[ReceivedEvent], tracker: SequenceTracker | None = None) -> list[Order]:
    """The verdicts."""
    tracker = tracker or SequenceTracker()
    return [tracker.feed(each).order for each in events]


def test_one_after_the_other() -> None:
    """The first number of a device may be any."""
    assert orders(map(numbered, (40, 41, 42))) == [NEXT, NEXT, NEXT]


def test_repeats_after_a_lost_connection() -> None:
    """What was under way comes again, then it goes on."""
    found = orders(map(numbered, (1, 2, 3, 4, 2, 3, 4, 5, 5)))
    assert found == [NEXT] * 4 + [REPEAT] * 3 + [NEXT, REPEAT]


def test_a_gap_is_told_with_its_numbers() -> None:
    """From the first to the last that is missing."""
    tracker = SequenceTracker()
    tracker.feed(numbered(1))
    verdict = tracker.feed(numbered(5))
    assert (verdict.order, verdict.fresh) == (GAP, True)
    assert verdict.gap == Gap("dev", 2, 4)
    assert verdict.gap.missed == 3


def test_an_event_that_was_overtaken_is_late_once() -> None:
    """A broker may let events of one topic pass those of another."""
    assert orders(map(numbered, (1, 3, 2, 2, 3, 4))) == [NEXT, GAP, LATE, REPEAT, REPEAT, NEXT]


def test_an_event_older_than_the_first_is_late() -> None:
    """We came in amid a repetition: what we did not see is no repeat."""
    assert orders(map(numbered, (100, 98, 99, 100, 101))) == [NEXT, LATE, LATE, REPEAT, NEXT]


def test_devices_do_not_mix() -> None:
    """Each has numbers of its own."""
    pairs = [("a", 1), ("b", 1), ("a", 2), ("b", 1)]
    found = orders(numbered(seq, device=device) for device, seq in pairs)
    assert found == [NEXT, NEXT, NEXT, REPEAT]


def test_a_reboot_changes_nothing() -> None:
    """The monotonic clock begins anew and the numbers go on; repeats of both boots are known."""
    story = [
        numbered(7, "a", 900),
        numbered(8, "a", 950),
        numbered(9, "b", 3),
        numbered(10, "b", 5),
    ]
    again = [numbered(8, "a", 950), numbered(9, "b", 3), numbered(11, "b", 6)]
    assert orders(story + again) == [NEXT] * 4 + [REPEAT, REPEAT, NEXT]


@pytest.mark.parametrize("last", [5, 5000])
def test_a_device_that_lost_its_state_is_heard(last: int) -> None:
    """It begins at 1 again: with another boot id after a reboot, or later in the same boot."""
    seen = list(map(numbered, (last - 1, last)))
    rebooted = [numbered(1, "c", 1), numbered(2, "c", 2), numbered(1, "c", 1)]
    tracker = SequenceTracker()
    for number in range(1, 6):
        tracker.feed(numbered(number))
    assert orders(seen + rebooted, tracker)[-3:] == [RESTART, NEXT, REPEAT]
    same_boot = [numbered(1, at=last + 1), numbered(2, at=last + 2)]
    tracker = SequenceTracker()
    for number in range(1, 6):
        tracker.feed(numbered(number))
    assert orders(seen + same_boot, tracker)[-2:] == [RESTART, NEXT]


def test_a_device_without_a_state_folder_is_no_gap_of_years() -> None:
    """It counts from the milliseconds since 1970, and with its folder back from where it was."""
    story = [numbered(12), numbered(1_780_000_000_000, at=13), numbered(1_780_000_000_001, at=14)]
    found = orders([*story, numbered(13, at=15), numbered(14, at=16)])
    assert found == [NEXT, RESTART, NEXT, RESTART, NEXT]


def test_a_repeat_from_long_ago_is_one() -> None:
    """Also beyond the numbers that are remembered one by one."""
    tracker = SequenceTracker()
    orders(map(numbered, range(1, 3001)), tracker)
    assert orders(map(numbered, (1, 1900, 2500, 3000, 3001)), tracker) == [REPEAT] * 4 + [NEXT]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=120))
def test_each_number_is_fresh_exactly_once(arrivals: list[int]) -> None:
    """In any order with any repeats, within one numbering."""
    tracker = SequenceTracker()
    tracker.feed(numbered(61, at=10**9))
    fresh = [seq for seq in arrivals if tracker.feed(numbered(seq)).fresh]
    assert sorted(fresh) == sorted(set(arrivals))


@given(
    kept=st.sets(st.integers(1, 3000), min_size=1, max_size=50),
    back=st.lists(st.integers(0, 20), min_size=50, max_size=50),
)
def test_gaps_add_up_to_what_is_missing(kept: set[int], back: list[int]) -> None:
    """For what agents do: numbers in order, some never sent, runs of the last sent again."""
    tracker, missed, fresh = SequenceTracker(), 0, []
    sent = sorted(kept)
    for at, steps in zip(range(len(sent)), back, strict=False):
        for seq in sent[max(0, at - steps) : at + 1]:
            verdict = tracker.feed(numbered(seq))
            missed += verdict.gap.missed if verdict.gap else 0
            fresh += [seq] if verdict.fresh else []
    assert fresh == sent
    assert missed == sent[-1] - sent[0] + 1 - len(sent)


@settings(max_examples=15)  # each opens files
@given(
    cut=st.integers(1, 29),
    arrivals=st.lists(st.integers(1, 40), min_size=30, max_size=30),
)
def test_a_bookmark_changes_no_verdict(
    tmp_path_factory: pytest.TempPathFactory, cut: int, arrivals: list[int]
) -> None:
    """A new process with the bookmark judges as the old one would have."""
    events = [numbered(seq, at=1) for seq in arrivals]
    path = tmp_path_factory.mktemp("bookmark") / "file"
    first = SequenceTracker(Bookmark(path))
    found = orders(events[:cut], first)
    first.keep("dev")
    found += orders(events[cut:], SequenceTracker(Bookmark(path)))
    assert found == orders(events)


def test_what_was_not_kept_comes_again(tmp_path: Path) -> None:
    """A consumer that died before it was done with an event gets it once more."""
    first = SequenceTracker(Bookmark(tmp_path / "file"))
    first.feed(numbered(1))
    first.keep("dev")
    first.feed(numbered(2))
    second = SequenceTracker(Bookmark(tmp_path / "file"))
    assert orders(map(numbered, (1, 2, 3)), second) == [REPEAT, NEXT, NEXT]


def test_a_damaged_row_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With an error in the log, not an exception amid the events."""
    for text in ("", "{}", "[]", '{"last": 1, "seen": 1, "boots": {}}', '{"boots": 3}'):
        bookmark = Bookmark(tmp_path / "file")
        bookmark.save("dev", text)
        assert orders([numbered(7)], SequenceTracker(bookmark)) == [NEXT]
    assert caplog.text.count("the bookmark of dev cannot be read") == 5


def test_what_is_no_bookmark_is_refused(tmp_path: Path) -> None:
    """A file of someone else's stays as it is."""
    (tmp_path / "file").write_text("my shopping list, which is long enough to be no database" * 30)
    with pytest.raises(sqlite3.DatabaseError):
        Bookmark(tmp_path / "file")
    assert (tmp_path / "file").read_text().startswith("my shopping list")


def test_memory_is_bounded() -> None:
    """Devices heard of longest ago go first, boots too."""
    tracker = SequenceTracker(most_devices=2)
    assert orders((numbered(5, device=d) for d in "abcab"), tracker) == [NEXT] * 5
    tracker = SequenceTracker()
    orders((numbered(n, f"boot{n}", 1) for n in range(1, 40)), tracker)
    tracker.keep("dev")
    assert len(tracker._places["dev"].boots) == 8


def test_keeping_a_device_never_heard_of_does_nothing(tmp_path: Path) -> None:
    """Nor does keeping without a bookmark."""
    bookmark = Bookmark(tmp_path / "file")
    SequenceTracker(bookmark).keep("dev")
    SequenceTracker().keep("dev")
    assert bookmark.load("dev") is None
