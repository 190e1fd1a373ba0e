"""The pictures of the tutorial can be taken again at any time."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo import make
from tests.live import ROOT
from tests.screenshots import EACH, FOLDER, GAP, PICTURES, SIDE_BY_SIDE, USERS

WIDTHS = {
    name: options["viewport"]["width"] * options.get("device_scale_factor", 1)
    for name, options in PICTURES.items()
} | {SIDE_BY_SIDE: len(USERS) * EACH["width"] + (len(USERS) - 1) * GAP}
COMMAND = [sys.executable, "-m", "tests.screenshots"]


def check(folder: Path) -> None:
    """Check that all pictures are there, as wide as they should be, and small."""
    assert {*WIDTHS} == {picture.name for picture in folder.glob("*.png")}
    for name, width in WIDTHS.items():
        content = (folder / name).read_bytes()
        assert (width,) == struct.unpack(">I", content[16:20])  # in a PNG's header
        assert len(content) < 150_000


def test_pictures(tmp_path: Path) -> None:
    """``make screenshots`` takes every picture."""
    process = make("screenshots", f"PICTURES={tmp_path}")
    assert (0, "") == (process.returncode, process.stderr)
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
