"""final/README.md says of final/ what is true of it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import ROOT
from tests.test_copy import lines_to_paste
from tests.tutorial.readme import TEXT, blocks, rows, section

FINAL = ROOT / "final"
APP = FINAL / "realtime"
PACKAGE = 'f"{__package__}'


def words(cell: str) -> str:
    """Return what a cell of a table says in code."""
    return cell.strip("`").replace("\\|", "|")


def source() -> str:
    """Return all the Python of the app."""
    return "\n".join(path.read_text() for path in sorted(APP.rglob("*.py")))


def printed(code: str) -> list[str]:
    """Return the lines that some code prints, with the app of final/ to import."""
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{FINAL}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.splitlines()


def test_settings() -> None:
    """The table has every setting, with its default and its comment, in their order."""
    told = [tuple(map(words, row)) for row in rows("Configure") if len(row) == 3]
    pattern = r"^    (\w+): [^=]+ = (\S.*?)  # (.*)$"
    written = re.findall(pattern, (APP / "conf.py").read_text(), re.MULTILINE)
    assert told == [
        (f"REALTIME_{name.upper()}", default.replace(PACKAGE, '"realtime'), what)
        for name, default, what in written
    ]
    fields = "from realtime.conf import Conf as c; print(*c.__annotations__, sep='\\n')"
    assert printed(fields) == [name for name, _default, _what in written]


def test_metrics() -> None:
    """The table has every metric, as Prometheus shows it, with its own words."""
    told = [f"{words(name)} {what}" for name, what in rows("Metrics")]
    code = "from realtime.metrics import exposed; print(exposed())"
    lines = [line for line in printed(code) if line.startswith("# HELP ")]
    seen = [line.removeprefix("# HELP ") for line in lines if "_created" not in line]
    assert seen == told


def test_checks() -> None:
    """The table has every message of the checks; each is expected by a test."""
    told = [words(row[0]) for row in rows("What `manage.py check` tells")]
    yielded = re.findall(
        r'id="(realtime\.\w+)"', (APP / "system_checks.py").read_text()
    )
    assert sorted(yielded) == sorted(told)
    suite = (ROOT / "steps" / "10" / "test_ready_to_copy.py").read_text()
    for name in told:
        assert f'"{name.removeprefix("realtime.")}"' in suite


def test_close_codes() -> None:
    """The table has every close code of the server, and the one of its library."""
    told = {words(row[0]) for row in rows("Close codes")}
    used = {
        f"{node.value}"
        for node in ast.walk(ast.parse(source()))
        if isinstance(node, ast.Constant)
        and type(node.value) is int
        and 1000 <= node.value < 1016
        and node.value not in {1000}  # which is a size
    }
    assert used | {"1009"} == told


def test_loggers() -> None:
    """All loggers are named, but the one that is switched off."""
    used = {*re.findall(r'getLogger\("(realtime[\w.]+)"\)', source())}
    told = {*re.findall(r"`(realtime\.\w+)`", section("Logs"))}
    assert used - {"realtime.websockets"} == told


def test_probes() -> None:
    """The table has every path that the server answers over HTTP."""
    told = {words(row[0]) for row in rows("Probes")}
    assert {*re.findall(r'request\.path == "(/\w+)"', source())} == told


def test_lines_to_add() -> None:
    """The lines for the settings and the URLs are those of final/."""
    settings, urls = blocks("Install", "python")
    assert [line for line in lines_to_paste().splitlines() if line] == [
        line for line in settings.splitlines() if line
    ]
    assert urls.strip() in (FINAL / "urls.py").read_text()


def test_files() -> None:
    """All files that are named are there."""
    for name in re.findall(r"`(deploy/[^`]+)`", TEXT):
        assert (FINAL / name).exists()
    assert {path.name for path in (FINAL / "deploy").iterdir()} == {
        Path(name).name for name in re.findall(r"`(deploy/[^`]+)`", TEXT)
    }


def test_options() -> None:
    """What is run with manage.py, in the README and in deploy/, has these options."""
    texts = [TEXT, *(path.read_text() for path in (FINAL / "deploy").iterdir())]
    command = (APP / "management" / "commands" / "runrealtime.py").read_text()
    for options in re.findall(r"runrealtime\b[\",]*(.*)", "\n".join(texts)):
        for option in re.findall(r"--[\w-]+", options):
            assert f'"{option}"' in command


def references() -> list[str]:
    """Return the tests that the README names, but for those of tests/faults/."""
    return re.findall(r"`((?:steps/\d\d|tests)/\w+\.py::\w+)`", TEXT)


@pytest.mark.parametrize("reference", references())
def test_proofs(reference: str) -> None:
    """A promise is proved by a test that there is."""
    file, _, name = reference.partition("::")
    assert re.search(
        rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE
    )


def test_promises() -> None:
    """Each promise names a test."""
    for row in rows("What it promises"):
        assert "::" in row[-1]


def test_keys() -> None:
    """The keys of an event are those that the server passes on."""
    [told] = re.findall(r"`detail` has the keys ([^.]+)\.", section("On a page"))
    code = "from realtime.bus import FIELDS; print(*FIELDS, sep='\\n')"
    assert [*printed(code), "id"] == re.findall(r"`(\w+)`", told)
