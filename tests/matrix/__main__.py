"""The command that shows the matrix: ``python -m tests.matrix``."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests import matrix
from tests.matrix import LINES, RECORD, ROOT, Cell, Verdict


def table(root: Path, verdicts: dict[Cell, Verdict]) -> Table:
    """Return the matrix as far as it is known."""
    cells = matrix.cells(root)
    title = "Each suite on the code of each step"
    columns = sorted({matrix.codes(root)[0], *(cell.column for cell in cells)})
    table = Table("suite", *columns, title=title, box=None, padding=(0, 1, 0, 0))
    texts = {(cell.suite, cell.column): "…" for cell in cells}
    for cell, verdict in verdicts.items():
        style = "red" if verdict.complaints else "green"
        text = str(verdict).replace(", ", "\n")
        texts[cell.suite, cell.column] = f"[{style}]{text}"
    for suite in [*matrix.suites(root), LINES]:
        table.add_row(suite, *[texts.get((suite, column), "") for column in columns])
    return table


def show(root: Path) -> bool:
    """Show the matrix while it is judged; return whether every cell is explained."""
    reasons = matrix.recorded(root)
    verdicts: dict[Cell, Verdict] = {}
    console = Console(highlight=False)
    with Live(table(root, verdicts), console=console, transient=True) as live:
        for cell, verdict in matrix.judged(root, reasons):
            verdicts[cell] = verdict
            live.update(table(root, verdicts))
    console.print(table(root, verdicts))
    unexplained = [
        f"{cell}: {complaint}"
        for cell in matrix.cells(root)
        for complaint in verdicts[cell].complaints
    ]
    unexplained += [
        f"tests/reasons.toml: {test} is recorded, and there is no such suite"
        for test in matrix.left_over(root, reasons)
    ]
    print(*unexplained or ["Every cell is explained."], sep="\n")
    return not unexplained


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix",
        description=matrix.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="write the reasons to tests/reasons.toml, for review, and show no table",
    )
    if parser.parse_args().record:
        count = matrix.record(ROOT)
        print(f"{count} reasons are recorded in tests/reasons.toml: review them.")
        return 0
    try:
        return 0 if show(ROOT) else 1
    except FileNotFoundError as error:
        parser.error(f"{error.filename} is missing: `{RECORD}` writes it")


if __name__ == "__main__":
    sys.exit(main())
