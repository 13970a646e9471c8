"""Roll-outs by hawkBit: each action is done once, and closed with what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent import __version__
from edge_agent.errors import DownloadError, EdgeAgentError
from edge_agent.event import ModelStep, SwapStage
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.ddi import USUAL_SLEEP, Ddi
from edge_agent.modelstore.options import HawkbitOptions
from edge_agent.options import Secret
from edge_agent.runtime import rollout as rollout_module
from edge_agent.runtime.rollout import Rollout
from tests.support.hawkbit import BASE, Action, Hawkbit
from tests.support.releases import Maker

CONTENT = bytes(range(256)) * 1024
BEGUN = ("proceeding", "none", ["it is begun"])
DONE = ("closed", "success", ["it is in use"])


@pytest.fixture
def server() -> Iterator[Hawkbit]:
    """A server that has nothing to do."""
    with Hawkbit() as started:
        yield started


class Device:
    """A device called dev that uses the models door (twice) and gate of its store."""

    def __init__(self, folder: Path, maker: Maker, server: Hawkbit) -> None:
        self.folder, self.maker, self.server = folder, maker, server
        self.store = ModelStore(folder / "models")
        self.running: dict[str, str] = {}
        self.models = {"door": ["d"], "gate": ["g"]}
        self.start()

    def start(self, token: str = "secret", **more: Any) -> None:
        """Begin, or begin again: only what is on the disk is known."""
        options = HawkbitOptions(url=Secret(self.server.url), token=Secret(token))
        self.rollout = Rollout(
            Ddi(options, "dev", None, 5.0),
            self.store,
            [self.maker.key],
            lambda: self.models,
            lambda: self.running,
            self.folder / "dev.hawkbit.json",
            **more,
        )

    def look(self) -> float:
        """Ask the server once."""
        return self.rollout.look(lambda _: None)

    def swap(self, stage: SwapStage, model: str = "d", reason: str = "") -> bool:
        """What the agent tells of the swap to the version in use."""
        name = next(name for name, models in self.models.items() if model in models)
        found = self.store.find(name)
        assert found is not None
        manifest = found.manifest
        if stage in ("swapped", "kept"):
            self.running[model] = manifest.sha256
        step = ModelStep(model, stage, manifest.sha256, manifest.version, "", reason, 0.0)
        return self.rollout.note(step)

    def version(self, name: str = "door") -> str | None:
        """What is in use."""
        found = self.store.find(name)
        return None if found is None else found.manifest.version


@pytest.fixture
def device(tmp_path: Path, maker: Maker, server: Hawkbit) -> Device:
    """A device that was just started."""
    return Device(tmp_path, maker, server)


def failed(action: Action) -> str:
    """Why an action was closed as failed."""
    execution, finished, (reason,) = action.answers[-1]
    assert (execution, finished) == ("closed", "failure")
    assert not action.active
    return reason


def test_success_is_told_once_the_swap_is_kept(device: Device) -> None:
    """Not when it is installed, nor when it is swapped in."""
    action = device.server.assign("7", device.maker.release(CONTENT))
    assert device.look() == 30.0
    assert (device.version(), action.answers) == ("1", [BEGUN])
    for stage in ("trying", "swapped"):
        assert not device.swap(stage)
        device.look()
    assert action.answers == [BEGUN]
    assert device.swap("kept")
    device.look()
    assert action.answers == [BEGUN, DONE]
    device.look()
    assert (len(action.answers), device.version()) == (2, "1")


@pytest.mark.parametrize("stage", ["refused", "rolled_back"])
def test_failure_is_told_with_its_reason(device: Device, stage: SwapStage) -> None:
    """That of the swap."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    assert device.swap(stage, reason="slower than before")
    device.look()
    assert failed(action) == f"d: {stage}: slower than before"


def test_several_models(device: Device) -> None:
    """An action is done once every model that it changes was kept."""
    device.models = {"door": ["d", "e"], "gate": ["g"]}
    door, gate = (
        device.maker.release(b"door"),
        device.maker.release(b"gate", name="gate", version="2"),
    )
    action = device.server.assign("7", door, gate)
    device.look()
    assert (device.version("door"), device.version("gate")) == ("1", "2")
    assert [device.swap("kept", model) for model in ("d", "g")] == [False, False]
    device.look()
    assert action.answers == [BEGUN]
    assert device.swap("kept", "e")
    device.look()
    assert action.answers[-1] == DONE


