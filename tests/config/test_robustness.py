"""Whatever a file holds, it is read or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config.load import config_from_values, load_config
from edge_agent.errors import ConfigError
from tests.support.configs import load

YAML_LIKE = st.text(alphabet="abmqt:-[]{}&*!|>'\"#%,? \n<~$019.", max_size=80)
KEY_WORDS = """
agent mqtt outbox models sources pipelines name host port tls m s p type file device source model
gate motion rate track zones lines polygon from to labels mask privacy publish task snapshots fps
size url password
"""
KEYS = st.sampled_from(KEY_WORDS.split()) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["camera", "rtsp", "m", "s", "auto", "ssd", "3s", "64MiB", "${A}", "${"])
    | st.text(max_size=8),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=5),
    max_leaves=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.text(), YAML_LIKE))
def test_any_text_gives_problems_or_a_configuration(tmp_path: Path, text: str) -> None:
    """Never an exception, never neither, each problem one line with a place."""
    file = tmp_path / "c.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    loaded = load_config(file, {})
    assert (loaded.config is None) == bool(loaded.problems)
    for problem in loaded.problems:
        assert problem.line >= 1
        assert len(str(problem).splitlines()) == 1


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_values_give_problems_or_a_configuration(values: dict[str, object]) -> None:
    """The same for values of every shape in every place."""
    try:
        config_from_values(values, Path("/nowhere"))
    except ConfigError as error:
        lines = error.problems
    else:
        return
    assert lines
    assert all(len(line.splitlines()) == 1 for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{i}: 1\n" for i in range(9_000)),
        "pipelines:\n" + "".join(f"  p{i}: {{source: s{i}, model: m}}\n" for i in range(3_000)),
        "sources:\n" + "".join(f"  s{i}: {{type: camera, x: 1}}\n" for i in range(3_000)),
    ],
)
def test_a_huge_file_is_bounded(tmp_path: Path, text: str) -> None:
    """Thousands of mistakes are thousands of lines, in a time that grows with their number."""
    assert len(load(tmp_path, text).problems) >= 3_000
