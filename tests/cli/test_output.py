"""Tables, JSON lines and progress."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.output import Progress, print_json, progress, table

CELLS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9)


def test_a_table() -> None:
    """Columns stand two spaces apart, words on the left and numbers on the right."""
    rows = [["belt", "0.49", "ok"], ["a longer name", "12.50", ""]]
    assert table(("model", "ms", "why"), rows).splitlines() == [
        "model             ms  why",
        "-------------  -----  ---",
        "belt            0.49  ok",
        "a longer name  12.50",
    ]


@pytest.mark.parametrize("cells", [["-3", "+4.5"], ["50 %", ""], ["1", "2000.25"]])
def test_numbers_stand_on_the_right(cells: list[str]) -> None:
    """Signs, decimals, per cent and gaps are numbers too."""
    _, _, *lines = table(("a long head",), [[cell] for cell in cells]).split("\n")
    assert lines == [cell.rjust(11).rstrip() for cell in cells]


@pytest.mark.parametrize("cell", ["1.2.3", "3x", "1e5", "2:30"])
def test_words_stand_on_the_left(cell: str) -> None:
    """One cell that is no number moves its column to the left."""
    assert table(("a long head",), [["12"], [cell]]).splitlines()[2:] == ["12", cell]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_every_cell_is_in_its_column(rows: list[tuple[str, str]]) -> None:
    """However long the cells are, nothing is cut, and columns do not run into each other."""
    head, rule, *lines = table(("first", "second"), rows).split("\n")
    width = len(rule.split("  ")[0])
    assert head[:width].strip() == "first"
    for (left, right), line in zip(rows, lines, strict=True):
        padded = line.ljust(len(rule))
        assert padded[:width].strip() == left
        assert padded[width : width + 2] == "  "
        assert padded[width + 2 :].strip() == right


def test_a_table_without_rows() -> None:
    """The header stands alone."""
    assert table(("a", "bc"), []).splitlines() == ["a  bc", "-  --"]


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts keep their letters, and line ends in them are escaped."""
    print_json({"label": "Käse\n"})
    (line,) = capsys.readouterr().out.splitlines()
    assert "Käse" in line
    assert json.loads(line) == {"label": "Käse\n"}


def test_json_has_no_nan() -> None:
    """What is no JSON is a mistake here, not at the reader's."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))


def test_progress_is_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, a file or a log nothing of it is seen."""
    with progress("measuring", 3) as bar:
        bar.step()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_progress_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows how much is done, on stderr, and is taken away even after an error."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def fail() -> None:
        with progress("measuring", 4) as bar:
            bar.step()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "\rmeasuring [######..................] 1/4\r\033[K"


@pytest.mark.parametrize(("total", "filled"), [(1, 24), (0, 24), (4, 12)])
def test_progress_never_runs_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, total: int, filled: int
) -> None:
    """More steps than were announced fill the bar and no more; no steps at all are no error."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Progress("x", total).step(2)
    assert f"[{'#' * filled}{'.' * (24 - filled)}]" in capsys.readouterr().err


def test_progress_without_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started without one (2>&-) works as any other."""
    monkeypatch.setattr("sys.stderr", None)
    with progress("measuring", 2) as bar:
        bar.step()
    assert not bar._visible