def test_other_swaps_are_none_of_its_business(device: Device) -> None:
    """Another model, or another version of it."""
    device.server.assign("7", device.maker.release())
    device.look()
    assert not device.rollout.note(ModelStep("d", "kept", "0" * 64, None, "", "", 0.0))
    assert not device.rollout.note(ModelStep("x", "kept", "0" * 64, None, "", "", 0.0))


def test_what_runs_already(device: Device) -> None:
    """Nothing is fetched again, and the action is done."""
    folder = device.maker.release()
    device.server.assign("7", folder)
    device.look()
    device.swap("kept")
    device.look()
    device.server.asked.clear()
    action = device.server.assign("8", folder)
    device.look()
    assert action.answers == [BEGUN, DONE]
    assert not [path for path in device.server.asked if path.endswith("door.tflite")]


@pytest.mark.parametrize("runs", [True, False])
def test_a_restart_between_installing_and_answering(device: Device, runs: bool) -> None:
    """It is not executed again, and closed by what runs then."""
    action = device.server.assign("7", device.maker.release(b"one"))
    device.look()
    device.swap("kept")
    device.look()
    action = device.server.assign("8", device.maker.release(b"two", version="2", serial=2))
    device.look()
    if not runs:
        device.store.rollback("door")
    found = device.store.find("door")
    assert found is not None
    device.server.asked.clear()
    device.start()
    device.running = {}
    device.look()
    if runs:
        assert action.answers == [BEGUN]
        device.running = {"d": found.manifest.sha256}
        device.look()
        assert action.answers == [BEGUN, DONE]
    else:
        assert failed(action) == "d: another version is in use"
    assert not [path for path in device.server.asked if "artifacts" in path]


def test_the_answer_that_did_not_arrive(device: Device) -> None:
    """It is sent again, also after a restart, until the server has it."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    device.swap("kept")
    device.server.failing["feedback"] = 500
    for _ in range(2):
        with pytest.raises(DownloadError, match="feedback answers 500"):
            device.look()
    device.start()
    device.running.clear()
    del device.server.failing["feedback"]
    device.look()
    assert action.answers == [BEGUN, DONE]


@pytest.mark.parametrize("status", [404, 410])
def test_an_action_that_is_over(device: Device, status: int) -> None:
    """The server knows it no more: nothing is left to be told."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    device.swap("kept")
    device.server.failing["feedback"] = status
    action.active = False
    device.look()
    del device.server.failing["feedback"]
    device.look()
    assert action.answers == [BEGUN]


def test_a_server_that_forgot_the_answer(device: Device) -> None:
    """As one that was set back does: it is told again, and nothing is installed again."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    device.swap("kept")
    device.look()
    action.active = True
    device.look()
    assert action.answers == [BEGUN, DONE, DONE]


def test_cut_in_the_middle(device: Device) -> None:
    """It goes on with what is missing, and begins once."""
    action = device.server.assign("7", device.maker.release(CONTENT))
    device.server.cut = 150_000
    with pytest.raises(DownloadError, match="was cut after 150000 of 262144"):
        device.look()
    device.look()
    assert (device.version(), action.answers) == ("1", [BEGUN])


def test_what_never_comes(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries, also over restarts, the action has failed: a roll-out must see that."""
    monkeypatch.setattr(rollout_module, "_TRIES", 3)
    action = device.server.assign("7", device.maker.release())
    device.server.failing["artifact"] = 404
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"artifacts/release\.json answers 404"):
            device.look()
        device.start()
    device.look()
    assert "artifacts/release.json answers 404" in failed(action)


