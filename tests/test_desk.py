"""The learner's desk: what `make start`, `make progress` and the others do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parent.parent
ALL_STEPS = sorted(path.name for path in ROOT.glob("steps/[0-9][0-9]"))
STEPS = ALL_STEPS[:5]  # a short road: each step on it is graded dozens of times
LATER = {*ALL_STEPS} - {*STEPS}
PATIENCE = 60  # seconds, for a machine that is busy with something else
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"DJANGO_SETTINGS_MODULE", "NO_COLOR", "PYTHONPATH"}
}


class Desk:
    """A copy of the repository with a short road, where a learner works."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mine = root / "mine"
        for name in ["django_site", "final", "steps"]:
            shutil.copytree(ROOT / name, root / name, ignore=unneeded)
        shutil.copy(ROOT / "pyproject.toml", root)

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the desk where nobody can answer a question."""
        return subprocess.run(
            [sys.executable, "-m", "steps.desk", *args],
            cwd=self.root,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def says(self, *args: str) -> str:
        """Run a command of the desk that goes well; return what it prints."""
        process = self.run(*args)
        assert (0, "") == (process.returncode, process.stderr)
        return process.stdout

    def refuses(self, *args: str) -> str:
        """Run a command of the desk that refuses; return the one line that says why."""
        process = self.run(*args)
        assert (2, "") == (process.returncode, process.stdout)
        [sentence] = process.stderr.splitlines()
        return sentence

    def at_a_terminal(self, *args: str) -> pexpect.spawn:
        """Run a command of the desk in a terminal."""
        return pexpect.spawn(
            sys.executable,
            ["-m", "steps.desk", *args],
            cwd=self.root,
            env=ENVIRONMENT,
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(50, 200),
        )

    def writes(self, code: Path) -> None:
        """Put a copy of a code folder over mine/, as a learner who saves files."""
        shutil.copytree(code, self.mine, ignore=unneeded, dirs_exist_ok=True)

    def replaces(self, file: str, old: str, new: str) -> None:
        """Edit a file of mine/."""
        text = (self.mine / file).read_text()
        assert old in text
        (self.mine / file).write_text(text.replace(old, new))


def unneeded(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {"__pycache__", "db.sqlite3"} | LATER}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a code folder, except the suite beside it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.parent.name != "__pycache__"
        and not path.name.startswith("test_")
    }


def words(text: str) -> str:
    """Return a text without its line breaks and indents."""
    return " ".join(text.split())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A copy of the repository, without mine/."""
    return Desk(tmp_path)


# start


def test_start(desk: Desk) -> None:
    """start lays out mine/, and says what is there and what to do next."""
    output = desk.says("start")
    assert contents(ROOT / "steps/00") == contents(desk.mine)
    for hint in [
        "mine/settings.py",
        "mine/realtime/",
        "bin/activate",
        "export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=mine",
        "python -m django migrate",
        "python -m django demo_data",
        "chapter 01 of tutorial.md",
        "pytest steps/01 --code mine",
    ]:
        assert hint in output


def test_start_again(desk: Desk) -> None:
    """start leaves alone what is there already, and says how to go on."""
    desk.writes(ROOT / "steps/02")
    desk.replaces("realtime/server.py", "Hello", "Good morning")
    before = contents(desk.mine)
    output = desk.says("start")
    assert before == contents(desk.mine)
    for hint in ["left alone", "make progress", "make catch-up"]:
        assert hint in output


def test_start_elsewhere(desk: Desk) -> None:
    """start explains what to do when mine/ is something else."""
    desk.mine.mkdir()
    assert "mine/ has no settings.py" in desk.refuses("start")


# progress


def test_progress_without_mine(desk: Desk) -> None:
    """progress sends a learner who has no folder yet to `make start`."""
    assert "make start" in desk.refuses("progress")


def test_progress_at_the_start(desk: Desk) -> None:
    """At the start nothing is green, and progress says what to write first."""
    desk.writes(ROOT / "steps/00")
    output = desk.says("progress")
    assert "✗ 01  Who is there?" in output
    assert "✓" not in output
    assert "test_valid_token fails" in output
    assert "realtime/server.py is not written yet: chapter 01 asks for it" in output
    assert "pytest steps/01 --code mine" in output
    assert "make watch" in output


