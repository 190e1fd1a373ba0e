"""The verbs of the Makefile, and how they set themselves up."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make") or "make"

# Stands in for a Python: it notes what it is asked to do, and makes environments of
# which the Python is another such stand-in. It is as new as it is told to be.
STAND_IN = """\
#!/bin/sh
echo "$*" >> {log}
case "$*" in
    --version) echo "Python {version}" ;;
    *version_info*) [ {version} != 3.10.13 ] ;;
    *ensurepip*) {has_ensurepip} ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"pip install"*) {has_network} ;;
esac
"""


class Checkout:
    """A fresh checkout, with a Python that is only a stand-in."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.tools = tools
        self.log = tools / "log"
        (folder / ".ci").mkdir(parents=True)
        tools.mkdir()
        for name in ["Makefile", "pyproject.toml", ".ci/pins.txt"]:
            shutil.copy(ROOT / name, folder / name)
        for tool in ["mkdir", "cp", "touch"]:
            (tools / tool).symlink_to(str(shutil.which(tool)))

    def has_python(
        self,
        name: str = "python3",
        version: str = "3.11.7",
        has_ensurepip: bool = True,
        has_network: bool = True,
    ) -> Path:
        """Put a Python on the PATH, the only one there."""
        python = self.tools / name
        text = STAND_IN.format(
            log=shlex.quote(str(self.log)),
            version=version,
            has_ensurepip=str(has_ensurepip).lower(),
            has_network=str(has_network).lower(),
        )
        python.write_text(text)
        python.chmod(0o755)
        return python

    def make(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run make, as if from a terminal of its own."""
        return subprocess.run(
            [MAKE, *args],
            cwd=self.folder,
            env={"PATH": str(self.tools), "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
        )

    def starts(self) -> list[str]:
        """Run `make start`, which goes well; return what Python was asked to do."""
        self.log.write_text("")
        process = self.make("start")
        assert (0, "") == (process.returncode, process.stderr)
        return self.log.read_text().splitlines()

    def refuses(self, *args: str) -> str:
        """Run `make start`, which does nothing; return the one line that says why."""
        process = self.make("start", *args)
        assert (2, "") == (process.returncode, process.stdout)
        assert not (self.folder / ".venv").exists()
        sentence, error = process.stderr.splitlines()
        assert error.startswith("make: *** ")
        return sentence


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout on a machine without Python."""
    return Checkout(tmp_path / "checkout", tmp_path / "tools")


def make(*args: str) -> str:
    """Run make on this repository, where everything is set up; return its output."""
    process = subprocess.run(
        [MAKE, "--old-file=.venv/ready", "--old-file=.venv-newest/ready", *args],
        cwd=ROOT,
        env={name: os.environ[name] for name in ["PATH", "HOME"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


# The verbs


def test_verbs_are_listed() -> None:
    """make alone lists every verb, with a description."""
    verbs = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    lines = [line.split(maxsplit=1) for line in make().splitlines()]
    assert verbs == [verb for verb, _description in lines]


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        (["start"], "start"),
        (["progress"], "progress"),
        (["watch"], "watch"),
        (["catch-up", "STEP=03"], "catch-up 03"),
        (["catch-up", "STEP=03", "YES=1"], "catch-up 03 --yes"),
        (["catch-up"], "catch-up"),
        (["diff", "STEP=03"], "diff 03"),
    ],
)
def test_verbs_of_the_desk(verb: list[str], command: str) -> None:
    """Each verb of the desk runs the command that bears its name."""
    words = make("--dry-run", *verb).split()
    assert f".venv/bin/python -m steps.desk {command}".split() == words


def test_verbs_exist() -> None:
    """Every module that a verb runs is there."""
    verbs = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    modules = re.findall(r"-m ((?:steps|tests)\.\S+)", make("--dry-run", *verbs))
    assert modules
    assert [] == [module for module in modules if find_spec(module) is None]


# The set-up


def test_set_up_once(checkout: Checkout) -> None:
    """The first verb sets up an environment, the second has nothing to set up."""
    checkout.has_python()
    first = checkout.starts()
    assert "-m venv .venv" in first
    assert "-m pip install --quiet --group dev --constraint .ci/pins.txt" in first
    assert ["-m steps.desk start"] == checkout.starts()


@pytest.mark.parametrize("name", ["pyproject.toml", ".ci/pins.txt"])
def test_set_up_again(checkout: Checkout, name: str) -> None:
    """When what to install changes, the environment is brought up to date."""
    checkout.has_python()
    checkout.starts()
    for number, file in enumerate(["pyproject.toml", ".ci/pins.txt", ".venv/ready"]):
        os.utime(checkout.folder / file, (number, number))
    (checkout.folder / name).touch()
    assert len(checkout.starts()) > 1


def test_set_up_that_failed(checkout: Checkout) -> None:
    """An environment that was set up halfway is set up again."""
    checkout.has_python(has_network=False)
    assert 2 == checkout.make("start").returncode
    checkout.has_python()
    assert "-m venv .venv" in checkout.starts()
    assert ["-m steps.desk start"] == checkout.starts()


def test_folder_with_a_space(tmp_path: Path) -> None:
    """The checkout may be in any folder."""
    checkout = Checkout(tmp_path / "my projects (new)" / "it's", tmp_path / "tools")
    checkout.has_python()
    assert "-m venv .venv" in checkout.starts()
    assert ["-m steps.desk start"] == checkout.starts()


# The Python


def test_newer_python_is_found(checkout: Checkout) -> None:
    """Beside a python3 that is too old, a newer Python is found by its name."""
    checkout.has_python("python3", version="3.10.13")
    checkout.has_python("python3.13", version="3.13.0")
    assert "-m venv .venv" in checkout.starts()


def test_old_python(checkout: Checkout) -> None:
    """One sentence says that Python is too old, which it is, and what to do."""
    checkout.has_python(version="3.10.13")
    assert (
        "This needs Python 3.11 or newer, but python3 is Python 3.10.13. "
        "Install one, or name one: make PYTHON=/path/to/python3.13"
    ) == checkout.refuses()


def test_old_python_by_name(checkout: Checkout) -> None:
    """The Python that was asked for is refused in the same words."""
    checkout.has_python("python3", version="3.13.0")
    python = checkout.has_python("python3.10", version="3.10.13")
    assert f"but {python} is Python 3.10.13." in checkout.refuses(f"PYTHON={python}")


def test_no_python(checkout: Checkout) -> None:
    """One sentence says that there is no Python."""
    assert (
        "This needs Python 3.11 or newer, but python3 is not installed. "
        "Install one, or name one: make PYTHON=/path/to/python3.13"
    ) == checkout.refuses()


def test_no_ensurepip(checkout: Checkout) -> None:
    """One sentence says what Debian leaves out of Python."""
    checkout.has_python(has_ensurepip=False)
    assert (
        "This needs Python's venv, but python3 has none. On Debian and Ubuntu: "
        "apt install python3-venv"
    ) == checkout.refuses()


def test_this_python_passes_for_new() -> None:
    """The real condition accepts the Python that runs the tests."""
    condition = re.search("NEW_ENOUGH = (.*)", (ROOT / "Makefile").read_text())
    assert condition is not None
    command = f"{shlex.quote(sys.executable)} {condition[1]}"
    assert 0 == subprocess.run(["sh", "-c", command]).returncode
