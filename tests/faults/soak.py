"""``make soak``: every fault in full size, on final/, and on the code before it.

Figures are printed, and written to tests/faults/figures.json and figures.svg. The code
of step 04 is put through the quick forms: they are enough to break it.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.faults.before import BEFORE, ROOT, complaints, put_through, tried
from tests.faults.figures import Figure

FOLDER = Path(__file__).parent
FINAL = "final"
WIDTH = 20  # characters of a bar that is as long as its promise


class Row(NamedTuple):
    """Something that was measured on both codes: the worst, and what is promised."""

    test: str
    what: str
    unit: str
    promised: float | None
    came: dict[str, float]


def rows(figures: list[Figure]) -> list[Row]:
    """Return a row for each thing that was measured, with its worst figures."""
    found: dict[tuple[str, str], Row] = {}
    for each in figures:
        new = Row(each.test, each.what, each.unit, each.promised, {})
        row = found.setdefault((each.test, each.what), new)
        row.came[each.code] = max(each.came, row.came.get(each.code, each.came))
    return [*found.values()]


def bar(came: float | None, promised: float | None) -> Text:
    """Return a figure, and a bar that is longer than the mark if a promise broke."""
    if came is None:
        return Text("-", "dim")
    if promised is None:
        return Text(f"{came:,.4g}")
    length = round(min(2, came / promised) * WIDTH)
    text = Text("█" * length, "green" if came <= promised else "red")
    if length <= WIDTH:
        text.append("·" * (WIDTH - length) + "|", "dim")
    return text.append(f" {came:,.4g}", "default")


def table(figures: list[Figure]) -> Table:
    """Return all figures, each with a bar in proportion to what is promised."""
    columns = ["", "unit", "promised", FINAL, BEFORE]
    table = Table(*columns, box=None, title="What is promised, and what came")
    test = ""
    for row in rows(figures):
        if row.test != test:
            table.add_row(Text(test := row.test, "bold"))
        promise = "" if row.promised is None else f"≤ {row.promised:g}"
        bars = [bar(row.came.get(code), row.promised) for code in [FINAL, BEFORE]]
        table.add_row(f"  {row.what}", row.unit, promise, *bars)
    return table


def broken(console: Console, *options: str) -> tuple[list[Figure], list[str]]:
    """Break final/, and the code before it; return the figures, and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ["final.json", "before.json"]]
        command = [sys.executable, "-m", "pytest", "tests/faults", *options]
        ours = subprocess.run([*command, "--figures", str(files[0])], cwd=ROOT)
        wrong = ["a promise of final/ is broken"] if ours.returncode else []
        console.print(f"The code of {BEFORE} is put through the same …")
        came = tried(put_through(), "--figures", str(files[1]))
        wrong += complaints(came)
        figures = [
            Figure(**each) for file in files for each in json.loads(file.read_text())
        ]
    return figures, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument(
        "--quick", action="store_true", help="in the size that `make test` has"
    )
    console = Console(highlight=False, soft_wrap=True)
    quick = parser.parse_args().quick
    figures, wrong = broken(console, *([] if quick else ["--soak"]))
    rows = [figure._asdict() for figure in figures]
    (FOLDER / "figures.json").write_text(json.dumps(rows, indent=1) + "\n")
    plot = Console(highlight=False, width=130, record=True, file=io.StringIO())
    plot.print(table(figures))
    plot.save_svg(str(FOLDER / "figures.svg"), title="make soak")
    console.print(table(figures))
    console.print(*wrong or ["Every promise is kept."], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
