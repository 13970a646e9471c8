"""`edge-agent bench`: rows of the contract for models, rows for pipelines, and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.schema import Config
from edge_agent.engines import ENGINES
from edge_agent.errors import EdgeAgentError, ModelError
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.runtime.marks import Marks
from tests.support.agent import belt_config
from tests.support.cli import MODEL, Terminal
from tests.support.tflite_writer import add_graph, int8_add_graph, where_graph, write_model
from tests.support.variants import write_same

ROW = [
    "model", "engine", "threads", "runs", "min_ms", "p50_ms", "p99_ms", "fps", "rss_mib",
]  # fmt: skip
STAGES = ("preprocess", "infer", "decode")


class RefusingEngine:
    """An engine that cannot run any model."""

    def __init__(self, path: Path, *_: object) -> None:
        raise ModelError(f"{path.name} is not for this engine", "take another")


def two_pipelines(folder: Path, **clip: Any) -> Path:
    """The bundled clip through the bundled model, twice; no broker is there."""
    config = belt_config(1)
    config["pipelines"]["gated"] = config["pipelines"]["belt"] | {"gate": {"motion": {}}}
    config["sources"]["clip"] |= clip
    file = folder / "c.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.parametrize("words", [[], ["--engine", "tflite"]], ids=repr)
def test_the_json_of_the_contract(terminal: Terminal, words: list[str]) -> None:
    """One object with one row, whose keys other programs build on."""
    answer = terminal("bench", "-m", MODEL, "--runs", "7", "--threads", "2", "--json", *words)
    assert (answer.code, answer.err) == (0, "")
    assert list(answer.json) == ["rows"]
    (row,) = answer.json["rows"]
    assert list(row) == ROW
    assert (row["model"], row["engine"], row["threads"], row["runs"]) == ("belt", "tflite", 2, 7)
    assert 0 < row["min_ms"] <= row["p50_ms"] <= row["p99_ms"]
    assert row["fps"] == pytest.approx(1e3 / row["p50_ms"], rel=0.01)
    assert row["rss_mib"] > 1


def test_every_engine(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `all` each has its row; one that cannot run the model says why and stops no other."""
    monkeypatch.setitem(ENGINES._builtin, "refusing", f"{__name__}:RefusingEngine")
    answer = terminal("bench", "-m", MODEL, "--engine", "all", "--runs", "3", "--json")
    rows = {row["engine"]: row for row in answer.json["rows"]}
    assert answer.code == 0
    assert set(rows) == set(ENGINES.names())
    assert list(rows["tflite"]) == ROW
    assert rows["refusing"] == {
        "model": "belt",
        "engine": "refusing",
        "error": "belt.tflite is not for this engine (take another)",
    }


def test_as_a_table(terminal: Terminal) -> None:
    """The same numbers, two decimals each, below their names."""
    head, _, line = terminal("bench", "-m", MODEL, "--runs", "3").out.splitlines()
    assert head.split() == ROW
    assert line.split()[:4] == ["belt", "tflite", "1", "3"]
    assert all(len(cell.partition(".")[2]) == 2 for cell in line.split()[4:])


@pytest.mark.parametrize(
    "graph", [add_graph(), int8_add_graph(), where_graph()], ids=["float", "int8", "bool"]
)
def test_inputs_of_any_kind(terminal: Terminal, tmp_path: Path, graph: Any) -> None:
    """Floats, signed and unsigned integers and truth values are all filled with noise."""
    model = write_model(tmp_path / "m.tflite", graph)
    answer = terminal("bench", "-m", model, "--runs", "3", "--json")
    assert [row["model"] for row in answer.json["rows"]] == ["m"]


@pytest.mark.parametrize("engine", ["auto", "all"])
def test_a_model_that_is_not_there(terminal: Terminal, tmp_path: Path, engine: str) -> None:
    """The reason and the cure; where not one engine ran it, the command has failed."""
    model = tmp_path / "none.tflite"
    answer = terminal("bench", "-m", model, "--engine", engine)
    assert answer.code == 1
    assert f"model {model} does not exist (check the path)" in answer.out + answer.err