def test_no_word_of_the_swap(device: Device) -> None:
    """A model that nothing swaps in does not keep the action open for ever."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    device.start(patience=0.0)
    device.look()
    assert failed(action) == "d: not swapped in within 0 s"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("door.tflite", "its SHA-256 is"),
        ("golden-1.npz", "its SHA-256 is"),
        ("release.json", "is not of this release.json"),
        ("release.sig", "release.sig is"),
    ],
)
@pytest.mark.parametrize("where", ["at the server", "on the way"])
def test_what_was_changed(device: Device, name: str, reason: str, where: str) -> None:
    """Whatever it is, it is a failure with one line, and nothing is in use."""
    action = device.server.assign("7", device.maker.release())
    content = action.modules["1"][name]
    content = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
    if where == "at the server":
        action.modules["1"][name] = content
        reason = reason.replace("its SHA-256 is", "is not the file that was signed")
    else:
        _only_for(device.server, name, content)
    device.look()
    assert reason in failed(action)
    assert device.version() is None


def _only_for(server: Hawkbit, name: str, content: bytes) -> None:
    """Send this content for one artifact alone."""

    def choose() -> None:
        server.garbage = {"artifact": content} if server.asked[-1].endswith(name) else {}

    server.on_artifact = choose


def test_files_that_are_not_of_one_release(device: Device) -> None:
    """The server's own hash and size tell it before anything is fetched."""
    action = device.server.assign("7", device.maker.release(CONTENT))
    action.modules["1"]["door.tflite"] = b"x"
    device.look()
    assert "door.tflite of 1 at the server is not the file that was signed" in failed(action)
    action = device.server.assign("8", device.maker.public / "door" / "1")
    del action.modules["1"]["release.sig"]
    device.look()
    assert "the software module 1 1 has no release.sig" in failed(action)


def test_an_older_release(device: Device) -> None:
    """A server that was broken into cannot roll out what was signed long ago."""
    old, new = device.maker.release(b"one"), device.maker.release(b"two", version="2", serial=2)
    device.server.assign("7", new)
    device.look()
    device.swap("kept")
    action = device.server.assign("8", old)
    device.look()
    assert device.look() == 30.0
    assert "door 1 is older than what was here already" in failed(action)
    assert device.version() == "2"


def test_what_the_device_does_not_use(device: Device) -> None:
    """A model that no pipeline has, nothing at all, or only to be fetched: failures."""
    other = device.maker.release(name="other")
    for number, action in enumerate(
        (
            device.server.assign("1", other),
            device.server.assign("2"),
            device.server.assign("3", other, update="skip"),
        )
    ):
        device.look()
        assert ("is other of its store", "no software module", "without installing")[
            number
        ] in failed(action)


def test_a_time_that_is_still_to_come(device: Device) -> None:
    """Outside of its maintenance window an action is left alone."""
    action = device.server.assign("7", device.maker.release(), window="unavailable", update="skip")
    device.look()
    assert (action.answers, device.version()) == ([], None)
    action.window, action.update = "available", "forced"
    device.look()
    assert (action.answers, device.version()) == ([BEGUN], "1")


def test_cancelled_before_it_was_installed(device: Device) -> None:
    """Before it was begun, and while it is fetched: it is confirmed, and nothing is installed."""
    action = device.server.assign("7", device.maker.release(CONTENT), canceling=True)
    device.look()
    assert action.answers == [("closed", "success", ["nothing of it was installed"])]
    action = device.server.assign("8", device.maker.public / "door" / "1")

    def cancel() -> None:
        action.canceling = True

    device.server.on_artifact = cancel
    device.look()
    device.look()
    assert action.answers == [BEGUN, ("closed", "success", ["nothing of it was installed"])]
    assert device.version() is None


