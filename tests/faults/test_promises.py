"""final/README.md says what is promised, and which test proves it."""

import re
from ast import AsyncFunctionDef, FunctionDef, parse, walk
from pathlib import Path

from tests.faults.before import ROOT, rows

README = ROOT / "final/README.md"


def functions(file: Path) -> set[str]:
    """Return the names of the functions in a file."""
    kinds = FunctionDef | AsyncFunctionDef
    return {
        node.name for node in walk(parse(file.read_text())) if isinstance(node, kinds)
    }


def test_promises_are_proved() -> None:
    """Every test exists that README.md names as the proof of a promise."""
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)", README.read_text())
    assert named
    for file, test in named:
        assert test in functions(ROOT / file), f"{file}::{test}"


def test_faults_are_promised() -> None:
    """Every fault of the laboratory is among the promises of README.md."""
    text = README.read_text()
    tests = {row.partition("[")[0] for row in rows()}
    assert [] == [test for test in sorted(tests) if f"`{test}`" not in text]
