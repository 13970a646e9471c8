"""The account itself: what it calls missing, and what it lets pass."""

from __future__ import annotations

from tests.torture.journal import Life
from tests.torture.packets import Ledger, Witness
from tests.torture.verdict import Account, Verdict, stuck_states
from tests.torture.watcher import Received


def received(*pairs: tuple[int, int]) -> Received:
    """What a watcher has who got these seqs with these numbers."""
    got = Received()
    for seq, number in pairs:
        got.add(b'{"seq":%d,"track":%d,"replayed":false}' % (seq, number))
    return got


def account(life: Life, got: Received, ledger: Ledger | None = None) -> Account:
    """The account of one life."""
    made = Account()
    made.add(life, got, ledger or Ledger())
    return made


def test_an_event_that_did_not_come_is_missing() -> None:
    """Also where its seq came, but with another event."""
    life = Life(put={1: 101, 2: 102, 3: 103})
    made = account(life, received((1, 101), (3, 999)))
    assert (made.made, made.received, made.missing) == (3, 1, 2)
    assert "2 events are missing" in Verdict(made).violations


def test_counted_drops_explain_as_many_as_were_counted() -> None:
    """One more is missing, one less is a count too many."""
    life = Life(put={1: 101, 2: 102, 3: 103}, drops=1)
    assert account(life, received((1, 101), (2, 102))).missing == 0
    assert account(life, received((1, 101))).missing == 1
    assert account(life, received((1, 101), (2, 102), (3, 103))).overcounted == 1


def test_only_a_broker_that_was_killed_may_lose_what_it_acknowledged() -> None:
    """The same acknowledgement by a broker that lives on is no excuse, nor one of another event."""
    life = Life(put={7: 107})
    assert account(life, received(), Ledger(1, {7: (107, 0)})).lost_by_broker == 1
    assert account(life, received(), Ledger(0, {7: (107, 0)})).missing == 1
    assert account(life, received(), Ledger(1, {7: (106, 0)})).missing == 1


def test_memory_dies_only_with_a_full_disk_and_only_a_mebibyte_of_it() -> None:
    """Elsewhere, or beyond that, what does not come is missing."""
    few = Life(put={seq: seq for seq in range(100)}, disk_failed=True)
    assert account(few, received()).died_with_full_disk == 100
    few.disk_failed = False
    assert account(few, received()).missing == 100
    many = Life(put={seq: seq for seq in range(2000)}, disk_failed=True)
    assert account(many, received()).missing == 2000


def test_order_repeats_and_reuse_are_told_apart() -> None:
    """A repeat is allowed, a late first is not, nor a seq with two events."""
    got = received((1, 101), (3, 103), (2, 102), (3, 103), (1, 100))
    assert (got.disordered, got.repeated, got.reused) == (1, 2, 1)
    said = Verdict(received=got).violations
    assert "1 events came out of order" in said
    assert "1 seqs came with two different events" in said


def test_stuck_states_are_those_that_nobody_wants() -> None:
    """A wrong value, a missing one, a count that is not 0, a pipeline that is gone."""
    wanted = {"e/d/a/status": "online", "e/d/a/counts/cat": "2", "e/d/status": "online"}
    kept = {
        "e/d/a/status": "offline",
        "e/d/status": "online",
        "e/d/a/counts/dog": "0",
        "e/d/a/counts/car": "1",
        "e/d/b/counts/car": "0",
    }
    stuck = stuck_states(kept, wanted, ["a"])
    assert sorted(stuck) == [
        "e/d/a/counts/car", "e/d/a/counts/cat", "e/d/a/status", "e/d/b/counts/car",
    ]  # fmt: skip


def test_the_witness_reads_acknowledgements_in_any_pieces() -> None:
    """QoS 1 events by their packet ids, refusals left out, byte by byte as in one go."""
    payload = b'{"id":"x","seq":%d,"pipeline":"p","track":%d,"label":"%s"}'
    sent = b"".join(
        _publish(packet_id, payload % (seq, track, b"c" * 150))
        for packet_id, seq, track in ((1, 11, 5), (2, 12, 6), (3, 13, 7))
    )
    answers = b"\x40\x02\x00\x01" + b"\x40\x04\x00\x02\x87\x00" + b"\x40\x04\x00\x03\x10\x00"
    for size in (1, 1000):
        ledger = Ledger(life=4)
        witness = Witness(ledger)
        for at in range(0, len(sent), size):
            witness.from_agent(sent[at : at + size])
        for at in range(0, len(answers), size):
            witness.from_broker(answers[at : at + size])
        assert ledger.acked == {11: (5, 4), 13: (7, 4)}
        assert ledger.unheard == {13}


def _publish(packet_id: int, payload: bytes) -> bytes:
    body = b"\x00\x03a/b" + packet_id.to_bytes(2, "big") + b"\x00" + payload
    assert 128 <= len(body) < 2**14
    return bytes([0x32, len(body) & 0x7F | 0x80, len(body) >> 7]) + body