def test_progress_on_the_way(desk: Desk) -> None:
    """Steps that are done are green, and the failure is of the next one."""
    desk.writes(ROOT / "steps/02")
    output = desk.says("progress")
    assert "✓ 01  Who is there?" in output
    assert "✓ 02  Django speaks" in output
    assert "✗ 03  Everyone hears" in output
    assert "· 04  Only those who may" in output
    assert "test_everyone" in output
    assert "Came:     the message 'Hello alice!'" in output
    assert "Read:     chapter 03 of tutorial.md" in output


def test_progress_amid_a_step(desk: Desk) -> None:
    """What the step at hand makes obsolete is not asked for any more."""
    desk.writes(ROOT / "steps/03")
    desk.replaces(
        "realtime/server.py", ".decode()", ".decode().replace('alice', 'bob')"
    )
    output = desk.says("progress")
    assert "✓ 01" in output
    assert "✓ 02" in output
    assert "✗ 03" in output
    assert "test_same_event fails" in output
    assert "pytest steps/03 --code mine" in output


def test_progress_before_a_behaviour_ends(desk: Desk) -> None:
    """What only a later step makes obsolete is asked for until then."""
    desk.writes(ROOT / "steps/01")
    desk.replaces("realtime/server.py", "Hello", "Good morning")
    output = desk.says("progress")
    assert "✗ 01" in output
    assert "· 02" in output
    assert "Expected: the message 'Hello alice!'" in output


def test_progress_after_a_relapse(desk: Desk) -> None:
    """A step that was green and broke is the next one, on code that came further."""
    desk.writes(ROOT / "steps/03")
    desk.replaces("realtime/__main__.py", "django.setup()", "1 / 0")
    desk.replaces("realtime/signals.py", "str(instance.user)", "'somebody'")
    output = desk.says("progress")
    assert "✗ 01" in output
    assert "· 02" in output
    assert "✓ 03" in output
    assert "test_command fails" in output
    assert "pytest steps/01 steps/03 --deselect=steps/03 --code mine" in output


def test_progress_at_the_end(desk: Desk) -> None:
    """At the end everything is green, and progress says what to do with it."""
    desk.writes(ROOT / "steps" / STEPS[-1])
    output = desk.says("progress")
    assert "✗" not in output
    assert "·" not in output
    assert "Every step is green" in output
    assert "make demo CODE=mine" in output


@pytest.mark.parametrize("step", ALL_STEPS[1:-2])
def test_progress_knows_how_far(step: str) -> None:
    """No suite has a test that passes before the first one fails, on earlier code."""
    later = [f"steps/{suite}" for suite in ALL_STEPS if suite > step]
    process = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", *later, "--code", f"steps/{step}"],
            *["-p", "no:cacheprovider", "-p", "steps.desk.results", "--results=2"],
        ],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    results = [json.loads(line) for line in process.stderr.splitlines()]
    assert later == sorted(Path(result[1]).parent.as_posix() for result in results)
    assert {"failed"} == {result[0] for result in results}


def test_progress_of_an_accident(desk: Desk) -> None:
    """An exception that no suite foresees is named, with the chapter to read."""
    desk.writes(ROOT / "steps/01")
    desk.replaces("realtime/server.py", "import asyncio", "import asyncioo")
    output = desk.says("progress")
    assert "ModuleNotFoundError: No module named 'asyncioo'" in output
    assert "Read:     chapter 01 of tutorial.md" in output


def test_progress_of_broken_settings(desk: Desk) -> None:
    """Settings with which Django cannot start are named as the reason."""
    desk.writes(ROOT / "steps/02")
    (desk.mine / "settings.py").write_text("INSTALLED_APPS = [")
    process = desk.run("progress")
    assert 1 == process.returncode
    assert process.stderr.startswith("mine/ cannot be graded")
    assert "Django cannot start with mine/settings.py" in process.stderr
    assert "SyntaxError: '[' was never closed" in process.stderr


def test_progress_while_it_runs(desk: Desk) -> None:
    """At a terminal, progress says which suite it is running."""
    desk.writes(ROOT / "steps/00")
    terminal = desk.at_a_terminal("progress")
    terminal.expect("steps/01")
    terminal.expect("steps/02")
    terminal.expect("✗ 01")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert 0 == terminal.exitstatus


# watch


def test_watch_without_mine(desk: Desk) -> None:
    """watch sends a learner who has no folder yet to `make start`."""
    assert "make start" in desk.refuses("watch")


