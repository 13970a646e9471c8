"""Values from outside the file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.substitute import MAX_FILE, Substitution, Unfilled
from edge_agent.config.validate import plain_values
from edge_agent.config.yaml_tree import Scalar, from_values
from tests.support.configs import good, problems

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def fill(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> str:
    """One text, filled."""
    return Substitution(environ or {}, folder).text(text)


def refusal(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> str:
    """Message and hint of a text that cannot be filled."""
    with pytest.raises(Unfilled) as caught:
        fill(text, environ, folder)
    return f"{caught.value.message} ({caught.value.hint})"


def test_variables_and_defaults() -> None:
    """A variable, alone or inside a longer text; a default where it is unset or empty."""
    environ = {"A": "x", "EMPTY": ""}
    assert fill("${A}", environ) == "x"
    assert fill("rtsp://u:${A}@h/${A}", environ) == "rtsp://u:x@h/x"
    assert fill("${B:-y}|${EMPTY:-z}|${A:-n}|${B:-}", environ) == "y|z|x|"
    assert fill("[${EMPTY}]", environ) == "[]"


def test_dollars() -> None:
    """Two dollar signs are one, and a lonely one is itself."""
    assert fill("$$ $ $x pa$$word $${A}", {"A": "no"}) == "$ $ $x pa$word ${A}"


def test_a_filled_text_is_not_filled_again() -> None:
    """What comes from outside cannot ask for more."""
    assert fill("${A}", {"A": "${B} $$", "B": "x"}) == "${B} $$"


def test_an_unset_variable_names_itself_and_the_cure() -> None:
    """The message has the variable's name, the hint what to do."""
    assert refusal("${PW}") == (
        "the environment variable PW is not set (export PW, or write ${PW:-default})"
    )


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${1A}", "${a b}", "${A:=1}", "${x:y}"])
def test_a_wrong_form_names_the_right_ones(text: str) -> None:
    """Anything else in `${}` is refused with the forms there are."""
    assert "the forms are ${VAR}" in refusal(text, {"A": "x"})


def test_a_file_without_its_line_break(tmp_path: Path) -> None:
    """The content of a file beside the configuration; one line break at its end goes."""
    (tmp_path / "pw.txt").write_bytes(b" secret \r\n")
    assert fill("<${file:pw.txt}>", folder=tmp_path) == "< secret >"
    assert fill(f"${{file:{tmp_path}/pw.txt}}") == " secret "


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, no text, too large, or with an impossible name: each in one line."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE + 1))
    assert "no such file" in refusal("${file:none}", folder=tmp_path)
    assert "not UTF-8" in refusal("${file:binary}", folder=tmp_path)
    assert "larger than 64 KiB" in refusal("${file:large}", folder=tmp_path)
    assert "no such file" in refusal("${file:.}", folder=tmp_path)
    assert refusal("${file:a\0b}", folder=tmp_path)
    assert refusal("${file:~nobody-here/x}", folder=tmp_path)


def test_credentials(tmp_path: Path) -> None:
    """A systemd credential is a file of $CREDENTIALS_DIRECTORY; its name is no path."""
    (tmp_path / "pw").write_text("s3cret\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert fill("${credential:pw}", environ) == "s3cret"
    assert "add LoadCredential=mq:" in refusal("${credential:mq}", environ)
    by_hand = refusal("${credential:pw}")
    assert "needs systemd's $CREDENTIALS_DIRECTORY" in by_hand
    assert "by hand: CREDENTIALS_DIRECTORY=" in by_hand
    assert "is no name of a credential" in refusal("${credential:../pw}", environ)
    assert "is no name of a credential" in refusal("${credential:..}", environ)


def test_numbers_and_switches_from_outside(tmp_path: Path) -> None:
    """A filled text that stands alone becomes what the field wants, words among numbers too."""
    text = """\
        mqtt: {port: "${PORT}", protocol: "${PROTOCOL}", topic_prefix: "${PREFIX}"}
        outbox: {max_bytes: "${SIZE}"}
        pipelines: {}
        """
    environ = {"PORT": "1883", "PROTOCOL": "5", "PREFIX": "12", "SIZE": "1MiB"}
    config = good(tmp_path, text, environ)
    assert config.mqtt.port == 1883
    assert str(config.mqtt.protocol) == "5"
    assert config.mqtt.topic_prefix == "12"
    assert config.outbox.max_bytes == 2**20


def test_a_wrong_value_from_outside_is_not_shown(tmp_path: Path) -> None:
    """The message says what is expected, not what came."""
    assert problems(tmp_path, "mqtt: {port: '${PORT}'}", {"PORT": "hunter2"}) == [
        "c.yaml:1:14: mqtt.port: expected a whole number from 1 to 65535"
    ]


def test_every_unset_variable_is_told_once(tmp_path: Path) -> None:
    """All at once, each at its place, and a value that is missing makes no second mistake."""
    text = """\
        mqtt: {host: "${H}", port: "${P}"}
        agent: {name: "${A}"}
        """
    found = problems(tmp_path, text)
    assert [line.split(": ")[0] for line in found] == ["c.yaml:1:14", "c.yaml:1:28", "c.yaml:2:15"]


def test_shared_nodes_are_filled_once() -> None:
    """A value that aliases share fails once."""
    shared = from_values(["${NO}"])
    root = from_values({"a": 1})
    assert hasattr(root, "items")
    substitution = Substitution({}, Path())
    assert substitution.tree(shared) is substitution.tree(shared)
    assert len(substitution.failures) == 1


@given(NAMES, st.text(), st.text(alphabet=st.characters(exclude_characters="$")))
def test_any_value_arrives_unchanged(name: str, value: str, around: str) -> None:
    """Whatever a variable holds, it stands in the text as it is."""
    assert fill(f"{around}${{{name}}}{around}", {name: value}) == f"{around}{value}{around}"


@given(st.text())
def test_doubling_every_dollar_gives_any_text(text: str) -> None:
    """Any text can be written."""
    assert fill(text.replace("$", "$$")) == text


@given(st.text(alphabet="${}:-aA/.", max_size=20))
def test_any_text_is_filled_or_refused(text: str) -> None:
    """Nothing but Unfilled is raised."""
    with suppress(Unfilled):
        fill(text, {"A": "1", "a": "2"}, Path("/nowhere"))


@given(st.text(min_size=1))
def test_filled_values_are_marked(value: str) -> None:
    """A value from outside is marked as one not to be shown, a written one is not."""
    root = Substitution({"A": value}, Path()).tree(from_values({"a": "${A}", "b": "x$$"}))
    assert plain_values(root)["a"] == value or value == ""
    flags = [item.secret for item in getattr(root, "items").values() if isinstance(item, Scalar)]  # noqa: B009
    assert flags == [True, False]