def test_the_pipelines_of_a_configuration(terminal: Terminal, tmp_path: Path) -> None:
    """A row each, with what it could sustain and the share of every stage; nothing is sent."""
    answer = terminal("bench", "-c", two_pipelines(tmp_path, pace="real"), "--json")
    assert (answer.code, answer.err) == (0, "")
    rows = answer.json["rows"]
    assert [row["pipeline"] for row in rows] == ["belt", "gated"]
    for row in rows:
        assert sum(row[f"{stage}_share"] for stage in STAGES) == pytest.approx(1.0, abs=0.01)
        work = sum(row[f"{stage}_p50_ms"] for stage in STAGES)
        assert row["sustainable_fps"] == pytest.approx(1e3 / work, rel=0.05)
    assert 0 < rows[1]["inferred"] < rows[0]["inferred"]


def test_the_store_is_let_alone(terminal: Terminal, tmp_path: Path) -> None:
    """That the agent, which may run beside it, watches a model is not taken for a crash of it."""
    store = ModelStore(tmp_path / "state" / "models")
    for version in "12":
        file = write_same(tmp_path / f"{version}.tflite", version)
        entry = store.install(Manifest("belt", version, "", "", 0), file)
    mark = tmp_path / "state" / "bench.probation.json"
    Marks(mark).set("parts", entry)
    values = belt_config(1)
    values["agent"] = {"name": "bench", "state_dir": str(tmp_path / "state")}
    values["models"]["parts"] = {"file": "belt"}
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(values))
    assert terminal("bench", "-c", str(file), "--seconds", "1").code == 0
    assert (store.find("belt"), mark.exists()) == (entry, True)


def test_a_clip_that_is_not_there(terminal: Terminal, tmp_path: Path) -> None:
    """Each pipeline says why it could not be measured, and the command has failed."""
    config = two_pipelines(tmp_path, file="none.mp4")
    answer = terminal("bench", "-c", config, "--seconds", "1", "--json")
    assert answer.code == 1
    assert [set(row) for row in answer.json["rows"]] == [{"pipeline", "error"}] * 2
    assert "none.mp4 does not exist" in answer.json["rows"][0]["error"]


@pytest.mark.parametrize("words", [[], ["-m", MODEL, "-c", "c.yaml"]], ids=len)
def test_one_of_model_and_configuration(terminal: Terminal, words: list[str]) -> None:
    """Neither or both is wrong usage."""
    answer = terminal("bench", *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.complaint == "give either -m MODEL or -c FILE"


@pytest.mark.parametrize(("option", "value"), [("--runs", "0"), ("--seconds", "-1")])
def test_numbers_that_make_no_sense(terminal: Terminal, option: str, value: str) -> None:
    """Wrong usage, with the option that is wrong."""
    answer = terminal("bench", "-m", MODEL, option, value)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].endswith(f"argument {option}: {value} is less than 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mqtt: {port: 0}", ":1:14: mqtt.port: expected a whole number from 1 to 65535, got 0"),
        (
            "{}",
            (
                "pipelines: there are none, so there is nothing to do "
                "(write pipelines: {door: {source: ..., model: ...}})"
            ),
        ),
    ],
)
def test_a_configuration_that_cannot_run(
    terminal: Terminal, tmp_path: Path, text: str, message: str
) -> None:
    """Bare lines and the exit code of a bad configuration."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    answer = terminal("bench", "-c", file)
    assert (answer.code, answer.out) == (78, "")
    assert answer.err.splitlines()[-1].endswith(message)


def test_recordings_run_as_fast_as_they_go(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its own pace a recording would show its own rate and not this machine's."""
    built: list[Config] = []

    def build(config: Config, publish: bool, follow: bool) -> None:
        built.append(config)
        assert not publish
        assert not follow
        raise EdgeAgentError("built")

    monkeypatch.setattr("edge_agent.cli.bench.build_agent", build)
    answer = terminal("bench", "-c", two_pipelines(tmp_path, pace="real"))
    assert answer.complaint == "built"
    assert getattr(built[0].sources["clip"].options, "pace") == "fast"  # noqa: B009
