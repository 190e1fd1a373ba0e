"""final/deploy/realtime@.service: systemd's own verifier, and what the unit runs."""

import configparser
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from steps.ports import free_port
from tests.live import PATIENCE, ROOT, Live, opens, running
from tests.nginx import SITE, adapted

UNIT = ROOT / "final" / "deploy" / "realtime@.service"
EXPOSURE = 25  # tenths, of 100, that systemd finds acceptable: "OK" ends at 50


def tool() -> str:
    """Return systemd-analyze; if it isn't installed, skip the test."""
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd isn't installed: apt-get install systemd")
    return program


def analyze(*arguments: str | Path) -> str:
    """Run systemd-analyze; return what it says, after it has found nothing wrong."""
    process = subprocess.run(
        [tool(), *arguments],
        capture_output=True,
        text=True,
        env={"SYSTEMD_COLORS": "0"},
    )
    assert 0 == process.returncode, process.stdout + process.stderr
    return process.stdout + process.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder like the one that the unit expects, with Django's manage.py in it."""
    (tmp_path / "venv").symlink_to(ROOT / ".venv")
    (tmp_path / "manage.py").write_text(
        "from django.core.management import execute_from_command_line as execute\n"
        "import sys\n\n"
        "execute(sys.argv)\n"
    )
    (tmp_path / "realtime.env").touch()
    return tmp_path


@pytest.fixture
def unit(project: Path) -> Path:
    """The unit, as it stands in that folder; it is of one server, on a port."""
    unit = project / "realtime@.service"
    changes = {"/srv/example.com": f"{project}"}
    unit.write_text(adapted(UNIT.read_text(), changes))
    return unit


def values(unit: Path) -> configparser.SectionProxy:
    """Return what a unit says of its service; it says each thing once."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text())
    return parser["Service"]


def test_verified(unit: Path) -> None:
    """systemd knows every line of the unit, and finds what it runs."""
    assert "" == analyze("verify", unit.with_name("realtime@8888.service"))


def test_verifier_notices(unit: Path) -> None:
    """The verifier complains of what is wrong, so that its silence means something."""
    text = unit.read_text().replace("Restart=", "Restrat=")
    unit.write_text(text.replace("venv/bin/python", "venv/bin/pyhton"))
    said = subprocess.run(
        [tool(), "verify", unit.with_name("realtime@8888.service")],
        capture_output=True,
        text=True,
    ).stderr
    assert "Restrat" in said
    assert "pyhton is not executable" in said


def test_confined(unit: Path) -> None:
    """The server may do little more than it needs to, as systemd counts it."""
    unit.rename(one := unit.with_name("realtime@8888.service"))
    analyze("security", "--offline=yes", f"--threshold={EXPOSURE}", one)


def test_ports() -> None:
    """The units that the file names have the ports that nginx passes requests to."""
    text = UNIT.read_text()
    for port in [8888, 8889]:
        assert f"realtime@{port}" in text
        assert f"server 127.0.0.1:{port};" in SITE.read_text()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A site of final/ and its Redis."""
    with running("final", tmp_path_factory.mktemp("live")) as live:
        yield live


def test_command(unit: Path, live: Live) -> None:
    """What the unit runs is a server; told to stop, it ends well, and in time."""
    service, port = values(unit), free_port()
    command = service["ExecStart"].replace("%i", f"{port}").split()
    with subprocess.Popen(
        command, cwd=service["WorkingDirectory"], env=live.server.environment
    ) as process:
        assert opens(process, port)
        with connect(f"ws://localhost:{port}/", proxy=None):
            process.send_signal(getattr(signal, service["KillSignal"]))
            assert 0 == process.wait(float(service["TimeoutStopSec"]))


def test_checked_first(unit: Path, live: Live) -> None:
    """A setting that is wrong keeps the unit from starting, and says why."""
    code = unit.parent / "settings_with_a_typo.py"
    code.write_text("from settings import *\nREALTIME_ORIGIN = []\n")
    service = values(unit)
    environment = live.server.environment | {"DJANGO_SETTINGS_MODULE": code.stem}
    environment["PYTHONPATH"] += f"{os.pathsep}{unit.parent}"
    process = subprocess.run(
        service["ExecStart"].replace("%i", "0").split(),
        cwd=service["WorkingDirectory"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert process.returncode
    assert "realtime.E001" in process.stderr
