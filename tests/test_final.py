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
    """final/ is the code of the last step, without its suite."""
    suites = {path.relative_to(LAST) for path in LAST.glob("test_*.py")}
    last = {path: text for path, text in code(LAST).items() if path not in suites}
    assert last == code(ROOT / "final")
