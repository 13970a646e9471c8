"""Files of numbers and of sound: what they hold, and what is wrong with them."""

from __future__ import annotations

import struct
import wave
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_agent.sources.arrays import BadNumbers, load_arrays, load_sound, load_table

RAMP = np.arange(6, dtype=np.int8).reshape(2, 3)


def wav(
    path: Path, code: int, bits: int, channels: int, content: bytes, extra: bytes = b""
) -> Path:
    """A WAVE file of 16 kHz with another chunk before its samples."""
    frame = channels * bits // 8
    head = struct.pack("<2H2I2H", code, channels, 16000, 16000 * frame, frame, bits) + extra
    chunks = [(b"fmt ", head), (b"LIST", b"odd"), (b"data", content)]
    body = b"".join(
        struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2) for name, data in chunks
    )
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body)
    return path


def test_arrays_come_as_they_were_saved(tmp_path: Path) -> None:
    """Their dtype, shape and names."""
    np.save(tmp_path / "one.npy", RAMP)
    np.savez(tmp_path / "two.npz", RAMP, other=RAMP[0])
    (only,) = load_arrays(tmp_path / "one.npy").items()
    assert only[0] == "arr_0"
    np.testing.assert_array_equal(only[1], RAMP, strict=True)
    both = load_arrays(tmp_path / "two.npz")
    assert {name: array.shape for name, array in both.items()} == {"arr_0": (2, 3), "other": (3,)}


def _npy(header: str) -> bytes:
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"", "it is no .npy file of plain arrays"),
        ("x.npy", b"PK\x03\x04" + bytes(40), "it is no .npy file of plain arrays"),
        ("x.npz", b"PK\x03\x04" + bytes(40), "it is no .npz file of plain arrays"),
        (
            "x.npy",
            _npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1000000000000,), }"),
            "it is no .npy file of plain arrays",
        ),
        (
            "x.npy",
            _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + bytes(64),
            "it is no .npy file of plain arrays",
        ),
    ],
    ids=["empty", "a-zip", "a-broken-zip", "a-huge-claim", "a-pickle"],
)
def test_arrays_that_cannot_be_used(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """Nothing is unpickled, and no memory taken for what a header claims."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadNumbers, match=message):
        load_arrays(tmp_path / name)


def test_a_zip_that_swells(tmp_path: Path) -> None:
    """What it unpacks to counts, not the size of the file."""
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(257):
            archive.writestr(f"{number}.npy", bytes(2**20))
    with pytest.raises(BadNumbers, match="unpacked it is larger than 256 MiB"):
        load_arrays(path)


@pytest.mark.parametrize("load", [load_arrays, load_table, load_sound])
def test_a_file_that_is_not_there(tmp_path: Path, load: type) -> None:
    """The system's own words."""
    with pytest.raises(BadNumbers, match="it cannot be read: No such file"):
        load(tmp_path / "none.npy")


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n-3,4e1\n",
        "a;b\n1; 2.5\n\n-3;40 # the last\n",
        "\ufeff1\t2.5\r\n-3\t40",
        "# numbers\n1 2.5\n-3   40\n",
    ],
)
def test_tables(tmp_path: Path, text: str) -> None:
    """Separators, names of columns, remarks and line ends of many programs."""
    path = tmp_path / "x.csv"
    path.write_text(text, "utf-8")
    np.testing.assert_array_equal(load_table(path), [[1.0, 2.5], [-3.0, 40.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "it holds no numbers"),
        (b"time,value\n", "it holds no numbers"),
        (b"time,value\n12:00,1\n", "line 2: '12:00' is no number: leave such columns out"),
        (b"1;2,5\n", "line 1: '2,5' is no number"),
        (b"1,2\n\n3\n", "line 3 has 1 numbers, those before it have 2"),
        (b"\xff\xfe1", "it is no text"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: bytes, message: str) -> None:
    """The line is named, and a row of numbers is never taken for names."""
    path = tmp_path / "x.csv"
    path.write_bytes(text)
    with pytest.raises(BadNumbers, match=message):
        load_table(path)


@pytest.mark.parametrize(
    ("code", "bits", "content"),
    [
        (1, 8, bytes([0, 128, 192])),
        (1, 16, struct.pack("<3h", -32768, 0, 16384)),
        (1, 24, b"\x00\x00\x80" + b"\x00\x00\x00" + b"\x00\x00\x40"),
        (1, 32, struct.pack("<3i", -(2**31), 0, 2**30)),
        (3, 32, struct.pack("<3f", -1.0, 0.0, 0.5)),
        (3, 64, struct.pack("<3d", -1.0, 0.0, 0.5)),
    ],
)
def test_sound_of_every_format(tmp_path: Path, code: int, bits: int, content: bytes) -> None:
    """-1 to 1, whatever the samples are stored as, also in the extensible form."""
    guid = struct.pack("<2HIH14x", 22, bits, 0, code)
    for extra in (b"", guid):
        sound = load_sound(
            wav(tmp_path / "x.wav", 0xFFFE if extra else code, bits, 1, content, extra)
        )
        assert sound.rate == 16000
        assert sound.samples.dtype == np.float32
        assert sound.samples.tolist() == [-1.0, 0.0, 0.5]


def test_stereo_is_averaged(tmp_path: Path) -> None:
    """As the standard library writes it."""
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<4h", 16384, 0, -16384, -16384))
    sound = load_sound(tmp_path / "x.wav")
    assert (sound.samples.tolist(), sound.rate) == ([0.25, -0.5], 8000)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([b"RIFX", b"1234WAVE"], "it is no WAVE file"),
        ([b"RIFF", b"1234WAVE", b"data", bytes(4)], "it has no format or no samples"),
        ([b"RIFF", b"1234WAVE", b"fmt ", struct.pack("<I", 3), b"123"], "no format or no samples"),
    ],
)
def test_sound_that_cannot_be_used(tmp_path: Path, parts: Sequence[bytes], message: str) -> None:
    """Another container, chunks that are missing or break off."""
    path = tmp_path / "x.wav"
    path.write_bytes(b"".join(parts))
    with pytest.raises(BadNumbers, match=message):
        load_sound(path)


def test_sound_that_is_compressed(tmp_path: Path) -> None:
    """The format is named, with what to save it as."""
    path = wav(tmp_path / "x.wav", 7, 8, 1, b"123")
    with pytest.raises(BadNumbers, match="format 7 of 8 bits is unknown: save it as PCM"):
        load_sound(path)


def test_sound_that_breaks_off(tmp_path: Path) -> None:
    """Whole frames of what is there are taken."""
    path = wav(tmp_path / "x.wav", 1, 16, 2, struct.pack("<6h", *[8192] * 6))
    path.write_bytes(path.read_bytes()[:-3])
    assert load_sound(path).samples.tolist() == [0.25, 0.25]
