"""Characters that are not what they look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.lookalikes import odd_place
from tests.support.configs import MINIMAL, problems, warnings

_NBSP = "\u00a0"
_SPACE = "a no-break space (U+00A0)"


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        (
            "    source: s",
            f"  {_NBSP} source: s",
            f"7:3: {_SPACE} stands here (write a plain space instead)",
        ),
        (
            "    source: s",
            f"{_NBSP * 4}source: s",
            f"7:1: {_SPACE} stands here (write a plain space instead)",
        ),
        (
            "source: s",
            f"source:{_NBSP}s",
            f"7:12: {_SPACE} stands here (write a plain space instead)",
        ),
        (
            "  p:",
            f"{_NBSP * 2}p:",
            (
                rf"6:1: '\xa0\xa0p': {_SPACE} is taken for a part of this name "
                "(write a plain space instead)"
            ),
        ),
        (
            "source: s",
            "\u200bsource: s",
            (
                r"7:5: pipelines.p.'\u200bsource': a zero width space (U+200B) "
                "is taken for a part of this name (take it out)"
            ),
        ),
        (
            "source: s",
            "source: s\u200b",
            (
                r"7:13: pipelines.p.source: 's\u200b' is not among the sources "
                "(take out the zero width space (U+200B))"
            ),
        ),
        (
            "source: s",
            "source: “s”",
            (
                "7:13: pipelines.p.source: '“s”' is not among the sources "
                '(write " instead of the left double quotation mark (U+201C))'
            ),
        ),
        (
            "source: s",
            "source: \u2018s: t\u2019",
            "7:13: a left single quotation mark (U+2018) stands here (write ' instead)",
        ),
        (
            "source: s",
            "source\uff1a s",
            "7:11: a fullwidth colon (U+FF1A) stands here (write : instead)",
        ),
        (
            "model: m",
            "model: m\n    labels:\n    \u2013 person\n",
            "10:5: an en dash (U+2013) stands here (write - instead)",
        ),
        ("    source", "\tsource", "7:1: a tab cannot indent (use spaces)"),
        ("    source", "  \tsource", "7:3: a tab cannot indent (use spaces)"),
    ],
)
def test_the_line_and_the_character_are_named(
    tmp_path: Path, right: str, wrong: str, line: str
) -> None:
    """Where it stands, not where YAML stumbles over it."""
    assert problems(tmp_path, MINIMAL.replace(right, wrong)) == [f"c.yaml:{line}"]


@pytest.mark.parametrize(
    "harmless",
    [f"    # a{_NBSP}note: “so”\n", f"    labels: ['a{_NBSP}b', \"“c”\"]\n"],
)
def test_comments_and_quotes_are_not_blamed(tmp_path: Path, harmless: str) -> None:
    """Any character may stand there, whatever is wrong in the next line."""
    (line,) = problems(tmp_path, MINIMAL + harmless + "    threshold: 0.5: 1\n")
    assert line.startswith("c.yaml:10:19: a second ': ' in this line")


def test_a_text_that_is_no_mistake_is_warned_of(tmp_path: Path) -> None:
    """A password in curly quotes is one that no broker knows; it is not shown."""
    text = MINIMAL + "mqtt: {username: u, password: „geheim“}\n"
    assert warnings(tmp_path, text) == [
        (
            "c.yaml:9:31: mqtt.password: a character in it is not what it looks like "
            '(write " instead of the double low-9 quotation mark (U+201E))'
        )
    ]
    assert warnings(tmp_path, text.replace("„geheim“", "${P}"), {"P": "„geheim“"}) == []


@pytest.mark.parametrize("text", ["", "person", "Müller\u2019s", "a \u2013 b", "👨‍👩‍👧", "می‌خواهم"])
def test_words_of_any_language_are_fine(text: str) -> None:
    """Apostrophes, dashes and joiners are part of a text."""
    assert odd_place(text) is None