def test_watch(desk: Desk) -> None:
    """watch runs the suite at each save, moves on when it is green, ends on Ctrl-C."""
    desk.writes(ROOT / "steps/01")
    desk.replaces("realtime/server.py", "Hello", "Good morning")
    terminal = desk.at_a_terminal("watch")
    terminal.expect("✗ 01")
    terminal.expect("Watching mine/")
    desk.replaces("realtime/server.py", "Good morning", "Good evening")
    terminal.expect("pytest steps/01 --code mine")
    terminal.expect("Good evening")
    terminal.expect("Watching mine/")
    desk.replaces("realtime/server.py", "Good evening", "Hello")
    terminal.expect("✓ 01")
    terminal.expect("✗ 02")
    terminal.expect("Watching mine/")
    terminal.sendintr()
    rest = terminal.read()
    terminal.close()
    assert 0 == terminal.exitstatus
    assert "Traceback" not in rest


def test_watch_after_broken_settings(desk: Desk) -> None:
    """watch survives settings with which Django cannot start."""
    desk.writes(ROOT / "steps/00")
    (desk.mine / "settings.py").write_text("INSTALLED_APPS = [")
    terminal = desk.at_a_terminal("watch")
    terminal.expect("cannot be graded")
    terminal.expect("Watching mine/")
    desk.writes(ROOT / "steps/01")
    terminal.expect("✗ 02")
    terminal.close()


def test_watch_during_catch_up(desk: Desk) -> None:
    """watch goes on in the folder that catch-up put in the place of the other."""
    desk.writes(ROOT / "steps/00")
    terminal = desk.at_a_terminal("watch")
    terminal.expect("Watching mine/")
    desk.says("catch-up", "02", "--yes")
    terminal.expect("✗ 02")
    terminal.expect("Watching mine/")
    desk.writes(ROOT / "steps/02")
    terminal.expect("pytest steps/02 --code mine")
    terminal.close()


def test_watch_to_the_end(desk: Desk) -> None:
    """watch ends when there is nothing left to wait for."""
    desk.writes(ROOT / "steps" / STEPS[-1])
    terminal = desk.at_a_terminal("watch")
    terminal.expect("Every step is green")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert 0 == terminal.exitstatus


# catch-up


def test_catch_up(desk: Desk) -> None:
    """catch-up puts mine/ at the end of the step before, and keeps what was there."""
    desk.writes(ROOT / "steps/01")
    (desk.mine / "notes.txt").write_text("Why 1011?")
    before = contents(desk.mine)
    output = desk.says("catch-up", "03", "--yes")
    assert contents(ROOT / "steps/02") == contents(desk.mine)
    [kept] = desk.root.glob("mine-before-catch-up-*")
    assert before == contents(kept)
    assert f"{kept.name}/" in output
    assert "pytest steps/03 --code mine" in output


def test_catch_up_twice(desk: Desk) -> None:
    """catch-up keeps one folder each time."""
    desk.writes(ROOT / "steps/01")
    desk.says("catch-up", "03", "--yes")
    desk.says("catch-up", "02", "--yes")
    kept = sorted(desk.root.glob("mine-before-catch-up-*"))
    assert [contents(ROOT / "steps/01"), contents(ROOT / "steps/02")] == [
        contents(folder) for folder in kept
    ]


@pytest.mark.parametrize("given", ["01", "1"])
def test_catch_up_with_the_start(desk: Desk, given: str) -> None:
    """Before step 01 there is the start folder; a number may be short."""
    desk.writes(ROOT / "steps/02")
    desk.says("catch-up", given, "--yes")
    assert contents(ROOT / "steps/00") == contents(desk.mine)


def test_catch_up_without_mine(desk: Desk) -> None:
    """catch-up has nothing to ask when there is nothing to lose."""
    desk.says("catch-up", "02")
    assert contents(ROOT / "steps/01") == contents(desk.mine)
    assert [] == [*desk.root.glob("mine-*")]


