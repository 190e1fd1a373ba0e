"""The command that judges the mutants: ``python -m tests.mutants``."""

import argparse
import sys

from rich import box
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from tests import mutants
from tests.matrix import codes, folder
from tests.mutants import ROOT, Verdict, complaints, judged, survivors


def table(verdicts: list[Verdict]) -> Table:
    columns = ["step", "mutants", "run now", "killed", "survived", "score"]
    table = Table(*columns, title="What the suites notice", box=box.SIMPLE_HEAD)
    for verdict in verdicts:
        total, alive = len(verdict.killers), len(verdict.alive)
        counts = [total, verdict.run, total - alive, alive]
        table.add_row(verdict.code, *map(str, counts), f"{verdict.score} %")
    return table


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=mutants.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices = codes(ROOT)[1:]  # the first folder has no code yet
    parser.add_argument(
        "steps",
        nargs="*",
        metavar="STEP",
        help=f"the steps to try, of {', '.join(choices)} (default: all)",
    )
    chosen = parser.parse_args().steps or choices
    if unknown := set(chosen) - set(choices):
        parser.error(f"there is no step {', '.join(sorted(unknown))}")
    console = Console(highlight=False)
    columns = [
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    verdicts, wrong = [], False
    with Progress(*columns, console=console, transient=True) as progress:
        for verdict in judged(ROOT, sorted(chosen), progress):
            verdicts.append(verdict)
            for complaint in complaints(verdict, survivors(ROOT)):
                wrong = True
                console.print(folder(verdict.code), complaint, markup=False)
    console.print(table(verdicts))
    if not wrong:
        print("Every survivor is explained.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
