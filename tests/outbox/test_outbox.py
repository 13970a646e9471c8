"""One suite for every outbox: a new one joins by a line in OUTBOXES."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.message import Delivery, Message
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.support.outbox import HandClock, event, numbers, put_events

Factory = Callable[..., Outbox]

OUTBOXES: dict[str, Callable[[OutboxOptions, HandClock, Path], Outbox]] = {
    "memory": lambda options, clock, _: MemoryOutbox(options, clock=clock),
    "sqlite": lambda options, clock, folder: SqliteOutbox(folder / "dev", options, clock),
}


@pytest.fixture
def clock() -> HandClock:
    """The clock that the outbox of the test goes by."""
    return HandClock()


@pytest.fixture(params=list(OUTBOXES))
def make(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> Iterator[Factory]:
    """Makes the outbox under test with given bounds, and closes it after the test."""
    made: list[Outbox] = []

    def build(**options: Any) -> Outbox:
        made.append(OUTBOXES[request.param](OutboxOptions(**options), clock, tmp_path))
        return made[-1]

    yield build
    for outbox in made:
        outbox.close()


def state(topic: str, payload: bytes = b"1") -> Message:
    """A retained state."""
    return Message(topic, payload, Delivery.STATE, qos=1, retain=True)


def telemetry(number: int, size: int = 10) -> Message:
    """A message that is worthless when late."""
    return Message("P/health", b"%0*d" % (size, number), Delivery.TELEMETRY)


def test_events_keep_their_order_until_acknowledged(make: Factory) -> None:
    """Events come out as they went in, and only an ack makes them go."""
    outbox = make()
    put_events(outbox, 5)
    first = outbox.take(2)
    assert numbers(first) == [1, 2]
    assert numbers(outbox.take(10)) == [3, 4, 5]
    assert outbox.depth == 5
    outbox.ack([entry.id for entry in first])
    assert outbox.depth == 3
    assert outbox.drops == {}


def test_seq_rises_by_one_and_is_in_the_message(make: Factory) -> None:
    """put_event returns the number that the message was made with."""
    outbox = make()
    seqs = [outbox.put_event(event) for _ in range(4)]
    assert seqs == list(range(seqs[0], seqs[0] + 4))
    assert numbers(outbox.take(9)) == seqs


def test_seq_is_not_used_up_when_the_message_cannot_be_made(make: Factory) -> None:
    """An error while making the message reaches the caller and leaves no gap."""
    outbox = make()
    before = outbox.put_event(event)
    with pytest.raises(ZeroDivisionError):
        outbox.put_event(lambda _: event(1 // 0))
    assert outbox.put_event(event) == before + 1


def test_several_events_are_put_at_once_or_none_of_them(make: Factory) -> None:
    """put_events numbers its messages in order, and an error among them leaves nothing behind."""
    outbox = make()
    assert outbox.put_events([event, event]) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        outbox.put_events([event, lambda _: event(1 // 0)])
    assert outbox.put_events([]) == []
    assert outbox.put_events([event]) == [3]
    assert numbers(outbox.take(9)) == [1, 2, 3]


def test_events_that_were_held_back_are_marked(make: Factory) -> None:
    """Replayed is what was put while the broker was away, before it went away, or released."""
    outbox = make()
    put_events(outbox, 1)
    outbox.set_online(True)
    put_events(outbox, 2)
    outbox.put(state("P/info"))
    first = [entry for entry in outbox.take(9) if entry.message.delivery is Delivery.EVENT]
    assert [entry.replayed for entry in first] == [True, False, False]
    outbox.release([first[2].id])
    assert [entry.replayed for entry in outbox.take(9)] == [True]
    put_events(outbox, 1)
    outbox.set_online(False)
    put_events(outbox, 1)
    outbox.set_online(True)
    put_events(outbox, 1)
    assert [entry.replayed for entry in outbox.take(9)] == [True, True, False]


def test_states_are_never_marked_as_replayed(make: Factory) -> None:
    """A state is true however old."""
    outbox = make()
    outbox.put(state("P/info"))
    (entry,) = outbox.take(9)
    outbox.release([entry.id])
    assert [entry.replayed for entry in outbox.take(9)] == [False]


def test_a_long_backlog_keeps_its_order_among_new_events(make: Factory) -> None:
    """More events than are at hand in memory come out in order, with puts and releases between."""
    outbox = make()
    put_events(outbox, 1500)
    seen: list[int] = []
    while entries := outbox.take(40):
        outbox.release([entry.id for entry in entries[30:]])
        seen += numbers(entries[:30])
        outbox.ack([entry.id for entry in entries[:30]])
        if len(seen) < 900:
            put_events(outbox, 20)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) == 2080
    assert outbox.depth == 0


def test_seq_has_no_gap_and_no_repeat_between_threads(make: Factory) -> None:
    """Many threads get each number once, and the queue is in that order."""
    outbox = make()
    threads = [threading.Thread(target=put_events, args=(outbox, 50)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(outbox.take(500)) == list(range(1, 201))


def test_released_messages_come_first_again(make: Factory) -> None:
    """After a lost connection the order is as if nothing had been taken."""
    outbox = make()
    put_events(outbox, 6)
    taken = outbox.take(4)
    outbox.ack([taken[1].id])
    outbox.release([taken[3].id, taken[0].id])
    outbox.release([taken[2].id])
    assert numbers(outbox.take(10)) == [1, 3, 4, 5, 6]


def test_settling_twice_or_unknown_ids_is_harmless(make: Factory) -> None:
    """A late or repeated answer of the broker changes nothing."""
    outbox = make()
    put_events(outbox, 2)
    (taken,) = outbox.take(1)
    outbox.ack([taken.id, taken.id, 999])
    outbox.release([taken.id])
    outbox.reject([taken.id], "refused")
    assert numbers(outbox.take(10)) == [2]
    assert outbox.drops == {}


def test_rejected_messages_leave_and_are_counted(make: Factory) -> None:
    """What the broker never accepts is not tried again."""
    outbox = make()
    put_events(outbox, 1)
    outbox.put(state("P/info"))
    outbox.reject([entry.id for entry in outbox.take(5)], "refused")
    assert outbox.depth == 0
    assert outbox.drops == {"event_refused": 1, "state_refused": 1}


def test_only_the_newest_state_of_a_topic_waits(make: Factory) -> None:
    """States are coalesced by topic, which is no loss."""
    outbox = make()
    for value in (b"1", b"2", b"3"):
        outbox.put(state("P/p/counts/person", value))
    outbox.put(state("P/p/counts/car", b"7"))
    assert [entry.message.payload for entry in outbox.take(9)] == [b"3", b"7"]
    assert outbox.drops == {}


def test_a_released_state_gives_way_to_a_newer_one(make: Factory) -> None:
    """An old value must never come after a newer one of its topic."""
    outbox = make()
    outbox.put(state("P/p/counts/person", b"1"))
    outbox.put(state("P/p/status", b"online"))
    old = outbox.take(9)
    outbox.put(state("P/p/counts/person", b"2"))
    outbox.release([entry.id for entry in old])
    assert sorted(entry.message.payload for entry in outbox.take(9)) == [b"2", b"online"]
    assert outbox.depth == 2


def test_events_and_states_take_turns(make: Factory) -> None:
    """A backlog of events does not hold back a fresh state, nor the other way round."""
    outbox = make()
    put_events(outbox, 20)
    for number in range(20):
        outbox.put(state(f"P/p/counts/{number}"))
    kinds = [outbox.take(1)[0].message.delivery for _ in range(20)]
    assert kinds.count(Delivery.STATE) == kinds.count(Delivery.EVENT) == 10


def test_telemetry_is_dropped_and_counted_while_offline(make: Factory) -> None:
    """Telemetry waits only while the broker is there."""
    outbox = make()
    outbox.put(telemetry(1))
    outbox.set_online(True)
    outbox.put(telemetry(2))
    outbox.put(telemetry(3))
    taken = outbox.take(1)
    outbox.set_online(False)
    outbox.release([entry.id for entry in taken])
    assert outbox.depth == 0
    assert outbox.drops == {"telemetry_offline": 3}


def test_oldest_events_go_when_full_and_are_counted(make: Factory) -> None:
    """The bound in bytes holds, at the cost of the oldest events."""
    outbox = make(max_bytes=2**16)
    put_events(outbox, 100, size=1000)
    kept = numbers(outbox.take(1000))
    assert kept == list(range(101 - len(kept), 101))
    assert 30 < len(kept) * 1000 / 1024 < 64
    assert outbox.drops == {"event_full": 100 - len(kept)}


def test_states_and_telemetry_never_crowd_out_events(make: Factory) -> None:
    """Each kind is bounded by itself."""
    outbox = make(max_bytes=2**16)
    outbox.set_online(True)
    put_events(outbox, 10, size=1000)
    for number in range(200):
        outbox.put(state(f"P/p/counts/{number}", bytes(1000)))
        outbox.put(telemetry(number, 1000))
    taken = outbox.take(1000)
    events = [entry for entry in taken if entry.message.delivery is Delivery.EVENT]
    assert numbers(events) == list(range(1, 11))
    assert sum(len(entry.message.payload) for entry in taken) < 2**16
    assert set(outbox.drops) == {"state_full", "telemetry_full"}


def test_a_message_larger_than_the_room_is_dropped_alone(make: Factory) -> None:
    """One monster does not push out everything else."""
    outbox = make(max_bytes=2**16)
    put_events(outbox, 3)
    outbox.put(event(4, size=2**17))
    assert numbers(outbox.take(9)) == [1, 2, 3]
    assert outbox.drops == {"event_full": 1}


def test_releasing_into_a_full_outbox_drops_the_oldest(make: Factory) -> None:
    """What comes back is the oldest and so the first to go."""
    outbox = make(max_bytes=2**16)
    put_events(outbox, 20, size=1000)
    taken = outbox.take(20)
    put_events(outbox, 40, size=1000)
    outbox.release([entry.id for entry in taken])
    kept = numbers(outbox.take(99))
    assert kept == list(range(61 - len(kept), 61))
    assert outbox.drops == {"event_full": 60 - len(kept)}


def test_old_events_are_dropped_by_age(make: Factory, clock: HandClock) -> None:
    """Events older than max_age are worthless; a state is true however old."""
    outbox = make(max_age=60.0)
    put_events(outbox, 2)
    outbox.put(state("P/info"))
    clock.now += 40
    put_events(outbox, 1)
    clock.now += 40
    entries = outbox.take(9)
    assert [e.message.payload for e in entries if e.message.delivery is Delivery.EVENT] == [
        b"%010d" % 3
    ]
    assert len(entries) == 2
    assert outbox.drops == {"event_age": 2}


def test_entries_tell_when_they_were_put(make: Factory, clock: HandClock) -> None:
    """The time of putting is kept through a release."""
    outbox = make()
    put_events(outbox, 1)
    put_at = clock.now
    clock.now += 5
    (entry,) = outbox.take(1)
    outbox.release([entry.id])
    assert outbox.take(1)[0].put_time == entry.put_time == put_at


def test_the_listener_hears_of_every_put_and_release(make: Factory) -> None:
    """The client is woken when there is something to take."""
    outbox = make()
    calls: list[int] = []
    outbox.set_listener(lambda: calls.append(1))
    put_events(outbox, 1)
    outbox.put(state("P/info"))
    outbox.release([entry.id for entry in outbox.take(9)])
    outbox.set_listener(None)
    put_events(outbox, 1)
    assert len(calls) == 3


def test_losses_are_said_once_a_minute(
    make: Factory, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A flood of drops gives one warning at a time, and none is left unsaid at the end."""
    outbox = make(max_bytes=2**16)
    put_events(outbox, 200, size=1000)
    assert len(caplog.records) == 1
    clock.now += 61
    put_events(outbox, 1, size=1000)
    assert len(caplog.records) == 2
    put_events(outbox, 1, size=1000)
    outbox.close()
    said = " ".join(record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 3
    assert said.count("event_full") == 3


def test_nothing_is_kept_after_close(make: Factory) -> None:
    """Closing is safe twice, and a late put is counted instead of raising."""
    outbox = make()
    outbox.close()
    outbox.close()
    outbox.put(state("P/info"))
    assert outbox.drops == {"state_closed": 1}


_STEPS = st.lists(
    st.sampled_from(["put", "take", "ack", "release", "reject"]), min_size=1, max_size=60
)


@pytest.mark.parametrize("name", OUTBOXES)
@given(steps=_STEPS)
@settings(max_examples=60, deadline=None)
def test_no_event_is_lost_or_reordered_by_any_course(name: str, steps: list[str]) -> None:
    """However sending goes, the unsettled events come out complete and in order at the end."""
    with TemporaryDirectory() as folder:
        outbox = OUTBOXES[name](OutboxOptions(), HandClock(), Path(folder))
        _go_through(steps, outbox)
        outbox.close()


def _go_through(steps: list[str], outbox: Outbox) -> None:
    put: list[int] = []
    gone: set[int] = set()
    taken: list[tuple[int, int]] = []
    for step in steps:
        if step == "put":
            put.append(outbox.put_event(event))
        elif step == "take":
            taken += [(entry.id, int(entry.message.payload)) for entry in outbox.take(2)]
        elif step == "release":
            outbox.release([id_ for id_, _ in taken])
            taken.clear()
        elif taken:
            id_, number = taken.pop(len(taken) // 2)
            gone.add(number)
            outbox.ack([id_]) if step == "ack" else outbox.reject([id_], "refused")
    outbox.release([id_ for id_, _ in taken])
    assert outbox.depth == len(put) - len(gone)
    assert numbers(outbox.take(1000)) == [number for number in put if number not in gone]
