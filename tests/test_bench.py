"""The benchmark runs from end to end, on a load that is over in seconds."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.figures import Figures
from tests.bench.measures import MEASURES
from tests.bench.peers import Peer, all_peers
from tests.bench.peers.bare import events, framed
from tests.bench.processes import ROOT, Trouble, family

TINY = ["--quick", "--clients", "10"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("bench")
    run = bench(folder, "--only", *MEASURES, "final")
    (folder / "said").write_text(run.stdout)
    return folder


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark, which goes well."""
    command = [sys.executable, "-m", "tests.bench", *TINY, "--out", str(folder)]
    run = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,  # it is over long before
    )
    assert (0, "") == (run.returncode, run.stderr)
    return run


@pytest.fixture(scope="module")
def figures(folder: Path) -> Figures:
    """The figures of that run."""
    return Figures.read(folder / "figures.json")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """The figures of a run with the how-to and the bare limit."""
    folder = tmp_path_factory.mktemp("bench")
    bench(folder, "--only", "how-to", "bare", "connects", "burst")
    return Figures.read(folder / "figures.json")


def test_figures(figures: Figures) -> None:
    """All that this load can tell of this project is measured."""
    assert {
        *["burst", "connects", "latency", "latency_crowd", "memory", "stalled"],
        *["sustained_200", "unseen", "unseen_few", "unseen_crowd"],
    } <= {*figures.values["final"]}


def test_others(others: Figures) -> None:
    """The others do the same work; the bare limit knows no users."""
    assert {"connects", "burst"} == {*others.values["how-to"]}
    assert {"burst"} == {*others.values["bare"]}
    assert {"bare": {"connects": "it knows no users"}} == others.left_out
    assert others.ratio("bare", "how-to", "burst")


def test_added(folder: Path, figures: Figures, tmp_path: Path) -> None:
    """A run can add to what an earlier one has measured of other peers."""
    shutil.copy(folder / "figures.json", tmp_path)
    bench(tmp_path, "--add", "--only", "bare", "burst")
    both = Figures.read(tmp_path / "figures.json")
    assert ["final", "bare"] == [*both.peers]
    assert figures.values["final"] == both.values["final"]
    assert ["burst"] == [*both.values["bare"]]


def test_repetitions(figures: Figures) -> None:
    """What is measured again and again is measured three times at least."""
    for name in ["burst", "connects", "latency", "latency_crowd", "unseen"]:
        assert 3 <= len(figures.values["final"][name])


def test_everything_arrives(figures: Figures, others: Figures) -> None:
    """Everything is delivered, once and in order."""
    for name in ["burst", "latency", "latency_crowd"]:
        assert "not all delivered" not in figures.notes("final", name)
    for peer in ["how-to", "bare"]:
        assert [] == others.notes(peer, "burst")


def test_said(folder: Path) -> None:
    """A run says what it does, shows its tables, and where everything is."""
    said = (folder / "said").read_text()
    for measure in MEASURES:
        assert f"this project (final): {measure}" in said
    assert "Burst deliveries per CPU second" in said
    assert str(folder) in said


def test_files(folder: Path) -> None:
    """The table and the plots are there."""
    assert "Burst deliveries per CPU second" in (folder / "table.md").read_text()
    assert 3 == len([*folder.glob("*.png")])


def test_no_redis(tmp_path: Path) -> None:
    """Without Redis, one line says what to install."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", *TINY, "--out", str(tmp_path)],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert 1 == run.returncode
    assert "✗ Redis is not installed: apt install redis-server" in run.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped(tmp_path: Path, number: int) -> None:
    """A run that is stopped leaves no process behind."""
    command = [sys.executable, "-m", "tests.bench", *TINY, "--out", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--only", "bare"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "burst" in line:
                break
        started = [*family(run.pid)]
        run.send_signal(number)
        said = run.stdout.read()
    assert len(started) > 3
    assert "Stopped" in said
    assert [] == [pid for pid in started if Path(f"/proc/{pid}").exists()]


# The peers


def peer(name: str) -> Peer:
    (found,) = [peer for peer in all_peers("final") if peer.name == name]
    return found


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels without its packages says what to install."""
    monkeypatch.setattr("tests.bench.peers.version", missing)
    with pytest.raises(Trouble, match="channels is not installed: make bench"):
        peer("channels-uvicorn-core").prepare()


def missing(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_missing_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Node, the reason says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Trouble, match="node is not installed: apt install nodejs npm"):
        peer("node").prepare()


def test_npm_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If npm fails, the reason says what it said."""
    monkeypatch.setattr("tests.bench.peers.NODE", tmp_path)
    (tmp_path / "package-lock.json").touch()
    for program in ["node", "npm"]:
        file = tmp_path / program
        file.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    with pytest.raises(Trouble, match="npm ci failed: no network"):
        peer("node").prepare()


def test_installed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is installed is not installed again, until package-lock.json changes."""
    monkeypatch.setattr("tests.bench.peers.NODE", tmp_path)
    (tmp_path / "package-lock.json").touch()
    program = "#!/bin/sh\necho >> log\nmkdir -p node_modules\n"
    program += "touch node_modules/.package-lock.json\n"
    for name in ["node", "npm"]:
        file = tmp_path / name
        file.write_text(program)
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    peer("node").prepare()
    peer("node").prepare()
    assert "\n" == (tmp_path / "log").read_text()
    os.utime(tmp_path / "node_modules/.package-lock.json", (0, 0))
    peer("node").prepare()
    assert "\n\n" == (tmp_path / "log").read_text()


@pytest.mark.parametrize("size", [5, 125, 126, 65_535, 65_536])
def test_bare_frames(size: int) -> None:
    """The bare limit frames an event as websockets does."""
    from websockets.frames import Frame, Opcode

    event = b"x" * size
    assert Frame(Opcode.TEXT, event).serialize(mask=False) == framed(event)


def test_bare_events() -> None:
    """The bare limit understands Redis, wherever the bytes are cut."""
    message = b"*3\r\n$7\r\nmessage\r\n$6\r\nevents\r\n$5\r\n%s\r\n"
    data = b"*3\r\n$9\r\nsubscribe\r\n$6\r\nevents\r\n:1\r\n"
    data += message % b"Hello" + message % b"$7\r\nx"
    for cut in range(len(data)):
        first, rest = events(data[:cut])
        second, rest = events(rest + data[cut:])
        assert [b"Hello", b"$7\r\nx"] == first + second
