"""final/ is the code at the end of the road."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
FINAL = ROOT / "final"
LAST = max(ROOT.glob("steps/[0-9][0-9]"))


def modules(folder: Path) -> set[str]:
    """Return the names of the modules of a code folder."""
    return {path.stem for path in folder.glob("realtime/*.py")}


def test_last_step() -> None:
    """The last step is a suite: the code that it asks for is final/."""
    assert {*LAST.glob("test_*.py")}
    assert not (LAST / "settings.py").exists()


def test_shape() -> None:
    """final/ is a code folder, and keeps every module of the road."""
    before = max(ROOT.glob("steps/[0-9][0-9]/settings.py")).parent
    assert (FINAL / "settings.py").exists()
    assert modules(before) < modules(FINAL)
