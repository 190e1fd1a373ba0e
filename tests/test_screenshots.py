"""The pictures of the tutorial can be taken again at any time."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import ROOT, code_folders_with
from tests.screenshots import FOLDER, PICTURES

COMMAND = [sys.executable, "-m", "tests.screenshots"]
LATEST = code_folders_with("client.js")[-1]


def check(folder: Path) -> None:
    """Check that all pictures are there, as wide as they should be, and small."""
    assert {*PICTURES} == {picture.name for picture in folder.iterdir()}
    for name, options in PICTURES.items():
        content = (folder / name).read_bytes()
        width, _height = struct.unpack(">II", content[16:24])  # of a PNG's header
        scale = options.get("device_scale_factor", 1)
        assert options["viewport"]["width"] * scale == width
        assert len(content) < 150_000


def test_pictures(tmp_path: Path) -> None:
    """Every picture is taken."""
    subprocess.run([*COMMAND, "--code", LATEST, "--to", tmp_path], cwd=ROOT, check=True)
    check(tmp_path)


def test_pictures_of_the_repository() -> None:
    """The pictures in the repository are these, and no others."""
    check(FOLDER)


@pytest.mark.parametrize("code", ["steps/04", "nowhere"])
def test_no_page(code: str) -> None:
    """Code without a page gets one sentence."""
    command = [*COMMAND, "--code", code]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 1 == process.returncode
    assert f"There is no page in {code}.\n" == process.stderr