def test_cancelled_after_it_was_installed(device: Device) -> None:
    """It is refused, and what becomes of it is told."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    action.canceling = True
    device.look()
    device.swap("kept")
    device.look()
    assert action.answers == [BEGUN, ("rejected", "none", ["it is installed already"]), DONE]


def test_attributes(device: Device) -> None:
    """Version and models, when the server asks for them."""
    device.server.assign("7", device.maker.release())
    device.look()
    assert device.server.attributes is None
    device.server.wants_attributes = True
    device.look()
    found = device.store.find("door")
    assert found is not None
    assert device.server.attributes == {
        "edge_agent": __version__, "model_door": f"1 {found.manifest.sha256[:12]}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sleep", "seconds"),
    [("00:05:00", 300.0), ("12:00:01", 43201.0), ("999:00:00", 86400.0), ("soon", USUAL_SLEEP),
     (5, USUAL_SLEEP), (None, USUAL_SLEEP), ("-1:00:00", USUAL_SLEEP)],
)  # fmt: skip
def test_when_to_ask_again(device: Device, sleep: object, seconds: float) -> None:
    """As the server says, a day at most; the usual time where it says nothing of sense."""
    device.server.sleep = sleep
    assert device.look() == seconds


def test_a_token_that_is_wrong(device: Device) -> None:
    """One line with the cure, without the token."""
    device.start("wrong-token")
    with pytest.raises(DownloadError) as caught:
        device.look()
    assert str(caught.value) == (
        f"{device.server.url}{BASE} answers 401 (set its user and password, or its token)"
    )


@pytest.mark.parametrize("kind", ["base", "deployment", "cancel"])
@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_server_that_fails(device: Device, kind: str, status: int) -> None:
    """One line; it goes on as soon as the server does."""
    action = device.server.assign("7", device.maker.release(), canceling=kind == "cancel")
    device.server.failing[kind] = status
    with pytest.raises(DownloadError, match=f"answers {status}"):
        device.look()
    del device.server.failing[kind]
    device.look()
    assert action.answers


@pytest.mark.parametrize("kind", ["base", "deployment", "cancel"])
@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 2000, b"x" * (1 << 21),
        b'{"_links": 5, "id": 5, "deployment": 5, "cancelAction": 5}',
        b'{"_links": {"deploymentBase": {}}, "id": "../../x", "cancelAction": {"stopId": "1"}}',
        b'{"_links": {"deploymentBase": 3}, "id": "7", "deployment": {"chunks": [{"name": 1}]}}',
        (b'{"_links": [], "id": "7", "deployment": {"chunks": [{"name": "", "version": "", '
        b'"artifacts": [{"filename": "x", "size": 1e999, "_links": {}}]}]}}'),
    ],
)  # fmt: skip
def test_a_server_that_talks_nonsense(device: Device, kind: str, garbage: bytes) -> None:
    """One line, nothing is begun that was not understood, and it goes on afterwards."""
    action = device.server.assign("7", device.maker.release(), canceling=kind == "cancel")
    device.server.garbage[kind] = garbage
    try:
        device.look()
    except EdgeAgentError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some say no more than that nothing is to do
    assert device.version() is None
    device.server.garbage.clear()
    device.look()
    assert action.answers


def test_addresses_lead_to_the_same_server(device: Device) -> None:
    """Another name for its port or scheme is the same host; another host is not asked."""
    action = device.server.assign("7", device.maker.release())
    device.server.host = "https://127.0.0.1:9999"
    device.look()
    assert action.answers == [BEGUN]
    action = device.server.assign("8", device.maker.public / "door" / "1")
    device.swap("kept")
    device.server.host = "http://127.0.0.2"
    with pytest.raises(EdgeAgentError, match=r"leads to another host than 127\.0\.0\.1"):
        device.look()
    assert action.answers == []


def test_a_state_that_cannot_be_kept(device: Device) -> None:
    """Then nothing is begun, for it could be done twice."""
    (device.folder / "dev.hawkbit.json").mkdir()
    action = device.server.assign("7", device.maker.release())
    with pytest.raises(DownloadError, match=r"dev\.hawkbit\.json cannot be written"):
        device.look()
    assert (action.answers, device.version()) == ([], None)


def test_a_state_that_is_damaged(device: Device) -> None:
    """It is begun anew: a release that is in use is not installed again."""
    action = device.server.assign("7", device.maker.release())
    device.look()
    (device.folder / "dev.hawkbit.json").write_text("{")
    device.start()
    found = device.store.find("door")
    assert found is not None
    device.running = {"d": found.manifest.sha256}
    device.look()
    assert action.answers == [BEGUN, BEGUN, DONE]


def test_new_labels_for_the_same_model(device: Device) -> None:
    """Another release of the same bytes is waited for as well: it may be refused."""
    device.server.assign("7", device.maker.release(labels=("a",)))
    device.look()
    device.swap("kept")
    device.look()
    folder = device.maker.release(version="2", serial=2, labels=("a", "b"))
    action = device.server.assign("8", folder)
    device.look()
    assert action.answers == [BEGUN]
    device.swap("refused", reason="other labels")
    device.look()
    assert failed(action) == "d: refused: other labels"


def test_words_of_the_server_are_on_one_line(device: Device) -> None:
    """A module's name cannot begin a line of the log."""
    action = device.server.assign("7", device.maker.release())
    action.modules = {"a\nb\x1b": {}}
    device.look()
    assert "the software module a?b? 1 has no release.json" in failed(action)
