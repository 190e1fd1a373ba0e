"""final/ is the code at the end of the road."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
LAST = max(path.parent for path in ROOT.glob("steps/[0-9][0-9]/settings.py"))


def code(folder: Path) -> dict[Path, bytes]:
    """Return the content of each file of a code folder."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_last_step() -> None:
    """final/ has all that the last step has; a suite without code asks for the rest."""
    suites = {path.relative_to(LAST) for path in LAST.glob("test_*.py")}
    assert code(LAST).keys() - suites <= code(ROOT / "final").keys()
    assert [path for path in ROOT.glob("steps/*/test_*.py") if path.parent > LAST]
