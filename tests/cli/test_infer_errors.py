"""`edge-agent infer`: whatever is wrong is one line that names the cure, and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import MODEL, Terminal

BELT_BYTES = Path(MODEL).read_bytes()
UNKNOWN_ENGINE = (
    "models.belt.engine: expected 'auto', 'tflite' or 'numpy', got 'tflit' (did you mean 'tflite'?)"
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tflite", None, "model {} does not exist (check the path)"),
        ("empty.tflite", b"", "model {} is empty (download or export it again)"),
        (
            "picture.tflite",
            b"\x89PNG\r\n\x1a\n" + bytes(100),
            "{} is a PNG picture, not a TFLite model (name the .tflite file)",
        ),
        (
            "half.tflite",
            BELT_BYTES[:10000],
            (
                "{} is damaged or not supported: buffer 0: offset 171764 is outside the 10000 "
                "bytes of the file (download or export the model again)"
            ),
        ),
    ],
)
def test_a_model_that_cannot_be_read(
    terminal: Terminal, frame: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """Missing, empty, another kind of file, cut off: the file, the reason and the cure."""
    model = tmp_path / name
    if content is not None:
        model.write_bytes(content)
    answer = terminal("infer", "-m", model, "-i", frame)
    assert (answer.code, answer.out) == (1, "")
    assert answer.complaint == message.format(model)


def test_a_folder_is_no_model(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """It is told to name the file in it."""
    answer = terminal("infer", "-m", tmp_path, "-i", frame)
    assert answer.code == 1
    assert answer.complaint == f"model {tmp_path} is a folder (name the .tflite file in it)"


@pytest.mark.parametrize("size", range(0, 250_000, 11_111))
def test_a_truncated_model(terminal: Terminal, frame: Path, tmp_path: Path, size: int) -> None:
    """Wherever it is cut, it is one line, and no engine gets to see it and dies."""
    model = tmp_path / "cut.tflite"
    model.write_bytes(BELT_BYTES[:size])
    answer = terminal("infer", "-m", model, "-i", frame)
    assert answer.code == 1
    assert str(model) in answer.complaint
    assert answer.complaint.endswith("again)")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--task", "sdd"], 2, "models.belt.task: unknown decoder 'sdd' (did you mean 'ssd'?)"),
        (["--engine", "tflit"], 2, UNKNOWN_ENGINE),
        (["--threads", "99"], 2, "expected a whole number from 1 to 64, got 99"),
        (["--task", "classification"], 1, "(set task: auto, or task: raw to see the numbers)"),
        (["--delegate", "libnone.so"], 1, "(install it, or give the full path of the library)"),
        (["--model-labels", "none.txt"], 1, "none.txt does not exist (check the path)"),
        (["--draw", ""], 2, "--draw needs the name of a picture, such as out.jpg"),
    ],
)
def test_options_that_do_not_fit(
    terminal: Terminal, frame: Path, words: list[str], code: int, message: str
) -> None:
    """Wrong usage is 2, what the model does not allow is 1; nothing is inferred."""
    answer = terminal("infer", "-m", MODEL, "-i", frame, *words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.complaint.endswith(message)


@pytest.mark.parametrize(
    ("count", "cure"),
    [
        (2, "give the labels that belong to this model, one for each class in its order"),
        (
            3,
            (
                "one row is missing: if the model's class 0 means nothing, put a first label "
                '"background"'
            ),
        ),
    ],
)
def test_labels_that_do_not_fit(
    terminal: Terminal, frame: Path, tmp_path: Path, count: int, cure: str
) -> None:
    """Too few names would give objects without one; the counts and the cure are told."""
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"part {number}\n" for number in range(count)))
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--model-labels", labels)
    assert (answer.code, answer.out) == (1, "")
    assert answer.complaint == f"{count} labels do not fit a model with 4 classes ({cure})"


def test_labels_of_a_file(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """They take the place of those inside the model."""
    labels = tmp_path / "labels.txt"
    labels.write_text("Schraube\nMutter\nScheibe\nZahnrad\n")
    words = ("-i", frame, "--json", "--model-labels", labels)
    found = terminal("infer", "-m", MODEL, *words).json
    assert {each["label"] for each in found["results"]} == {
        "Schraube", "Mutter", "Scheibe", "Zahnrad",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "2"], "2 is not between 0 and 1"),
        (["--threshold", "nan"], "nan is not between 0 and 1"),
        (["--threshold", "x"], "invalid fraction value: 'x'"),
        (["--threads", "0"], "0 is less than 1"),
        (["--threads", "1.5"], "invalid positive value: '1.5'"),
    ],
)
def test_numbers_that_make_no_sense(
    terminal: Terminal, frame: Path, words: list[str], message: str
) -> None:
    """Wrong usage, with the option that is wrong."""
    answer = terminal("infer", "-m", MODEL, "-i", frame, *words)
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == (
        f"edge-agent infer: error: argument {words[0]}: {message}"
    )


@pytest.mark.parametrize("words", [["-m", MODEL], ["-i", "a.jpg"], ["-m", MODEL, "-i"]], ids=len)
def test_model_and_input_are_needed(terminal: Terminal, words: list[str]) -> None:
    """Without either it is wrong usage."""
    answer = terminal("infer", *words)
    assert (answer.code, answer.out) == (2, "")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("none/out.jpg", "No such file or directory (check the folder, its access and free space)"),
        ("frame.png/out.jpg", "Not a directory (check the folder, its access and free space)"),
        ("folder", "Is a directory (check the folder, its access and free space)"),
    ],
)
def test_a_picture_that_cannot_be_written(
    terminal: Terminal, frame: Path, tmp_path: Path, target: str, message: str
) -> None:
    """What was found is told all the same; the picture is one line and exit code 1."""
    (tmp_path / "folder").mkdir()
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--draw", tmp_path / target)
    assert answer.code == 1
    assert "gear" in answer.out
    assert answer.complaint == f"cannot write {tmp_path / target}: {message}"


def test_an_ending_that_is_no_picture(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """The cure names endings that work."""
    target = tmp_path / "out.xyz"
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--draw", target)
    assert answer.code == 1
    cure = "(use a name ending in .jpg or .png)"
    assert answer.complaint == f"cannot write {target} as a picture {cure}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk(terminal: Terminal, frame: Path) -> None:
    """It is one line that speaks of free space."""
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--draw", "/dev/full")
    assert answer.code == 1
    assert answer.complaint == (
        "cannot write /dev/full: No space left on device (check the folder, its access and free "
        "space)"
    )
    assert Path("/dev/full").is_char_device()