def test_catch_up_asks(desk: Desk) -> None:
    """catch-up asks first, and takes anything but yes for a no."""
    desk.writes(ROOT / "steps/01")
    for answer in ["n", "", "\x04"]:
        terminal = desk.at_a_terminal("catch-up", "04")
        terminal.expect("mine-before-catch-up-")
        terminal.expect(r"\[y/N\] ")
        terminal.sendline(answer)
        terminal.expect("Nothing was changed")
        terminal.expect(pexpect.EOF)
    assert contents(ROOT / "steps/01") == contents(desk.mine)
    terminal = desk.at_a_terminal("catch-up", "04")
    terminal.expect(r"\[y/N\] ")
    terminal.sendline("y")
    terminal.expect(pexpect.EOF)
    assert contents(ROOT / "steps/03") == contents(desk.mine)


def test_catch_up_unasked(desk: Desk) -> None:
    """Where nobody can answer, catch-up changes nothing without --yes."""
    desk.writes(ROOT / "steps/01")
    sentence = desk.refuses("catch-up", "04")
    assert "--yes" in sentence
    assert "YES=1" in sentence
    assert contents(ROOT / "steps/01") == contents(desk.mine)
    assert [] == [*desk.root.glob("mine-*")]


# diff


def test_diff(desk: Desk) -> None:
    """diff shows what a chapter changes in the code, and what its suite asks."""
    output = desk.says("diff", "04")
    assert "--- steps/03/realtime/server.py\n+++ steps/04/realtime/server.py" in output
    assert "--- /dev/null\n+++ steps/04/realtime/access.py" in output
    assert "+from .access import get_content_types\n" in output
    assert "settings.py" not in output
    assert "+def test_" not in output
    assert "steps/04/test_only_those_who_may.py" in output
    assert "test_group" in output
    assert "A user sees what the groups to which they belong may see." in output


def test_diff_of_the_first_step(desk: Desk) -> None:
    """The first step starts from the start folder; a number may be short."""
    output = desk.says("diff", "1")
    assert "--- steps/00/settings.py\n+++ steps/01/settings.py" in output


def test_diff_at_a_terminal(desk: Desk) -> None:
    """At a terminal, what is new is green and what is gone is red."""
    terminal = desk.at_a_terminal("diff", "04")
    output = terminal.read()
    assert "\x1b[32;1m+from .access import get_content_types\x1b[0m" in output
    assert "\x1b[31;1m-CONNECTIONS: set[ServerConnection] = set()\x1b[0m" in output


def test_diff_in_a_pipe(desk: Desk) -> None:
    """diff ends quietly when its reader has seen enough."""
    with subprocess.Popen(
        [sys.executable, "-m", "steps.desk", "diff", "04"],
        cwd=desk.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"" == process.stderr.read()


def test_last_step(desk: Desk) -> None:
    """A last step that has no code folder of its own grades final/."""
    last = desk.root / "steps" / f"{int(STEPS[-1]) + 1:02}"
    last.mkdir()
    (last / "test_fast_and_wide.py").write_text('"""Fast and wide: it is."""\n')
    (desk.root / "final/realtime/hub.py").write_text("AUDIENCES = {}\n")
    output = desk.says("diff", last.name)
    assert "--- /dev/null\n+++ final/realtime/hub.py\n" in output
    desk.says("catch-up", last.name)
    assert contents(ROOT / "steps" / STEPS[-1]) == contents(desk.mine)


# misuse


@pytest.mark.parametrize("command", ["catch-up", "diff"])
def test_no_step(desk: Desk, command: str) -> None:
    """Without a step, the sentence shows how to name one."""
    desk.writes(ROOT / "steps/01")
    assert f"make {command} STEP=03" in desk.refuses(command)
    assert contents(ROOT / "steps/01") == contents(desk.mine)


@pytest.mark.parametrize("command", ["catch-up", "diff"])
@pytest.mark.parametrize("step", ["00", "99", "three", "../04"])
def test_unknown_step(desk: Desk, command: str, step: str) -> None:
    """With a step that is none, the sentence says which there are."""
    desk.writes(ROOT / "steps/01")
    sentence = desk.refuses(command, step)
    assert f"no step {step!r}" in sentence
    assert f"01 to {STEPS[-1]}" in sentence
    assert contents(ROOT / "steps/01") == contents(desk.mine)


def test_help(desk: Desk) -> None:
    """--help says what each command does, and --help of a command says more."""
    output = desk.says("--help")
    for command in ["start", "progress", "watch", "catch-up", "diff"]:
        assert f"make {command}" in output
        assert len(words(desk.says(command, "--help"))) > 100


def test_no_command(desk: Desk) -> None:
    """Without a command, the desk shows its help."""
    assert desk.says("--help") == desk.says()
